# SPDX-License-Identifier: Apache-2.0
"""The tables that are published are those that the raw figures give."""

from __future__ import annotations

from bench.publish import PAGE, README, RESULTS, within
from bench.samples import read_all
from bench.tables import page


def test_the_page_is_made_of_the_raw_figures() -> None:
    versions = read_all(RESULTS)
    assert (RESULTS / PAGE).exists() == bool(versions)
    if versions:
        assert (RESULTS / PAGE).read_text() == page(versions)


def test_the_readme_shows_the_page() -> None:
    shown = within(README.read_text())
    assert (shown is not None) == (RESULTS / PAGE).exists()
    if shown is not None:
        assert shown.strip() == (RESULTS / PAGE).read_text().strip()
