# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING shows the way to files that are there, and the pages of docs/ to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def test_every_path_that_it_names_exists() -> None:
    text = (_ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:peeps_otel|collector|dashboard|distro|docs|tests|scripts|bench)/[\w./-]*)`", text))
    assert {"peeps_otel/config.py", "scripts/run-tests"} <= named
    assert sorted(path for path in named if not (_ROOT / path).exists()) == []


_LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")
_PAPERS = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", _PAPERS, ids=[page.name for page in _PAPERS])
def test_every_link_leads_somewhere(page: Path) -> None:
    linked = set(_LINK.findall(page.read_text()))
    assert sorted(link for link in linked if not (page.parent / link).exists()) == []


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = set(_LINK.findall((_ROOT / "docs" / "README.md").read_text()))
    pages = {page.name for page in (_ROOT / "docs").glob("*.md")} - {"README.md"}
    assert listed - {"../README.md"} == pages
