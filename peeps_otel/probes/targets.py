# SPDX-License-Identifier: Apache-2.0
"""The nodes of what somebody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def all_nodes(targets: Iterable[Any], node_of: Callable[[Any], str | None]) -> list[str]:
    """Of each target its node; none at all where one of them has none: nothing may be concluded then."""
    found: list[str] = []
    for target in targets:
        node_id = node_of(target)
        if node_id is None:
            return []
        found.append(node_id)
    return found
