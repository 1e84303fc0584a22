# SPDX-License-Identifier: Apache-2.0
"""The measured processes, for real and short: that each mode is what it is called, and gives its figures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.groups import Group
from bench.heartbeat import Heartbeat
from bench.modes import BASELINE, OTEL, PEEPS, started
from bench.operations import OPERATIONS, RECORDED, THREADS
from bench.processes import Failed, figures_of, server
from bench.report_line import told
from bench.rounds import visit_all
from bench.samples import GroupResult
from bench.server_worker import SERVERS
from bench.startup import PROGRAMS, start

pytestmark = pytest.mark.slow

PYTHON = Path(sys.executable)
NOWHERE = "127.0.0.1:9"


@pytest.mark.parametrize("mode", [BASELINE, PEEPS, "wrapt wrappers"])
def test_operations_are_timed(mode: str) -> None:
    names = ["lock", "lock_bare", "thread_lock"]
    figures = figures_of(started(mode, PYTHON, NOWHERE, "bench.operation_worker", mode, "asyncio", *names), None)
    assert set(figures) == {"lock", "lock_bare", "lock_bare" + RECORDED, "thread_lock"}
    assert all(value > 0 for value in figures.values())


def test_a_process_that_is_not_what_its_mode_says_gives_no_figures() -> None:
    for mode, claimed in ((BASELINE, PEEPS), (PEEPS, BASELINE)):
        with pytest.raises(Failed, match="watched"):
            figures_of(started(mode, PYTHON, NOWHERE, "bench.operation_worker", claimed, "asyncio", "lock"), None)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_is_loaded(kind: str) -> None:
    if kind == "fastapi":
        pytest.importorskip("fastapi")
    module = "bench.grpc_load" if kind == "grpc" else "bench.load"
    with server(started(PEEPS, PYTHON, NOWHERE, "bench.server_worker", PEEPS, "asyncio", kind), 0) as (process, port):
        load = started(BASELINE, PYTHON, "", module, str(port), str(process), "4", "0.2", "0.5")
        figures = figures_of(load, None)
    assert figures["per_second"] > 0
    assert figures["cpu_us"] > 0


def test_looks_at_many_tasks_are_measured() -> None:
    figures = figures_of(started(PEEPS, PYTHON, NOWHERE, "bench.look_worker", PEEPS, "asyncio", "500", "1"), None)
    assert figures["looks"] >= 2
    assert figures["next_cpu_ms"] > 0
    assert 0 < figures["first_cpu_ms"] <= figures["first_wall_ms"] + 1
    assert 0 < figures["core"] < 1
    assert figures["resident_after"] > figures["resident_before"] - 2**20


def test_a_held_loop_is_noticed() -> None:
    """By a thread that keeps the interpreter to itself: a sort, whose comparisons never let others run."""
    import asyncio
    import threading

    def hold() -> None:
        sorted(range(3_000_000), key=(-1).__add__)

    async def held() -> int:
        beat = Heartbeat()
        beat.start()
        await asyncio.sleep(0.05)
        before = beat.longest_ns
        thread = threading.Thread(target=hold)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0)
        await beat.stop()
        return beat.longest_ns - before

    assert asyncio.run(held()) > 10_000_000


def test_every_operation_can_be_done() -> None:
    import asyncio

    async def all_of_them() -> None:
        for operation in OPERATIONS.values():
            await operation.run(100)

    asyncio.run(all_of_them())
    for operation in THREADS.values():
        with pytest.raises(StopIteration):
            operation.run(100).send(None)


def test_modes_run_between_baselines_until_the_time_is_over() -> None:
    seen: list[str] = []
    kept: list[str] = []

    def measure(mode: str) -> dict[str, float]:
        seen.append(mode)
        if mode == "broken":
            raise Failed("it is broken")
        return {"lock": 1.0}

    def keep(name: str, _result: GroupResult) -> None:
        kept.append(name)

    groups = [Group("a", ("peeps", "broken"), measure, 2), Group("b", ("peeps",), measure, 1, visits_most=1)]
    results = visit_all(groups, 60.0, 2, keep)
    first = ["baseline", "peeps", "baseline", "broken", "broken", "baseline", "peeps", "baseline"]
    second = ["baseline", "peeps", "baseline", "peeps", "baseline"]
    assert seen == [*first, "baseline", "peeps", "baseline", *second]
    assert kept == ["a", "b", "a"]
    assert results["a"]["failed"] == {"broken": "it is broken"}
    assert {sample["visit"] for sample in results["a"]["samples"]} == {0, 1}


def test_what_is_compared_with_the_same_without_us_runs_between_it_and_alone_once() -> None:
    def measure(_mode: str) -> dict[str, float]:
        return {}

    group = Group("a", ("peeps",), measure, 2, beside="otel", once=("baseline",))
    assert list(group.order()) == ["baseline", "otel", "peeps", "otel", "peeps", "otel"]


def test_a_start_is_measured() -> None:
    figures = {mode: start(mode, PYTHON, NOWHERE, PROGRAMS["a small program"]) for mode in (OTEL, PEEPS)}
    assert set(figures[OTEL]) == {"cpu_ms", "wall_ms", "rss_mb", "pss_mb", "anonymous_mb"}
    assert all(more >= figures[OTEL][name] / 2 > 0 for name, more in figures[PEEPS].items())


def test_without_time_each_group_is_measured_once() -> None:
    def measure(_mode: str) -> dict[str, float]:
        return {"lock": 1.0}

    results = visit_all([Group("a", ("peeps",), measure, 1)], 0.0, 0, lambda _name, _result: None)
    assert [sample["mode"] for sample in results["a"]["samples"]] == ["baseline", "peeps", "baseline"]


def test_figures_are_found_among_whatever_a_program_prints() -> None:
    assert told(["hello\n", '@@figures {"port": 1}\n', "more\n"]) == {"port": 1}
    assert told(["hello\n"]) is None
