# SPDX-License-Identifier: Apache-2.0
"""Snapshots, the clock, the ledger, and the thread that uses them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from peeps_otel.model import Finding, FindingKind, Level, Node, NodeKind, Snapshot
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.assembly import Assembler
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage
from peeps_otel.watcher.open_findings import OpenFindings
from peeps_otel.watcher.thread import THREAD_NAME, Watcher

_S = 1_000_000_000


def _node(name: str) -> Node:
    return Node(f"task:{name}", NodeKind.TASK, name, 1, "app.py:1")


def _ids(snapshot: Snapshot) -> list[str]:
    return [node.id for node in snapshot.nodes]


def test_the_first_snapshot_is_complete_and_the_next_has_only_what_changed() -> None:
    assembler = Assembler(30 * _S)
    one, other = _node("one"), _node("other")
    first = assembler.assemble(Observation({one.id: one, other.id: other}), _S)
    changed = _node("one")
    second = assembler.assemble(Observation({changed.id: changed, other.id: other}), 2 * _S)
    third = assembler.assemble(Observation({changed.id: changed}), 3 * _S)
    assert (first.key_frame, first.sequence, _ids(first)) == (True, 1, ["task:one", "task:other"])
    assert (second.key_frame, second.sequence, _ids(second)) == (False, 2, ["task:one"])
    assert (third.sequence, _ids(third), third.gone) == (3, [], ["task:other"])


def test_a_key_frame_comes_when_it_is_due_and_when_it_is_asked_for() -> None:
    assembler = Assembler(30 * _S)
    observation = Observation({"task:one": _node("one")})
    frames = [assembler.assemble(observation, at * _S).key_frame for at in (0, 29, 30, 31)]
    assembler.request_key_frame()
    frames += [assembler.assemble(observation, at * _S).key_frame for at in (32, 33)]
    assert frames == [True, False, True, False, True, False]


def test_a_new_stream_starts_counting_again() -> None:
    assembler = Assembler(30 * _S)
    first = assembler.assemble(Observation(), 1)
    assembler.restart()
    second = assembler.assemble(Observation(), 2)
    assert (second.sequence, second.key_frame) == (1, True)
    assert second.stream_id != first.stream_id
    assert assembler.goodbye(3).interval_ns == 0


def test_the_ledger_tells_what_opened_changed_and_was_resolved() -> None:
    def finding(name: str, level: Level = Level.LIKELY, blocked: int = 0) -> Finding:
        tasks = [f"task:{n}" for n in range(blocked)]
        return Finding(f"deadlock:{name}", FindingKind.DEADLOCK, level, name, 1, [], blocked=tasks)

    ledger = OpenFindings()
    told = [
        tuple([f.title for f in part] for part in ledger.update(findings))
        for findings in (
            [finding("a")],
            [finding("a"), finding("b")],
            [finding("a", Level.PROVEN), finding("b", blocked=1)],
            [finding("b", blocked=1)],
        )
    ]
    assert told == [(["a"], []), (["b"], []), (["a", "b"], []), ([], ["a"])]


class _Recording:
    """A sink that keeps what it is given."""

    def __init__(self, until: Callable[[CycleResult], bool]) -> None:
        self.snapshots: list[Snapshot] = []
        self.opened: list[Finding] = []
        self.done = threading.Event()
        self._until = until

    def take(self, look: CycleResult) -> None:
        self.snapshots.append(look.snapshot)
        self.opened += look.opened
        if self._until(look):
            self.done.set()

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)


def _watcher(sink: _Recording) -> Watcher:
    recorder, context = Recorder(10_000_000), ProbeContext()
    return Watcher(
        CompositeProbe([AsyncioProbe(recorder, context=context)], context),
        recorder,
        sink,
        interval_ns=_S // 20,
        key_frame_ns=30 * _S,
    )


async def _deadlock() -> None:
    one, other = asyncio.Lock(), asyncio.Lock()

    async def take(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    await asyncio.wait([asyncio.create_task(take(one, other)), asyncio.create_task(take(other, one))], timeout=60)


def test_the_thread_finds_a_deadlock_by_itself_and_says_goodbye() -> None:
    sink = _Recording(lambda look: bool(look.opened))
    watcher = _watcher(sink)
    loop = asyncio.new_event_loop()
    program = threading.Thread(target=lambda: loop.run_until_complete(_deadlock_until_cancelled()))

    async def _deadlock_until_cancelled() -> None:
        task = asyncio.create_task(_deadlock())
        while not sink.done.is_set():
            await asyncio.sleep(0.01)
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
        await asyncio.wait([task])

    watcher.start()
    program.start()
    assert sink.done.wait(30)
    program.join(30)
    watcher.stop()
    watcher.stop()
    loop.close()
    assert (sink.opened[0].kind, sink.opened[0].level) == (FindingKind.DEADLOCK, Level.PROVEN)
    last = sink.snapshots[-1]
    assert (last.key_frame, last.interval_ns, last.nodes) == (True, 0, [])
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_a_sink_that_raises_does_not_end_the_thread() -> None:
    looks: list[int] = []

    def fail(_: CycleResult) -> bool:
        looks.append(1)
        if len(looks) < 3:
            raise RuntimeError("on purpose")
        return True

    sink = _Recording(fail)
    watcher = _watcher(sink)
    watcher.start()
    assert sink.done.wait(30)
    watcher.stop()
