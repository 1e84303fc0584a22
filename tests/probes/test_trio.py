# SPDX-License-Identifier: Apache-2.0
"""Trio's tasks: what they wait for, who has it, until when; and what is said of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Graph
from peeps_otel.probes.trio.probe import TrioProbe
from tests.probes.program import SECOND
from tests.probes.runtime_world import RuntimeWorld

trio: Any = pytest.importorskip("trio")
testing: Any = pytest.importorskip("trio.testing")


class Watched(RuntimeWorld):
    """A program that runs on Trio in a thread of its own."""

    def __init__(self) -> None:
        super().__init__(TrioProbe)


@contextmanager
def running(main: Callable[[Any], Awaitable[None]], *shields: Any) -> Generator[Watched]:
    """`main(nursery)` on Trio, and all that it starts, until the block ends. `shields`: scopes that the end of the
    others does not reach."""
    ready, stop = threading.Event(), list[Callable[[], None]]()

    async def run() -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            for scope in (nursery.cancel_scope, *shields):
                stop.append(lambda scope=scope: token.run_sync_soon(scope.cancel))
            await main(nursery)
            ready.set()
            await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,), name="runs-trio", daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield Watched()
    finally:
        for end in reversed(stop):
            end()
        thread.join(30)


async def _take(first: Any, second: Any) -> None:
    async with first:
        await trio.sleep(0.01)
        async with second:
            pass


async def _holder(thing: Any) -> None:
    async with thing:
        await trio.sleep_forever()


async def _waiter(wait: Callable[[], Awaitable[Any]]) -> None:
    await wait()


async def _wait_for(nursery: Any, wait: Callable[[], Awaitable[Any]]) -> None:
    """Starts one who holds, and then one who waits."""
    await testing.wait_all_tasks_blocked()
    nursery.start_soon(_waiter, wait, name="waiter")


def _lock() -> tuple[Any, Callable[[], Awaitable[Any]]]:
    lock = trio.Lock()
    return lock, lock.acquire


def _semaphore() -> tuple[Any, Callable[[], Awaitable[Any]]]:
    semaphore = trio.Semaphore(1, max_value=1)
    return semaphore, semaphore.acquire


def _limiter() -> tuple[Any, Callable[[], Awaitable[Any]]]:
    limiter = trio.CapacityLimiter(1)
    return limiter, limiter.acquire


@pytest.mark.parametrize(
    ("make", "operation", "kind", "providers"),
    [
        (_lock, "lock.acquire", "lock", "closed"),
        (_semaphore, "semaphore.acquire", "semaphore", "closed"),
        (_limiter, "limiter.acquire", "semaphore", "estimated"),
    ],
)
def test_who_has_what_somebody_waits_for(
    make: Callable[[], tuple[Any, Callable[[], Awaitable[Any]]]], operation: str, kind: str, providers: str
) -> None:
    async def main(nursery: Any) -> None:
        thing, acquire = make()
        nursery.start_soon(_holder, thing, name="holder")
        await _wait_for(nursery, acquire)

    with running(main) as watched:
        seen = watched.settled("holder", "waiter")
        assert seen.operation("waiter") == operation
        (thing,) = seen.needs("waiter")
        assert thing.partition(" ")[0] == kind
        assert (seen.holders(thing), seen.node(thing).providers) == (["task holder"], providers)


def test_the_task_that_started_a_thread_has_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    # How long a thread waits for more to do, by default ten seconds, for which the end of the test would wait.
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)
    tokens, leave = trio.CapacityLimiter(1), threading.Event()

    async def starts() -> None:
        await trio.to_thread.run_sync(leave.wait, limiter=tokens)

    async def main(nursery: Any) -> None:
        nursery.start_soon(starts, name="has")
        await trio.sleep(0.05)
        nursery.start_soon(starts, name="wants")

    with running(main) as watched:
        try:
            seen = watched.settled("has", "wants")
            assert seen.operation("wants") == "limiter.acquire"
            (thing,) = seen.needs("wants")
            assert seen.holders(thing) == ["task has"]
        finally:
            leave.set()


async def _event() -> None:
    await trio.Event().wait()


async def _condition() -> None:
    condition = trio.Condition()
    async with condition:
        await condition.wait()


async def _send() -> None:
    sender, receiver = trio.open_memory_channel[int](0)
    async with sender, receiver:
        await sender.send(1)


async def _receive() -> None:
    sender, receiver = trio.open_memory_channel[int](math.inf)
    async with sender, receiver:
        await receiver.receive()


async def _parked() -> None:
    await trio.lowlevel.ParkingLot().park()


async def _accept() -> None:
    with trio.socket.socket() as socket:
        await socket.bind(("127.0.0.1", 0))
        socket.listen()
        await socket.accept()


async def _nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="child")


async def _begins(*, task_status: Any) -> None:
    assert task_status is not None
    await trio.sleep_forever()


async def _start() -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(_begins, name="child")


@pytest.mark.parametrize(
    ("wait", "operation", "needs"),
    [
        (_event, "event.wait", ["event"]),
        (_condition, "condition.wait", ["condition condition"]),
        (_send, "channel.send", ["tx sender"]),
        (_receive, "channel.receive", ["rx receiver"]),
        (_parked, "trio.wait", []),
        (trio.sleep_forever, "sleep", []),
        (_accept, "socket", []),
        (_nursery, "taskgroup", ["task child"]),
        (_start, "taskgroup.start", ["task child"]),
    ],
)
def test_what_a_task_waits_for(wait: Callable[[], Awaitable[None]], operation: str, needs: list[str]) -> None:
    async def main(nursery: Any) -> None:
        await _wait_for(nursery, wait)

    with running(main) as watched:
        seen = watched.settled("waiter")
        assert seen.operation("waiter") == operation
        assert [need.strip() for need in seen.needs("waiter")] == needs


def test_a_scope_round_the_wait_is_its_deadline() -> None:
    inner: Any = trio.CancelScope(shield=True)

    async def limited(scope: Any) -> None:
        with trio.fail_after(50), scope:
            await trio.Event().wait()

    async def main(nursery: Any) -> None:
        nursery.start_soon(limited, trio.CancelScope(), name="limited")
        nursery.start_soon(limited, inner, name="shielded")

    with running(main, inner) as watched:
        seen = watched.settled("limited", "shielded")
        limited_wait, shielded_wait = seen.task("limited").wait, seen.task("shielded").wait
        assert limited_wait is not None
        assert shielded_wait is not None
        assert limited_wait.deadline_ns is not None
        assert 0 < limited_wait.deadline_ns - time.time_ns() < 50 * SECOND
        assert shielded_wait.deadline_ns is None


def _found(watched: Watched) -> list[tuple[str, str]]:
    diagnoser, found = Diagnoser(), list[Finding]()
    for _ in range(4):
        seen = watched.look()
        found = diagnoser.look(Graph(seen.nodes, seen.edges), time.time_ns())
        time.sleep(0.1)
    return [(str(one.kind), str(one.level)) for one in found]


def test_two_locks_are_proven() -> None:
    async def main(nursery: Any) -> None:
        one, two = trio.Lock(), trio.Lock()
        nursery.start_soon(_take, one, two, name="left")
        nursery.start_soon(_take, two, one, name="right")

    with running(main) as watched:
        watched.settled("left", "right")
        assert _found(watched) == [("deadlock", "PROVEN")]


def test_a_deadline_in_the_ring_is_no_deadlock() -> None:
    async def limited(first: Any, second: Any) -> None:
        with trio.move_on_after(60):
            await _take(first, second)

    async def main(nursery: Any) -> None:
        one, two = trio.Lock(), trio.Lock()
        nursery.start_soon(_take, one, two, name="left")
        nursery.start_soon(limited, two, one, name="right")

    with running(main) as watched:
        watched.settled("left", "right")
        assert [level for _, level in _found(watched) if level == "PROVEN"] == []


def test_ended_tasks_and_runs_are_gone() -> None:
    async def main(nursery: Any) -> None:
        await _wait_for(nursery, trio.Event().wait)

    with running(main) as watched:
        assert watched.settled("waiter").operation("waiter") == "event.wait"
    assert [node.name for node in watched.look().nodes.values() if node.kind == "task"] == []
