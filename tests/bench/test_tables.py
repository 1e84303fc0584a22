# SPDX-License-Identifier: Apache-2.0
"""From raw figures to what the page says of them."""

from __future__ import annotations

import pytest

from bench.publish import BEGIN, END, with_page, within
from bench.samples import GroupResult, Results, Sample, ratios
from bench.tables import looks, operations, page, servers, starts
from bench.targets import verdict


def group(*runs: tuple[int, str, dict[str, float]], failed: dict[str, str] | None = None) -> GroupResult:
    samples = [Sample(visit=visit, mode=mode, figures=figures) for visit, mode, figures in runs]
    return GroupResult(date="2026-01-02 03:04 UTC", samples=samples, failed=failed or {})


def version(python: str, **groups: GroupResult) -> Results:
    return Results(python=python, machine="Linux x86_64, 4 processors", groups=groups)


def test_a_run_is_compared_with_the_mean_of_the_baselines_beside_it() -> None:
    runs = group(
        (0, "baseline", {"lock": 100.0}),
        (0, "peeps", {"lock": 150.0}),
        (0, "baseline", {"lock": 200.0}),
        (0, "peeps", {"lock": 300.0}),
        (0, "baseline", {"lock": 400.0}),
    )
    assert ratios(runs, "peeps", "lock") == [1.0, 1.0]


def test_two_modes_between_two_baselines_are_compared_with_both() -> None:
    runs = group(
        (0, "baseline", {"lock": 100.0}), (0, "yappi", {"lock": 300.0}), (0, "peeps", {"lock": 450.0}),
        (0, "baseline", {"lock": 200.0}),
    )  # fmt: skip
    assert ratios(runs, "peeps", "lock") == [3.0]
    assert ratios(runs, "yappi", "lock") == [2.0]


def test_a_baseline_of_another_visit_does_not_count() -> None:
    runs = group(
        (0, "baseline", {"lock": 100.0}),
        (1, "peeps", {"lock": 150.0}),
        (1, "baseline", {"lock": 300.0}),
        (2, "peeps", {"lock": 150.0}),
    )
    assert ratios(runs, "peeps", "lock") == [0.5]


def test_a_figure_that_a_mode_does_not_have_is_absent() -> None:
    assert ratios(group((0, "baseline", {"lock": 1.0}), (0, "peeps", {})), "peeps", "lock") == []
    assert ratios(None, "peeps", "lock") == []


@pytest.mark.parametrize(
    ("value", "target", "words"),
    [
        (1.049, 1.05, "met"),
        (1.054, 1.05, "met"),
        (1.056, 1.05, "**missed by 0.01**"),
        (2.5, 1.05, "**missed by 1.45**"),
        (0.6, 1.05, "met"),
        (15.04, 15.0, "met"),
        (26.2, 15.0, "**missed by 11.2**"),
        (1493.0, 100.0, "**missed by 1,393**"),
    ],
)
def test_a_target_is_judged_at_the_precision_that_is_shown(value: float, target: float, words: str) -> None:
    assert str(verdict(value, target)) == words


def test_a_row_says_whether_its_target_is_met() -> None:
    runs = group((0, "baseline", {"lock": 100.0, "channel": 100.0}), (0, "peeps", {"lock": 104.0, "channel": 120.0}))
    lines = operations({"3.12": version("3.12.1", **{"operations/asyncio": runs})}).splitlines()
    assert lines[2] == "| `async with` a free `asyncio.Lock` | ≤ 1.05 | 1.04 (1.04 … 1.04) | met | 2.84 |"
    assert (
        lines[3] == "| `asyncio.Queue(10)`: put and get | ≤ 1.03 | 1.20 (1.20 … 1.20) | **missed by 0.17** | nobody |"
    )


def test_what_is_recorded_has_a_row_and_a_verdict_of_its_own() -> None:
    figures = {"task_1": 100.0, "task_1.recorded": 100.0}
    runs = group((0, "baseline", figures), (0, "peeps", {"task_1": 101.0, "task_1.recorded": 130.0}))
    first, second = operations({"3.12": version("3.12.1", **{"operations/asyncio": runs})}).splitlines()[2:]
    assert "at full speed | ≤ 1.05 | 1.01" in first
    assert first.endswith("| met | 1.27 |")
    assert "each recorded in detail | ≤ 1.05 | 1.30" in second
    assert "missed by 0.25" in second


