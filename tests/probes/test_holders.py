# SPDX-License-Identifier: Apache-2.0
"""Who holds what, since when, taken where, and who else could give it back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, Graph, Providers
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import Program, Seen, here, kept, running
from tests.support.waiting import forever


async def with_block(lock: asyncio.Lock) -> None:
    async with lock:  # <with_block>
        await forever()


async def nested_call(lock: asyncio.Lock) -> None:
    async def deeper() -> None:
        async with lock:  # <nested_call>
            await forever()

    await deeper()


async def exit_stack(lock: asyncio.Lock) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        await forever()  # <exit_stack>


@asynccontextmanager
async def _locked(lock: asyncio.Lock) -> AsyncGenerator[None, None]:
    async with lock:  # <generator_manager>
        yield


async def generator_manager(lock: asyncio.Lock) -> None:
    async with _locked(lock):
        await forever()


async def generator_manager_in_exit_stack(lock: asyncio.Lock) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_locked(lock))
        await forever()


async def two_items(lock: asyncio.Lock) -> None:
    other = asyncio.Lock()
    async with (
        other,
        lock,  # <two_items>
    ):
        await forever()


async def bare(lock: asyncio.Lock) -> None:
    await lock.acquire()  # <bare>
    try:
        await forever()
    finally:
        lock.release()


async def bare_and_returned(lock: asyncio.Lock) -> None:
    async def take() -> None:
        await lock.acquire()  # <bare_and_returned>

    await take()
    await forever()


Holder = Callable[[asyncio.Lock], Coroutine[Any, Any, None]]
_BY_BLOCK: list[Holder] = [with_block, nested_call, exit_stack, generator_manager, two_items]
_HOLDERS: list[tuple[Holder, Providers]] = [
    *((holder, Providers.CLOSED) for holder in _BY_BLOCK),
    (bare, Providers.ESTIMATED),
    (bare_and_returned, Providers.ESTIMATED),
]


async def _wait_for(lock: asyncio.Lock) -> None:
    async with lock:
        pass


def _held_by(holder: Holder) -> Callable[[], Coroutine[Any, Any, None]]:
    async def main() -> None:
        lock = asyncio.Lock()
        kept.append(asyncio.create_task(holder(lock), name="holder"))
        for _ in range(3):
            await asyncio.sleep(0)
        kept.append(asyncio.create_task(_wait_for(lock), name="waiter"))

    return main


@pytest.mark.parametrize(("holder", "providers"), _HOLDERS, ids=[holder.__name__ for holder, _ in _HOLDERS])
def test_a_holder(probe: AsyncioProbe, loop_kind: str, holder: Holder, providers: Providers) -> None:
    before = time.time_ns()
    with running(probe, _held_by(holder), loop_kind) as program:
        seen = program.settled("holder", "waiter")
    assert seen.holders("lock lock") == ["task holder"]
    (edge,) = seen.edges_of(EdgeKind.HELD_BY, "lock lock")
    assert edge.source == here(holder.__name__)
    assert edge.since_ns is not None
    assert before <= edge.since_ns <= time.time_ns()
    assert seen.node("lock lock").providers is providers
    assert seen.needs("waiter") == ["lock lock"]


def test_a_manager_within_an_exit_stack(probe: AsyncioProbe) -> None:
    with running(probe, _held_by(generator_manager_in_exit_stack)) as program:
        seen = program.settled("holder", "waiter")
    # Not looked for that deep: the holder is unknown, so nothing is concluded.
    assert seen.holders("lock lock") in ([], ["task holder"])
    assert seen.node("lock lock").providers is not Providers.ESTIMATED


@pytest.mark.parametrize("holder", _BY_BLOCK, ids=[holder.__name__ for holder in _BY_BLOCK])
def test_a_hold_older_than_the_probe(holder: Holder) -> None:
    probe = AsyncioProbe(Recorder(10_000_000))
    with running(probe, _held_by(holder)) as program:
        probe.install()
        try:
            seen = program.settled("holder", "waiter")
        finally:
            probe.uninstall()
    # Its creation was not seen, so its name is read where it is used: in an exit stack it has none, but the waiter's.
    assert seen.holders("lock lock") == ["task holder"]
    assert seen.node("lock lock").providers is Providers.CLOSED
    assert seen.node("lock lock").confidence == "inferred"


def test_a_bare_hold_older_than_the_probe_is_nobody_s() -> None:
    probe = AsyncioProbe(Recorder(10_000_000))
    with running(probe, _held_by(bare)) as program:
        probe.install()
        try:
            seen = program.settled("holder", "waiter")
        finally:
            probe.uninstall()
    assert seen.holders("lock lock") == []
    assert seen.node("lock lock").providers is Providers.OPEN


def test_a_wait_on_a_condition_holds_nothing(probe: AsyncioProbe, loop_kind: str) -> None:
    async def waiting(changed: asyncio.Condition) -> None:
        async with changed:
            await changed.wait()

    async def main() -> None:
        changed = asyncio.Condition()
        kept.append(asyncio.create_task(waiting(changed), name="waiting"))

    with running(probe, main, loop_kind) as program:
        seen = program.settled("waiting")
    assert seen.operation("waiting") == "condition.wait"
    assert [edge for edge in seen.edges if edge.kind is EdgeKind.HELD_BY] == []


def test_inside_the_block_of_a_condition_its_lock_is_held_once(probe: AsyncioProbe) -> None:
    async def holder(changed: asyncio.Condition) -> None:
        async with changed:
            await forever()

    async def waiter(changed: asyncio.Condition) -> None:
        async with changed:
            pass

    async def main() -> None:
        changed = asyncio.Condition()
        kept.append(asyncio.create_task(holder(changed), name="holder"))
        kept.append(asyncio.create_task(waiter(changed), name="waiter"))

    with running(probe, main) as program:
        seen = program.settled("holder", "waiter")
    assert seen.holders("lock changed") == ["task holder"]
    assert seen.node("lock changed").providers is Providers.CLOSED


def test_a_woken_waiter_of_a_condition_waits_for_its_lock(probe: AsyncioProbe) -> None:
    async def waiting(changed: asyncio.Condition) -> None:
        async with changed:
            await changed.wait()

    async def notifier(changed: asyncio.Condition) -> None:
        async with changed:
            changed.notify_all()
            await forever()

    async def main() -> None:
        changed = asyncio.Condition()
        kept.append(asyncio.create_task(waiting(changed), name="waiting"))
        kept.append(asyncio.create_task(notifier(changed), name="notifier"))

    with running(probe, main) as program:
        program.until(lambda seen: seen.operation("waiting") == "lock.acquire")
        seen = program.settled("waiting", "notifier")
    assert seen.needs("waiting") == ["lock changed"]
    assert seen.holders("lock changed") == ["task notifier"]


def test_bare_permits_come_and_go(probe: AsyncioProbe) -> None:
    permits: list[asyncio.Semaphore] = []

    async def holder() -> None:
        await permits[0].acquire()  # <permit>
        await forever()

    async def waiter() -> None:
        async with permits[0]:
            await forever()

    async def main() -> None:
        permits.append(asyncio.Semaphore(2))
        kept.extend(asyncio.create_task(holder(), name=f"holder {n}") for n in range(2))
        kept.append(asyncio.create_task(waiter(), name="waiter"))

    with running(probe, main) as program:
        seen = program.settled("holder 0", "holder 1", "waiter")
        label = next(seen.label(node.id) for node in seen.nodes.values() if node.kind == "semaphore")
        assert sorted(seen.holders(label)) == ["task holder 0", "task holder 1"]
        assert {edge.source for edge in seen.edges_of(EdgeKind.HELD_BY, label)} == {here("permit")}
        assert seen.node(label).providers is Providers.ESTIMATED
        program.call(permits[0].release)  # by nobody who holds one: the oldest goes
        seen = program.until(lambda s: s.operation("waiter") == "future")
        assert sorted(seen.holders(label)) == ["task holder 1", "task waiter"]


def test_a_released_lock_is_held_by_nobody(probe: AsyncioProbe) -> None:
    locks: list[asyncio.Lock] = []

    async def taker() -> None:
        await locks[0].acquire()
        locks[0].release()
        async with locks[0]:
            pass
        await forever()

    async def waiter() -> None:
        async with locks[0]:
            await forever()

    async def main() -> None:
        lock = asyncio.Lock()
        locks.append(lock)
        kept.append(asyncio.create_task(taker(), name="taker"))
        kept.append(asyncio.create_task(waiter(), name="waiter"))

    with running(probe, main) as program:
        program.until(lambda seen: seen.operation("taker") == "future")
        seen = program.settled("taker", "waiter")
    assert seen.holders("lock lock") == ["task waiter"]


def _verdict(program: Program, *names: str) -> list[tuple[str, str, str]]:
    diagnoser = Diagnoser()
    program.settled(*names)
    now = time.time_ns()
    for ahead in (1, 2):
        seen: Seen = program.look()
        graph = Graph(seen.nodes, seen.edges)
        findings = diagnoser.look(graph, now + ahead * 1_000_000_000)
    return [(finding.kind.value, finding.level.value, finding.title) for finding in findings]


@pytest.mark.parametrize("bare_acquire", [False, True])
def test_from_the_program_to_the_verdict(probe: AsyncioProbe, loop_kind: str, bare_acquire: bool) -> None:
    async def take(first: asyncio.Lock, second: asyncio.Lock) -> None:
        if bare_acquire:
            await first.acquire()
            await asyncio.sleep(0)
            await second.acquire()
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    async def main() -> None:
        db = asyncio.Lock()
        cache = asyncio.Lock()
        kept.append(asyncio.create_task(take(db, cache), name="a"))
        kept.append(asyncio.create_task(take(cache, db), name="b"))

    with running(probe, main, loop_kind) as program:
        ((kind, level, title),) = _verdict(program, "a", "b")
    assert (kind, level) == ("deadlock", "SUSPECT" if bare_acquire else "PROVEN")
    assert title in (
        "a waits for Lock cache, held by b, which waits for Lock db, held by a",
        "b waits for Lock db, held by a, which waits for Lock cache, held by b",
    )


def test_a_ring_with_a_timeout_is_told_as_one_that_breaks(probe: AsyncioProbe, loop_kind: str) -> None:
    async def take(first: asyncio.Lock, second: asyncio.Lock, limit: float | None) -> None:
        async with first:
            await asyncio.sleep(0)
            async with asyncio.timeout(limit), second:
                pass

    async def main() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        kept.append(asyncio.create_task(take(one, two, None), name="a"))
        kept.append(asyncio.create_task(take(two, one, 60), name="b"))

    with running(probe, main, loop_kind) as program:
        title = "a waits for Lock two, held by b, which waits for Lock one, held by a; the ring breaks when b gives up"
        assert _verdict(program, "a", "b") == [("times_out", "SLOW", title)]


def test_a_child_not_met_yet_is_no_proof(probe: AsyncioProbe) -> None:
    """Where one of the awaited is not known, the others say nothing."""

    async def child(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def parent() -> None:
        lock = asyncio.Lock()
        async with lock:
            tasks = [asyncio.create_task(child(lock), name="stuck"), asyncio.create_task(forever(), name="live")]
            kept.extend(tasks)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def main() -> None:
        kept.append(asyncio.create_task(parent(), name="parent"))

    with running(probe, main) as program:
        ((kind, level, title),) = _verdict(program, "parent", "stuck", "live")
        assert (kind, level) == ("held_across_wait", "SLOW")
        assert title.startswith("stuck waits for Lock lock, held by parent, which waits for the end of live")


async def iterates(lock: asyncio.Lock) -> None:
    async for _ in _numbers(lock):
        await forever()


async def _numbers(lock: asyncio.Lock) -> AsyncIterator[int]:
    async with lock:  # <iterates>
        yield 1


async def iterates_deeper(lock: asyncio.Lock) -> None:
    async def passed_on() -> AsyncIterator[int]:
        async for number in _numbers(lock):
            yield number

    async for _ in passed_on():
        await forever()


@pytest.mark.parametrize("holds", [iterates, iterates_deeper])
def test_a_lock_held_by_a_generator_that_a_task_iterates(probe: AsyncioProbe, holds: Callable[..., Any]) -> None:
    """Somebody else might close the generator, so nothing rests on it alone."""

    async def main() -> None:
        db = asyncio.Lock()
        kept.append(asyncio.create_task(holds(db), name="holder"))
        kept.append(asyncio.create_task(with_block(db), name="waiter"))

    with running(probe, main) as program:
        seen = program.settled("holder", "waiter")
    (edge,) = seen.edges_of(EdgeKind.HELD_BY, "lock db")
    assert seen.label(edge.dst) == "task holder"
    assert (edge.confidence, edge.source) == ("inferred", here("iterates"))
    assert seen.node("lock db").providers is Providers.ESTIMATED


def test_two_locks_of_one_name_are_told_apart(probe: AsyncioProbe) -> None:
    async def main() -> None:
        for number in range(2):
            db = asyncio.Lock()
            await db.acquire()
            kept.append(asyncio.create_task(with_block(db), name=f"waiter {number}"))
            kept.append(db)

    with running(probe, main) as program:
        seen = program.settled("waiter 0", "waiter 1")
    assert sorted([*seen.needs("waiter 0"), *seen.needs("waiter 1")]) == ["lock db", "lock db #2"]
