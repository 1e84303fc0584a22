# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING shows the way to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def test_every_path_that_it_names_exists() -> None:
    text = (_ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:peeps_otel|collector|dashboard|distro|docs|tests|scripts|bench)/[\w./-]*)`", text))
    assert {"peeps_otel/config.py", "scripts/run-tests"} <= named
    assert sorted(path for path in named if not (_ROOT / path).exists()) == []