def test_another_version_and_another_loop_stand_beside() -> None:
    runs = group((0, "baseline", {"lock": 100.0}), (0, "peeps", {"lock": 104.0}))
    other = group((0, "baseline", {"lock": 100.0}), (0, "peeps", {"lock": 90.0}))
    versions = {
        "3.11": version("3.11.7", **{"operations/asyncio": other}),
        "3.12": version("3.12.1", **{"operations/asyncio": runs, "operations/uvloop": other}),
    }
    head, _, row = operations(versions).splitlines()
    assert "| target | 3.12 |  | 3.12 uvloop | 3.11 |" in head
    assert "| 1.04 (1.04 … 1.04) | met | 0.90 | 0.90 |" in row


def test_a_server_is_judged_by_the_same_without_us_and_compared_with_python_alone() -> None:
    runs = group(
        (0, "baseline", {"cpu_us": 200.0, "per_second": 4000.0}),
        (0, "otel", {"cpu_us": 400.0, "per_second": 2000.0}),
        (0, "peeps", {"cpu_us": 404.0, "per_second": 1900.0}),
        (0, "otel", {"cpu_us": 400.0, "per_second": 2000.0}),
    )
    row = servers({"3.12": version("3.12.1", **{"servers/aiohttp/asyncio": runs})}).splitlines()[2]
    assert row == "| aiohttp, asyncio | 4,000 | 200 | 2.00 | 2.02 | ≤ 1.01 | 1.01 (1.01 … 1.01) | met |"


def test_a_server_that_was_not_compared_with_the_same_without_us_has_no_verdict() -> None:
    runs = group((0, "baseline", {"cpu_us": 200.0, "per_second": 4000.0}), (0, "peeps", {"cpu_us": 300.0}))
    row = servers({"3.12": version("3.12.1", **{"servers/aiohttp/asyncio": runs})}).splitlines()[2]
    assert row == "| aiohttp, asyncio | 4,000 | 200 | – | 1.50 | ≤ 1.01 | – | – |"


def test_a_start_is_judged_by_what_we_add() -> None:
    runs = group((0, "otel", {"cpu_ms": 500.0}), (0, "peeps", {"cpu_ms": 520.0}), (0, "otel", {"cpu_ms": 480.0}))
    row = starts({"3.12": version("3.12.1", **{"starts/python -c pass": runs})}).splitlines()[2]
    assert row == "| `python -c pass`: processor time, ms | 490 | ≤ 30 | 30.0 (30.0 … 30.0) | met |"


def test_a_hold_is_judged_by_its_worst_and_memory_by_the_difference() -> None:
    peeps = {"hold_ms": 1.5, "resident_before": 40 * 2**20, "resident_after": 41 * 2**20}
    plain = {"hold_ms": 0.1, "resident_before": 20 * 2**20, "resident_after": 20 * 2**20}
    runs = group(
        (0, "baseline", plain), (0, "peeps", peeps), (1, "baseline", plain), (1, "peeps", peeps | {"hold_ms": 9.0})
    )
    text = looks({"3.12": version("3.12.1", **{"looks/10000": runs})})
    assert "loop held at a time, ms | ≤ 2 | 9.00 | **missed by 7.00** |" in text
    assert "memory per live task, bytes | ≤ 200 | 105 | met |" in text
    assert "resident memory, MB | ≤ 15 | 20.0 | **missed by 5.00** |" in text


def test_what_could_not_be_measured_is_said() -> None:
    runs = group((0, "baseline", {"lock": 1.0}), failed={"peeps": "exit code 3"})
    assert "Not measured on 3.12: operations/asyncio, peeps: `exit code 3`." in page(
        {"3.12": version("3.12.1", **{"operations/asyncio": runs})}
    )


def test_the_page_goes_between_the_markers() -> None:
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_page(readme, "new\n") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert within("no markers") is None
    with pytest.raises(ValueError, match="there are no lines"):
        with_page("no markers", "new")
