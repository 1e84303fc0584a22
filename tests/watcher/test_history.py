# SPDX-License-Identifier: Apache-2.0
"""What samples know, on the nodes that go out: a stalled loop becomes a finding while it is stalled.

The watcher's thread is the real one; its clock is stepped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import Finding, Node, NodeKind, Snapshot
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Probe
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage
from peeps_otel.watcher.thread import THREAD_NAME, Watcher
from tests.support.waiting import eventually
from tests.watcher.loops import block, compute, new_loop
from tests.watcher.stepped_clock import SteppedClock

_S = 1_000_000_000


class Kept:
    """A sink that keeps everything, with the time at which it came."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self.looks: list[tuple[int, CycleResult]] = []
        self.goodbyes: list[Snapshot] = []

    def take(self, look: CycleResult) -> None:
        self.looks.append((self._clock.time_ns(), look))

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        self.goodbyes.append(snapshot)

    def opened(self) -> list[tuple[int, Finding]]:
        return [(at, finding) for at, look in list(self.looks) for finding in look.opened]

    def told(self, attribute: str) -> list[Node]:
        return [n for _, look in list(self.looks) for n in look.snapshot.nodes if attribute in n.attributes]


@contextmanager
def watching(
    with_threads: bool = True, interval_ns: int = _S
) -> Generator[tuple[Watcher, Kept, SteppedClock], None, None]:
    """When it begins, the first look has been taken."""
    clock = SteppedClock()
    recorder, kept = Recorder(_S), Kept(clock)
    context = ProbeContext()
    tasks = AsyncioProbe(recorder, context=context)
    probes: list[Probe] = [tasks, ThreadProbe(context)] if with_threads else [tasks]
    watcher = Watcher(
        CompositeProbe(probes, context),
        recorder,
        kept,
        interval_ns=interval_ns,
        key_frame_ns=30 * _S,
        tasks=tasks,
        cpu_percent=0,
        clock=clock,
    )
    watcher.start()
    try:
        clock.until_waited_for()
        yield watcher, kept, clock
    finally:
        watcher.stop()


def _run(main: Callable[[], Coroutine[Any, Any, None]], kind: str = "asyncio") -> threading.Thread:
    loop = new_loop(kind)

    def run() -> None:
        loop.run_until_complete(main())
        loop.close()

    thread = threading.Thread(target=run, name="web", daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("how", [block, compute], ids=["blocking", "computing"])
@pytest.mark.parametrize("with_threads", [True, False], ids=["threads", "no threads"])
def test_a_stalled_loop_is_a_finding_while_it_is_stalled(
    kind: str, how: Callable[[threading.Event], None], with_threads: bool
) -> None:
    began, told = threading.Event(), threading.Event()

    async def handler() -> None:
        await asyncio.sleep(0.2)
        began.set()
        how(told)

    async def main() -> None:
        task = asyncio.create_task(handler(), name="orders")
        await task

    with watching(with_threads) as (_, kept, clock):
        thread = _run(main, kind)
        try:
            assert began.wait(30)
            began_ns = clock.time_ns()
            clock.step_until(kept.opened, 5)
        finally:
            told.set()
        at_ns, finding = kept.opened()[0]
        (stalled, *_) = kept.told(semconv.LOOP_STALLED_SINCE)
        (stepping, *_) = kept.told(semconv.TASK_STEP_SINCE)
        thread.join(30)
        stalls = clock.step_until(lambda: [stall for _, look in kept.looks for stall in look.stalls], 5)
    assert finding.kind.value == "loop_blocked"
    assert "orders" in finding.title
    assert (stalled.kind, stalled.name) == (NodeKind.THREAD, "web")
    assert began_ns <= int(stalled.attributes[semconv.LOOP_STALLED_SINCE]) <= at_ns - _S // 2
    assert (stepping.name, stepping.state) == ("orders", "running")
    assert stepping.stack[0].function.endswith("handler")
    assert any(frame.function.endswith("handler") for frame in stalled.stack)
    assert [stall.task_name for stall in stalls] == ["orders"]


def test_while_nothing_changes_a_stalled_node_is_sent_once() -> None:
    leave = threading.Event()

    async def main() -> None:
        leave.wait(30)

    with watching(interval_ns=_S // 10) as (_, kept, clock):
        thread = _run(main)
        clock.step_until(kept.opened, 60)
        looks = len(kept.looks)
        clock.step_until(lambda: len(kept.looks) > looks + 5, 5)
        leave.set()
        thread.join(30)
        stalled = [node for node in kept.told(semconv.LOOP_STALLED_SINCE) if node.name == "web"]
    assert 1 <= len(stalled) <= 3  # its state and its wait are settled within a look or two


def test_a_task_that_wakes_itself_is_told() -> None:
    stop = threading.Event()

    async def spinning() -> None:
        while not stop.is_set():
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.create_task(spinning(), name="spinning")

    with watching(interval_ns=_S // 4) as (_, kept, clock):
        thread = _run(main)
        clock.step_until(lambda: kept.told(semconv.TASK_SELF_WAKES), 60)
        stop.set()
        thread.join(30)
    assert {node.name for node in kept.told(semconv.TASK_SELF_WAKES)} == {"spinning"}


def test_a_long_step_is_told_when_it_is_over() -> None:
    entered, leave, end = threading.Event(), threading.Event(), threading.Event()

    async def main() -> None:
        entered.set()
        leave.wait(30)
        await asyncio.to_thread(end.wait, 30)

    with watching(interval_ns=_S // 10) as (_, kept, clock):
        thread = _run(main)
        assert entered.wait(30)
        clock.step(1)
        told = len(kept.told(semconv.TASK_STEP_LONGEST))
        leave.set()
        node, *_ = clock.step_until(lambda: kept.told(semconv.TASK_STEP_LONGEST)[told:], 60)
        end.set()
        thread.join(30)
    longest = int(node.attributes[semconv.TASK_STEP_LONGEST])
    assert 500_000_000 < longest <= 1_000_000_000


def test_attention_brings_a_look_at_once() -> None:
    with watching(interval_ns=60 * _S) as (watcher, kept, clock):
        clock.step(120)  # the first seconds, when looks come often, are over
        looks = len(kept.looks)
        clock.step(50)
        assert len(kept.looks) <= looks + 1
        looks = len(kept.looks)
        asked_ns = clock.time_ns()
        watcher.attention()
        eventually(lambda: len(kept.looks) > looks)
        clock.step(2)
    after = [at for at, _ in kept.looks[looks:]]
    assert after[0] == asked_ns
    assert after[2] - after[0] < 2 * _S


def test_a_paused_watcher_says_goodbye_and_goes_on_under_a_new_stream() -> None:
    with watching() as (watcher, kept, _):
        watcher.stop()
        looks = len(kept.looks)
        assert THREAD_NAME not in [thread.name for thread in threading.enumerate()]
        assert [snapshot.interval_ns for snapshot in kept.goodbyes] == [0]
        watcher.start()
        eventually(lambda: len(kept.looks) > looks)
    before, after = kept.looks[looks - 1][1].snapshot, kept.looks[looks][1].snapshot
    assert after.stream_id != before.stream_id
    assert (after.sequence, after.key_frame) == (1, True)
