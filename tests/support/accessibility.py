# SPDX-License-Identifier: Apache-2.0
"""What axe-core finds wrong with a page for who cannot see it, or has no pointer."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any


@cache
def _axe() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    """One line for each: the rule, what it wants, and the first element that breaks it."""
    page.evaluate(_axe())
    found: list[Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]
