# SPDX-License-Identifier: Apache-2.0
"""AnyIO on asyncio: its primitives, its task groups, its cancel scopes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import anyio.from_thread  # pyright: ignore[reportUnusedImport]  so that the probes know it
import anyio.to_thread
import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, Finding, Graph
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from tests.probes.program import SECOND, Seen, here, kept, running, started
from tests.support.waiting import forever

"""What a case must keep until it ends, and functions to call then."""


async def lock() -> None:
    lock = anyio.Lock()

    async def holder() -> None:
        async with lock:
            await forever()

    async def waiter() -> None:
        async with lock:  # <lock>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def lock_acquired() -> None:
    lock = anyio.Lock()

    async def holder() -> None:
        await lock.acquire()
        await forever()

    async def waiter() -> None:
        await lock.acquire()  # <lock_acquired>

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


_before_the_loop = anyio.Lock()


async def lock_of_before() -> None:
    async def holder() -> None:
        async with _before_the_loop:
            await forever()

    async def waiter() -> None:
        async with _before_the_loop:  # <lock_of_before>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def semaphore() -> None:
    permits = anyio.Semaphore(1, max_value=1)

    async def holder() -> None:
        async with permits:
            await forever()

    async def waiter() -> None:
        async with permits:  # <semaphore>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def limiter() -> None:
    slots = anyio.CapacityLimiter(1)

    async def holder() -> None:
        await slots.acquire()
        await forever()

    async def waiter() -> None:
        async with slots:  # <limiter>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def condition_lock() -> None:
    changed = anyio.Condition()

    async def holder() -> None:
        async with changed:
            await forever()

    async def waiter() -> None:
        async with changed:  # <condition_lock>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def condition() -> None:
    changed = anyio.Condition()

    async def waiter() -> None:
        async with changed:
            await changed.wait()  # <condition>

    started(waiter())


async def event() -> None:
    ready = anyio.Event()

    async def waiter() -> None:
        await ready.wait()  # <event>

    started(waiter())


async def receive() -> None:
    send, receive = anyio.create_memory_object_stream[int](1)
    kept.extend([send, receive])

    async def waiter() -> None:
        await receive.clone().receive()  # <receive>

    started(waiter())


async def receive_each() -> None:
    send, receive = anyio.create_memory_object_stream[int](1)
    kept.extend([send, receive])

    async def waiter() -> None:
        async for _ in receive:  # <receive_each>
            pass

    started(waiter())


async def send() -> None:
    send, receive = anyio.create_memory_object_stream[int](1)
    kept.extend([send, receive])
    send.send_nowait(1)

    async def waiter() -> None:
        await send.send(2)  # <send>

    started(waiter())


async def group() -> None:
    async def waiter() -> None:
        async with anyio.create_task_group() as group:  # <group>
            group.start_soon(forever, name="one")
            group.start_soon(forever, name="two")

    started(waiter())


async def group_start() -> None:
    async def never_started(*, task_status: Any) -> None:  # noqa: ARG001  AnyIO passes it by name
        await forever()

    async def waiter() -> None:
        async with anyio.create_task_group() as group:
            await group.start(never_started, name="one")  # <group_start>

    started(waiter())


async def in_thread() -> None:
    go_on = threading.Event()
    kept.append(go_on.set)

    async def waiter() -> None:
        await anyio.to_thread.run_sync(go_on.wait)  # <in_thread>

    started(waiter())


async def sleep() -> None:
    async def waiter() -> None:
        await anyio.sleep(60)  # <sleep>

    started(waiter())


async def fail_after() -> None:
    ready = anyio.Event()

    async def waiter() -> None:
        with anyio.fail_after(60):
            await ready.wait()  # <fail_after>

    started(waiter())


async def move_on_after_in_parent() -> None:
    """The deadline of a scope holds for the tasks of a group within it."""
    ready = anyio.Event()

    async def child() -> None:
        await ready.wait()  # <move_on_after_in_parent>

    async def parent() -> None:
        with anyio.move_on_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(child, name="waiter")

    started(parent(), "parent")


async def shielded() -> None:
    """Within a shield the deadline outside ends nothing."""
    ready = anyio.Event()

    async def waiter() -> None:
        with anyio.move_on_after(60), anyio.CancelScope(shield=True):
            await ready.wait()  # <shielded>

    started(waiter())


async def socket_read() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    kept.append(listener)

    async def waiter() -> None:
        async with await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]) as stream:
            await stream.receive()  # <socket_read>

    started(waiter())


class Expected(NamedTuple):
    operation: str
    needs: list[str]
    how_many: int = 1
    deadline: bool = False
    holders: tuple[str, ...] = ()
    providers: str = "open"


_BOTH = ["task one", "task two"]
_HELD = ("task holder",)
_CASES: list[tuple[Callable[[], Awaitable[None]], Expected]] = [
    (lock, Expected("lock.acquire", ["lock lock"], holders=_HELD, providers="closed")),
    (lock_acquired, Expected("lock.acquire", ["lock lock"], holders=_HELD, providers="closed")),
    (lock_of_before, Expected("lock.acquire", ["lock _before_the_loop"], holders=_HELD, providers="closed")),
    (semaphore, Expected("semaphore.acquire", ["semaphore permits"], holders=_HELD, providers="closed")),
    (limiter, Expected("limiter.acquire", ["semaphore slots"], holders=_HELD, providers="estimated")),
    (condition_lock, Expected("lock.acquire", ["lock changed"], holders=_HELD, providers="closed")),
    (condition, Expected("condition.wait", ["condition changed"])),
    (event, Expected("event.wait", ["event ready"])),
    (receive, Expected("channel.receive", ["rx "])),
    (receive_each, Expected("channel.receive", ["rx receive"])),
    (send, Expected("channel.send", ["tx send"])),
    (group, Expected("taskgroup", _BOTH, 2)),
    (group_start, Expected("taskgroup.start", ["task one"])),
    (in_thread, Expected("executor", ["future"])),
    (sleep, Expected("sleep", [], deadline=True)),
    (fail_after, Expected("event.wait", ["event ready"], deadline=True)),
    (move_on_after_in_parent, Expected("event.wait", ["event ready"], deadline=True)),
    (shielded, Expected("event.wait", ["event ready"])),
    (socket_read, Expected("stream.read", ["io"])),
]


@pytest.mark.parametrize(("case", "expected"), _CASES, ids=[case.__name__ for case, _ in _CASES])
def test_a_primitive(
    probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]], expected: Expected
) -> None:
    before = time.time_ns()
    with running(probe, case, loop_kind) as program:
        seen = program.until(lambda seen: seen.operation("waiter") == expected.operation)
        seen = program.settled("waiter")
        for function in (one for one in kept if type(one).__name__ == "method"):
            program.call(function)
    wait = seen.task("waiter").wait
    assert wait is not None
    assert seen.observation.coverage == []
    needs = seen.needs("waiter")
    assert (wait.operation, needs, wait.needs) == (expected.operation, expected.needs, expected.how_many)
    assert wait.source == here(case.__name__)
    assert (wait.deadline_ns is not None) == expected.deadline
    if wait.deadline_ns is not None:
        assert before + 59 * SECOND < wait.deadline_ns < time.time_ns() + 61 * SECOND
    if expected.holders:
        (label,) = needs
        assert tuple(seen.holders(label)) == expected.holders
        assert seen.node(label).providers == expected.providers


def test_both_ends_of_a_channel(probe: AsyncioProbe, loop_kind: str) -> None:
    with running(probe, send, loop_kind) as program:
        program.settled("waiter")
        seen = program.look()
        (edge,) = seen.edges_of(EdgeKind.CHANNEL_LINK, "tx send")
    tx, rx = seen.nodes[edge.src], seen.nodes[edge.dst]
    assert tx.attributes["peeps.channel.waiters"] == 1
    assert rx.attributes["peeps.channel.waiters"] == 0
    assert {tx.attributes["peeps.channel.length"], tx.attributes["peeps.channel.capacity"]} == {1}
    assert tx.attributes["peeps.channel.type"] == "anyio.MemoryObjectStream"


def test_the_owner_of_a_lock_is_exact_and_since_when_is_not_later_than_seen(probe: AsyncioProbe) -> None:
    with running(probe, lock_acquired) as program:
        program.settled("waiter", "holder")
        first = program.look()
        again = program.look()
    (one,), (two,) = first.edges_of(EdgeKind.HELD_BY, "lock lock"), again.edges_of(EdgeKind.HELD_BY, "lock lock")
    assert one is two
    assert one.confidence == "exact"
    assert one.source is None


def test_a_cancelled_scope_tells_who_asked(probe: AsyncioProbe, loop_kind: str) -> None:
    let_go: list[asyncio.Event] = []

    async def main() -> None:
        let_go.append(asyncio.Event())
        scope = anyio.CancelScope()

        async def stubborn() -> None:
            with scope:
                scope.cancel()
                while not let_go[0].is_set():
                    try:
                        await let_go[0].wait()
                    except asyncio.CancelledError:
                        with anyio.CancelScope(shield=True):
                            await let_go[0].wait()

        kept.append(asyncio.create_task(stubborn(), name="waiter"))

    with running(probe, main, loop_kind) as program:
        seen = program.settled("waiter")
        program.call(let_go[0].set)
    attributes = seen.task("waiter").attributes
    assert int(attributes["peeps.task.cancel_requests"]) >= 1
    assert attributes["peeps.task.cancelled_by"] == "cancel scope"


@pytest.mark.parametrize(("scope", "expected"), [("none", ["PROVEN"]), ("deadline", []), ("shield", ["PROVEN"])])
def test_a_deadlock(probe: AsyncioProbe, loop_kind: str, scope: str, expected: list[str]) -> None:
    """A deadline ends it, unless a shield keeps it out."""
    one, two = anyio.Lock(), anyio.Lock()

    async def take(first: anyio.Lock, second: anyio.Lock) -> None:
        with anyio.move_on_after(60 if scope != "none" else None), anyio.CancelScope(shield=scope == "shield"):
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

    async def main() -> None:
        started(take(one, two), "a")
        started(take(two, one), "b")

    diagnoser, findings = Diagnoser(), list[Finding]()
    with running(probe, main, loop_kind) as program:
        program.settled("a", "b")
        for _ in range(4):
            seen = program.look()
            findings = diagnoser.look(Graph(seen.nodes, seen.edges), time.time_ns())
            time.sleep(0.1)
    assert [finding.level.name for finding in findings] == expected


def test_the_thread_that_works_for_a_task(loop_kind: str) -> None:
    """The future of `to_thread.run_sync` leads to AnyIO's worker, that of `asyncio.to_thread` to the pool's."""
    go_on = threading.Event()
    context = ProbeContext()
    probe = AsyncioProbe(Recorder(10_000_000), context=context)
    both = CompositeProbe([probe, ThreadProbe(context)], context)

    async def by_anyio() -> None:
        await anyio.to_thread.run_sync(go_on.wait)

    async def by_asyncio() -> None:
        await asyncio.to_thread(go_on.wait)

    async def main() -> None:
        started(by_anyio(), "by anyio")
        started(by_asyncio(), "by asyncio")

    both.install()
    try:
        with running(probe, main, loop_kind) as program:
            program.settled("by anyio", "by asyncio")
            seen = Seen(both.look(time.time_ns()))
            go_on.set()
    finally:
        both.uninstall()
    threads: dict[str, str] = {}
    for name in ("by anyio", "by asyncio"):
        (needs,) = seen.edges_of(EdgeKind.NEEDS, f"task {name}")
        (held,) = [edge for edge in seen.edges if edge.kind is EdgeKind.HELD_BY and edge.src == needs.dst]
        threads[name] = seen.nodes[held.dst].name
        assert seen.nodes[needs.dst].kind == "future"
        assert seen.nodes[needs.dst].providers == "closed"
    assert threads["by anyio"] == "AnyIO worker thread"
    assert threads["by asyncio"].endswith("_0")
