# SPDX-License-Identifier: Apache-2.0
"""The tables that are published are those that the raw figures give."""

from __future__ import annotations

from bench.promises import promises
from bench.publish import DOCUMENT, PAGE, README, RESULTS, within
from bench.samples import read_all
from bench.tables import page


def test_the_page_is_made_of_the_raw_figures() -> None:
    versions = read_all(RESULTS)
    assert (RESULTS / PAGE).exists() == bool(versions)
    if versions:
        assert (RESULTS / PAGE).read_text() == page(versions)


def test_the_document_shows_the_page() -> None:
    shown = within(DOCUMENT.read_text())
    assert (shown is not None) == (RESULTS / PAGE).exists()
    if shown is not None:
        assert shown.strip() == (RESULTS / PAGE).read_text().strip()


def test_the_readme_says_of_every_target_whether_it_is_met() -> None:
    shown = within(README.read_text())
    assert (shown is not None) == (RESULTS / PAGE).exists()
    if shown is not None:
        text = (RESULTS / PAGE).read_text()
        assert shown.strip() == promises(text).strip()
        assert shown.count("missed by") == text.count("missed by")


def test_a_promise_is_a_row_with_a_verdict() -> None:
    tables = """\
| operation: CPU time | target | 3.12 |  | 3.12 uvloop |
| --- | --: | --: | --: | --: |
| task, at full speed | ≤ 1.05 | 1.03 (1.00 … 1.07) | met | 1.28 |
| … in detail | ≤ 1.05 | 1.32 (1.32 … 1.32) | **missed by 0.27** | 1.64 |
| event | – | 0.87 (0.84 … 0.91) | – | 1.47 |

| server: CPU time | µs/request without us | target | 3.12 |  |
| --- | --: | --: | --: | --: |
| aiohttp, asyncio | 103 | ≤ 1.01 | 1.05 (1.01 … 1.09) | **missed by 0.04** |

| looks and memory | target | 3.12 |  |
| --- | --: | --: | --: |
| resident memory, MB | ≤ 15 | 26.2 | **missed by 11.2** |
"""
    assert (
        promises(tables)
        == """\
| promise | target | measured |  |
| --- | --: | --: | --: |
| operation: task, at full speed | ≤ 1.05 | 1.03 | met |
| operation: task, in detail | ≤ 1.05 | 1.32 | **missed by 0.27** |
| server: aiohttp, asyncio | ≤ 1.01 | 1.05 | **missed by 0.04** |
| resident memory, MB | ≤ 15 | 26.2 | **missed by 11.2** |
"""
    )
