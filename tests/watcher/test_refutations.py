# SPDX-License-Identifier: Apache-2.0
"""A finding whose member goes on by itself is withdrawn, and what is like it is said less surely from then on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peeps_otel.diagnosis.refuted_sites import RefutedSites
from peeps_otel.model import EvidenceStep, Finding, FindingKind, Level, Node, NodeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.watcher.refutations import Refutations, Refuted
from tests.support.waiting import eventually


class Waiting:
    """An event loop in a thread, with two tasks that wait for a future each; the engine says that they never end."""

    def __init__(self) -> None:
        context = ProbeContext()
        self.asyncio = AsyncioProbe(Recorder(1 << 62), context=context)
        self.probes = CompositeProbe([self.asyncio, ThreadProbe(context)], context)
        self.refutations = Refutations(self.asyncio)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self.loop).result(10)
        self.observation = self.look()
        self.said = self.finding("one", "other")
        assert self.judge([self.said]) == ([self.said], [])

    async def _begin(self) -> None:
        self.futures = [self.loop.create_future(), self.loop.create_future(), self.loop.create_future()]

        async def wait(future: asyncio.Future[None], again: asyncio.Future[None]) -> None:
            try:
                await future
            except asyncio.CancelledError:
                await again
                raise
            await again

        self.one = asyncio.create_task(wait(self.futures[0], self.futures[2]), name="one")
        self.other = asyncio.create_task(wait(self.futures[1], self.futures[2]), name="other")

    def look(self) -> Observation:
        return self.probes.look(time.time_ns())

    def judge(self, findings: list[Finding]) -> tuple[list[Finding], list[Refuted]]:
        self.observation = self.look()
        return self.refutations.judge(findings, self.observation, time.time_ns())

    def node(self, name: str) -> str:
        (found,) = (n.id for n in self.observation.nodes.values() if n.name == name)
        return found

    def finding(self, *names: str, level: Level = Level.PROVEN, place: str = "app.py:7") -> Finding:
        members = [self.node(name) for name in names]
        steps = [EvidenceStep(member, "future:1", None, 1, "waits", wait_source=place) for member in members]
        return Finding(
            f"deadlock:{'-'.join(names)}",
            FindingKind.DEADLOCK,
            level,
            "stuck",
            1,
            members,
            evidence=steps,
            look_at=place,
        )

    def on_loop(self, function: Callable[[], object]) -> None:
        """Runs a function on the loop, and lets the loop settle."""
        done = threading.Event()

        def run() -> None:
            function()
            self.loop.call_soon(lambda: self.loop.call_soon(lambda: self.loop.call_soon(done.set)))

        self.loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def end(self) -> None:
        self.on_loop(lambda: [task.cancel() for task in (self.one, self.other)])
        self.on_loop(lambda: [future.cancel() for future in self.futures])
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    one = Waiting()
    yield one
    one.end()


def test_nobody_moves(waiting: Waiting) -> None:
    assert [waiting.judge([waiting.said]) for _ in range(3)] == [([waiting.said], [])] * 3


def test_one_who_goes_on_refutes(waiting: Waiting) -> None:
    waiting.on_loop(lambda: waiting.futures[1].set_result(None))
    assert waiting.judge([waiting.said]) == ([], [Refuted(waiting.said, waiting.node("other"))])
    assert waiting.judge([]) == ([], [])


def test_one_who_ends_refutes(waiting: Waiting) -> None:
    waiting.on_loop(lambda: [future.set_result(None) for future in waiting.futures[1:]])
    member = waiting.node("other")
    assert waiting.other.done()
    assert waiting.judge([]) == ([], [Refuted(waiting.said, member)])


def test_a_cancellation_breaks_a_wait_and_refutes_nobody(waiting: Waiting) -> None:
    waiting.on_loop(lambda: waiting.one.cancel())
    waiting.on_loop(lambda: waiting.futures[1].set_result(None))  # set free by it, for all that can be known
    assert waiting.judge([]) == ([], [])


def test_a_task_that_has_ended_by_cancellation_was_broken(waiting: Waiting) -> None:
    waiting.on_loop(lambda: waiting.one.cancel())
    waiting.on_loop(lambda: waiting.futures[2].cancel())
    assert waiting.one.cancelled()
    assert waiting.judge([]) == ([], [])


def test_a_finding_that_is_not_said_any_more_is_watched_no_longer(waiting: Waiting) -> None:
    assert waiting.judge([]) == ([], [])
    waiting.on_loop(lambda: waiting.futures[0].set_result(None))
    assert waiting.judge([]) == ([], [])


@pytest.mark.parametrize("level", [Level.SUSPECT, Level.SLOW])
def test_who_only_says_that_it_takes_long_is_not_refuted(waiting: Waiting, level: Level) -> None:
    long = waiting.finding("one", level=level)
    waiting.judge([long])
    waiting.on_loop(lambda: waiting.futures[0].set_result(None))
    assert waiting.judge([]) == ([], [])


def test_the_next_one_at_the_line_is_said_a_level_lower_and_once_more(waiting: Waiting) -> None:
    waiting.on_loop(lambda: waiting.futures[0].set_result(None))
    waiting.judge([])
    like_it, elsewhere = waiting.finding("other"), waiting.finding("one", place="app.py:9")
    (lowered, same), refuted = waiting.judge([like_it, elsewhere])
    assert (lowered.level, lowered.advice) == (
        Level.LIKELY,
        "Said less surely: at this line such a wait was seen to end after all.",
    )
    assert same is elsewhere
    assert refuted == []
    waiting.on_loop(lambda: waiting.futures[1].set_result(None))
    _, refuted = waiting.judge([])
    assert [(one.finding.level, one.finding.id) for one in refuted] == [(Level.LIKELY, like_it.id)]
    (lowest,), _ = waiting.judge([waiting.finding("one", "other")])
    assert lowest.level is Level.SUSPECT


def test_no_task_is_kept_alive(waiting: Waiting) -> None:
    claims = waiting.refutations._claims  # pyright: ignore[reportPrivateUsage]  what could keep them
    members = [m for claim in claims.values() for m in claim.members]
    assert [m.task is not None and m.future is not None for m in members] == [True, True]
    waiting.on_loop(lambda: [future.set_result(None) for future in waiting.futures])
    del waiting.other
    waiting.on_loop(lambda: None)
    assert [m.task() for m in members if m.task is not None] == [waiting.one, None]
    waiting.other = waiting.one
    assert waiting.judge([]) == ([], [])  # one of them has gone without telling how


def test_a_thread_that_goes_on_refutes() -> None:
    lock = threading.Lock()
    lock.acquire()
    context = ProbeContext()
    probe = CompositeProbe([ThreadProbe(context)], context)
    refutations = Refutations(None)
    done = threading.Event()

    def wait() -> None:
        with lock:
            pass
        done.wait()

    thread = threading.Thread(target=wait, name="patient", daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while True:
        observation = probe.look(time.time_ns())
        (node,) = (n for n in observation.nodes.values() if n.kind is NodeKind.THREAD and n.name == "patient")
        if node.wait is not None:
            break
        assert time.monotonic() < deadline
    said = Finding("deadlock:1", FindingKind.DEADLOCK, Level.PROVEN, "stuck", 1, [node.id], look_at="app.py:1")
    for _ in range(2):
        assert refutations.judge([said], probe.look(time.time_ns()), time.time_ns()) == ([said], [])
    lock.release()
    while refutations.judge([said], probe.look(time.time_ns()), time.time_ns())[1] != [Refuted(said, node.id)]:
        assert time.monotonic() < deadline
    done.set()
    thread.join(10)


@pytest.mark.parametrize("level", [Level.PROVEN, Level.LIKELY])
def test_a_time_limit_that_was_told_refutes_only_who_was_proven_to_wait_for_ever(level: Level) -> None:
    probe = CompositeProbe([ThreadProbe(context := ProbeContext())], context)
    refutations = Refutations(None)
    go, end = threading.Event(), threading.Event()

    def wait() -> None:
        go.wait(20)
        end.wait(20)

    thread = threading.Thread(target=wait, name="patient", daemon=True)
    thread.start()

    def seen() -> Node | None:
        found = (node for node in probe.look(time.time_ns()).nodes.values() if node.name == "patient")
        return next((node for node in found if node.wait is not None and node.wait.deadline_ns is not None), None)

    while (node := seen()) is None:
        time.sleep(0.001)
    said = Finding("pool:1", FindingKind.POOL_EXHAUSTED, level, "stuck", 1, [node.id])
    assert refutations.judge([said], probe.look(time.time_ns()), time.time_ns()) == ([said], [])
    assert node.wait is not None
    assert node.wait.deadline_ns is not None
    go.set()  # as at the end of the limit: it goes on
    while (now := seen()) is None or now.stack == node.stack:
        time.sleep(0.001)
    _, told = refutations.judge([said], probe.look(time.time_ns()), node.wait.deadline_ns)
    assert told == ([Refuted(said, node.id)] if level is Level.PROVEN else [])
    end.set()
    thread.join(10)


def test_the_memory_of_sites_is_bounded() -> None:
    sites = RefutedSites()

    def at(line: int) -> Finding:
        return Finding(f"f{line}", FindingKind.LEAK, Level.PROVEN, "stuck", 1, [], look_at=f"app.py:{line}")

    for line in range(300):
        sites.add(at(line), "task:1")
    assert [sites.lowered(at(line)).level for line in (43, 44, 299)] == [Level.PROVEN, Level.LIKELY, Level.LIKELY]


def test_the_next_try_for_a_lock_refutes_nothing_and_having_it_does(waiting: Waiting, tmp_path: Path) -> None:
    filelock = pytest.importorskip("filelock")
    lock, free = filelock.AsyncFileLock(str(tmp_path / "a.lock")), asyncio.Event()

    async def has() -> None:
        async with lock:
            await free.wait()

    async def wants() -> None:
        async with filelock.AsyncFileLock(lock.lock_file):
            await asyncio.Event().wait()

    async def begin() -> list[asyncio.Task[None]]:
        first = asyncio.create_task(has(), name="has")
        await asyncio.sleep(0.2)
        return [first, asyncio.create_task(wants(), name="wants")]

    tasks = asyncio.run_coroutine_threadsafe(begin(), waiting.loop).result(10)

    def polls() -> Node | None:
        waiting.observation = waiting.look()
        found = (node for node in waiting.observation.nodes.values() if node.name == "wants")
        return next((node for node in found if node.wait is not None and node.wait.operation == "lock.poll"), None)

    eventually(polls)
    said = waiting.finding("wants")
    assert waiting.judge([said]) == ([said], [])
    for _ in range(20):  # some tries
        time.sleep(0.02)
        assert waiting.judge([said]) == ([said], [])
    waiting.loop.call_soon_threadsafe(free.set)
    refuted = eventually(lambda: waiting.judge([said])[1])
    assert [one.finding for one in refuted] == [said]
    for task in tasks:
        waiting.loop.call_soon_threadsafe(task.cancel)
    eventually(lambda: all(task.done() for task in tasks))
