# SPDX-License-Identifier: Apache-2.0
"""Every primitive of asyncio: what its waiter is seen to do, for whom, since when, and on which line."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from peeps_otel.model import EdgeKind, Frame
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import SECOND, here, kept, running, started
from tests.support.waiting import forever

"""What a case must keep until it ends, and functions to call then."""


def _child(name: str) -> asyncio.Task[Any]:
    return started(forever(), name)


async def lock_with() -> None:
    lock = asyncio.Lock()
    await lock.acquire()

    async def waiter() -> None:
        async with lock:  # <lock_with>
            pass

    started(waiter())


async def lock_acquire() -> None:
    lock = asyncio.Lock()
    await lock.acquire()

    async def waiter() -> None:
        await lock.acquire()  # <lock_acquire>

    started(waiter())


async def semaphore_with() -> None:
    permits = asyncio.Semaphore(1)
    await permits.acquire()

    async def waiter() -> None:
        async with permits:  # <semaphore_with>
            pass

    started(waiter())


async def bounded_semaphore() -> None:
    permits = asyncio.BoundedSemaphore(1)
    await permits.acquire()

    async def waiter() -> None:
        await permits.acquire()  # <bounded_semaphore>

    started(waiter())


async def event() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        await ready.wait()  # <event>

    started(waiter())


async def condition() -> None:
    changed = asyncio.Condition()

    async def waiter() -> None:
        async with changed:
            await changed.wait()  # <condition>

    started(waiter())


async def condition_wait_for() -> None:
    changed = asyncio.Condition()

    async def waiter() -> None:
        async with changed:
            await changed.wait_for(lambda: False)  # <condition_wait_for>

    started(waiter())


async def condition_lock() -> None:
    changed = asyncio.Condition()
    await changed.acquire()

    async def waiter() -> None:
        async with changed:  # <condition_lock>
            pass

    started(waiter())


async def barrier() -> None:
    meeting = asyncio.Barrier(2)

    async def waiter() -> None:
        await meeting.wait()  # <barrier>

    started(waiter())


async def queue_get() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()

    async def waiter() -> None:
        await jobs.get()  # <queue_get>

    started(waiter())


async def queue_put() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(1)
    jobs.put_nowait(1)

    async def waiter() -> None:
        await jobs.put(2)  # <queue_put>

    started(waiter())


async def queue_join() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    jobs.put_nowait(1)

    async def waiter() -> None:
        await jobs.join()  # <queue_join>

    started(waiter())


async def lifo_queue() -> None:
    jobs: asyncio.LifoQueue[int] = asyncio.LifoQueue()

    async def waiter() -> None:
        await jobs.get()  # <lifo_queue>

    started(waiter())


async def priority_queue() -> None:
    jobs: asyncio.PriorityQueue[int] = asyncio.PriorityQueue(1)
    jobs.put_nowait(1)

    async def waiter() -> None:
        await jobs.put(0)  # <priority_queue>

    started(waiter())


async def sleep() -> None:
    async def waiter() -> None:
        await asyncio.sleep(60)  # <sleep>

    started(waiter())


async def await_task() -> None:
    child = _child("one")

    async def waiter() -> None:
        await child  # <await_task>

    started(waiter())


async def gather() -> None:
    one, two = _child("one"), _child("two")

    async def waiter() -> None:
        await asyncio.gather(one, two)  # <gather>

    started(waiter())


async def task_group() -> None:
    async def waiter() -> None:
        async with asyncio.TaskGroup() as group:  # <task_group>
            group.create_task(forever(), name="one")
            group.create_task(forever(), name="two")

    started(waiter())


async def wait_first() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        await asyncio.wait(children, return_when=asyncio.FIRST_COMPLETED)  # <wait_first>

    started(waiter())


async def wait_first_exception() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        await asyncio.wait(children, return_when=asyncio.FIRST_EXCEPTION)  # <wait_first_exception>

    started(waiter())


async def wait_all() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        await asyncio.wait(children)  # <wait_all>

    started(waiter())


async def wait_all_timeout() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        await asyncio.wait(children, timeout=60)  # <wait_all_timeout>

    started(waiter())


async def shield() -> None:
    child = _child("one")

    async def waiter() -> None:
        await asyncio.shield(child)  # <shield>

    started(waiter())


async def wait_for() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        await asyncio.wait_for(ready.wait(), 60)  # <wait_for>

    started(waiter())


async def wait_for_anonymous() -> None:
    async def waiter() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), 60)  # <wait_for_anonymous>

    started(waiter())


async def wait_for_task() -> None:
    child = _child("one")

    async def waiter() -> None:
        await asyncio.wait_for(child, 60)  # <wait_for_task>

    started(waiter())


async def timeout() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        async with asyncio.timeout(60):
            await ready.wait()  # <timeout>

    started(waiter())


async def timeout_none() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        async with asyncio.timeout(None):
            await ready.wait()  # <timeout_none>

    started(waiter())


async def future() -> None:
    async def waiter() -> None:
        await asyncio.get_running_loop().create_future()  # <future>

    started(waiter())


async def executor() -> None:
    go_on = threading.Event()
    kept.append(go_on.set)

    async def waiter() -> None:
        await asyncio.to_thread(go_on.wait)  # <executor>

    started(waiter())


async def stream_read() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    kept.extend([theirs, writer, writer.close, theirs.close])

    async def waiter() -> None:
        await reader.readline()  # <stream_read>

    started(waiter())


async def async_generator() -> None:
    ready = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        await ready.wait()  # <async_generator>
        yield 1

    async def waiter() -> None:
        async for _ in numbers():
            pass

    started(waiter())


async def future_with_callback() -> None:
    """What a callback of the program knows says nothing about who resolves the future."""
    child = _child("one")

    async def waiter() -> None:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: child.cancel())
        await future  # <future_with_callback>

    started(waiter())


async def future_later() -> None:
    async def waiter() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(60, future.set_result, None)
        await future  # <future_later>

    started(waiter())


async def shield_future() -> None:
    async def waiter() -> None:
        await asyncio.shield(asyncio.get_running_loop().create_future())  # <shield_future>

    started(waiter())


async def gather_nested() -> None:
    one, two = _child("one"), _child("two")

    async def waiter() -> None:
        other = asyncio.get_running_loop().create_future()
        await asyncio.gather(one, asyncio.gather(asyncio.shield(two), other))  # <gather_nested>

    started(waiter())


async def wait_future() -> None:
    child = _child("one")

    async def waiter() -> None:
        await asyncio.wait([child, asyncio.get_running_loop().create_future()])  # <wait_future>

    started(waiter())


async def as_completed_for() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        for first in asyncio.as_completed(children):
            await first  # <as_completed_for>

    started(waiter())


async def as_completed_timeout() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        for first in asyncio.as_completed(children, timeout=60):
            await first  # <as_completed_timeout>

    started(waiter())


async def as_completed_taken_out() -> None:
    children = [_child("one"), _child("two")]

    async def waiter() -> None:
        for first in list(asyncio.as_completed(children)):
            await first  # <as_completed_taken_out>

    started(waiter())


async def wait_for_future() -> None:
    async def waiter() -> None:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), 60)  # <wait_for_future>

    started(waiter())


_may_end: list[bool] = []


async def wait_for_cancelling() -> None:
    """The timeout is over, but what was waited for does not end when it is cancelled."""
    _may_end.clear()

    async def stubborn() -> None:
        while True:
            try:
                await forever()
            except asyncio.CancelledError:
                if _may_end:
                    raise

    child = started(stubborn(), "one")

    async def waiter() -> None:
        await asyncio.wait_for(child, 0.01)  # <wait_for_cancelling>

    started(waiter())
    await asyncio.sleep(0.1)
    _may_end.append(True)


async def executor_wrapped() -> None:
    go_on = threading.Event()
    pool = ThreadPoolExecutor(1)
    kept.extend([go_on.set, pool.shutdown])

    async def waiter() -> None:
        await asyncio.wrap_future(pool.submit(go_on.wait))  # <executor_wrapped>

    started(waiter())


async def stream_drain() -> None:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    kept.extend([theirs, writer, writer.transport.abort, theirs.close])
    writer.write(b"x" * 10_000_000)

    async def waiter() -> None:
        await writer.drain()  # <stream_drain>

    started(waiter())


async def socket_recv() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    kept.extend([ours, theirs])

    async def waiter() -> None:
        await asyncio.get_running_loop().sock_recv(ours, 1)  # <socket_recv>

    started(waiter())


async def socket_accept() -> None:
    listener = socket.socket()
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    kept.append(listener)

    async def waiter() -> None:
        await asyncio.get_running_loop().sock_accept(listener)  # <socket_accept>

    started(waiter())


async def process_wait() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    kept.append(process.kill)

    async def waiter() -> None:
        await process.wait()  # <process_wait>

    started(waiter())


async def process_communicate() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60", stdout=asyncio.subprocess.PIPE)
    kept.append(process.kill)

    async def waiter() -> None:
        await process.communicate()  # <process_communicate>

    started(waiter())


async def next_of_generator() -> None:
    ready = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        await ready.wait()  # <next_of_generator>
        yield 1

    async def waiter() -> None:
        await anext(numbers(), None)

    started(waiter())


class Expected(NamedTuple):
    operation: str
    needs: list[str]
    how_many: int = 1
    cancels: bool = False
    deadline: bool = False
    exact: bool = False


_OLD_WAIT_FOR = sys.version_info < (3, 12)
_BOTH = ["task one", "task two"]
_CASES: list[tuple[Callable[[], Awaitable[None]], Expected]] = [
    (lock_with, Expected("lock.acquire", ["lock lock"], exact=True)),
    (lock_acquire, Expected("lock.acquire", ["lock lock"], exact=True)),
    (semaphore_with, Expected("semaphore.acquire", ["semaphore permits"], exact=True)),
    (bounded_semaphore, Expected("semaphore.acquire", ["semaphore permits"], exact=True)),
    (event, Expected("event.wait", ["event ready"], exact=True)),
    (condition, Expected("condition.wait", ["condition changed"], exact=True)),
    (condition_wait_for, Expected("condition.wait", ["condition changed"], exact=True)),
    (condition_lock, Expected("lock.acquire", ["lock changed"], exact=True)),
    (barrier, Expected("barrier.wait", ["barrier meeting"], exact=True)),
    (queue_get, Expected("queue.get", ["rx jobs"], exact=True)),
    (queue_put, Expected("queue.put", ["tx jobs"], exact=True)),
    (queue_join, Expected("queue.join", ["rx jobs"], exact=True)),
    (lifo_queue, Expected("queue.get", ["rx jobs"], exact=True)),
    (priority_queue, Expected("queue.put", ["tx jobs"], exact=True)),
    (sleep, Expected("sleep", [], deadline=True)),
    (await_task, Expected("task", ["task one"], cancels=True)),
    (gather, Expected("gather", _BOTH, 2, cancels=True)),
    (task_group, Expected("taskgroup", _BOTH, 2, cancels=True)),
    (wait_first, Expected("wait", _BOTH)),
    (wait_first_exception, Expected("wait", _BOTH)),
    (wait_all, Expected("wait", _BOTH, 2)),
    (wait_all_timeout, Expected("wait", _BOTH, 2, deadline=True)),
    (shield, Expected("shield", ["task one"])),
    (timeout, Expected("event.wait", ["event ready"], deadline=True, exact=True)),
    (timeout_none, Expected("event.wait", ["event ready"], exact=True)),
    (future, Expected("future", ["future"])),
    (future_with_callback, Expected("future", ["future"])),
    (shield_future, Expected("shield", ["future"])),
    (gather_nested, Expected("gather", ["future", *_BOTH], 3, cancels=True)),
    (wait_future, Expected("wait", ["future", "task one"], 2)),
    (as_completed_for, Expected("as_completed", _BOTH, exact=True)),
    (as_completed_timeout, Expected("as_completed", _BOTH, deadline=True, exact=True)),
    (as_completed_taken_out, Expected("as_completed", [] if sys.version_info < (3, 13) else _BOTH, exact=True)),
    (executor, Expected("executor", ["future"])),
    (executor_wrapped, Expected("executor", ["future"])),
    (stream_read, Expected("stream.read", ["io"])),
    (stream_drain, Expected("stream.drain", ["io"])),
    (next_of_generator, Expected("event.wait", ["event ready"], exact=True)),
    (async_generator, Expected("event.wait", ["event ready"], exact=True)),
    (wait_for_future, Expected("wait_for", ["future"], cancels=True, deadline=True)),
    (wait_for_task, Expected("wait_for", ["task one"], cancels=True, deadline=True)),
]


@pytest.mark.parametrize(("case", "expected"), _CASES, ids=[case.__name__ for case, _ in _CASES])
def test_a_primitive(
    probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]], expected: Expected
) -> None:
    before = time.time_ns()
    with running(probe, case, loop_kind) as program:
        seen = program.until(lambda seen: seen.operation("waiter") == expected.operation)
        seen = program.settled("waiter")
        after = time.time_ns()
        for function in (one for one in kept if isinstance(one, type(print)) or type(one).__name__ == "method"):
            program.call(function)
    node = seen.task("waiter")
    wait = node.wait
    assert wait is not None
    edges = [edge for edge in seen.edges if edge.src == node.id and edge.kind == "needs"]
    found = Expected(
        wait.operation,
        seen.needs("waiter"),
        wait.needs,
        any(edge.cancels for edge in edges),
        wait.deadline_ns is not None,
        wait.exact,
    )
    assert found == expected
    assert all(edge.cancels == expected.cancels for edge in edges)
    assert wait.source == here(case.__name__)
    assert node.state == "waiting"
    assert before <= wait.since_ns <= after
    assert before <= node.created_at <= after
    if wait.deadline_ns is not None:
        assert before + 59 * SECOND < wait.deadline_ns < after + 61 * SECOND


@pytest.mark.parametrize(
    ("case", "operation"),
    [(socket_recv, "socket.recv"), (socket_accept, "socket.accept")],
    ids=["recv", "accept"],
)
def test_a_socket_by_itself(
    probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]], operation: str
) -> None:
    operation = "socket" if loop_kind == "uvloop" else operation
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        connection = next(thing for thing in kept if isinstance(thing, socket.socket))
        assert seen.operation("waiter") == operation
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        assert (node.kind, node.attributes["peeps.io.fd"]) == ("io", connection.fileno())
        if case is socket_accept:
            assert node.name == f"at 127.0.0.1:{connection.getsockname()[1]}"


@pytest.mark.parametrize("case", [process_wait, process_communicate])
def test_a_child_process(probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]]) -> None:
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        expected = "subprocess.wait" if case is process_wait else "subprocess.communicate"
        assert seen.operation("waiter") == expected
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        kill: Any = next(thing for thing in kept if getattr(thing, "__name__", "") == "kill")
        assert (node.kind, node.name) == ("command", f"pid {kill.__self__.pid}")
        assert node.attributes["peeps.command.pid"] == kill.__self__.pid
        assert node.providers == "open"
        wait = seen.task("waiter").wait
        assert wait is not None
        assert wait.source == here(case.__name__)
        program.call(kill)
        # Otherwise its transport outlives the loop, and complains in some later test.
        asyncio.run_coroutine_threadsafe(kill.__self__.wait(), program.loop).result(60)


def test_a_connection_shows_its_peer(probe: AsyncioProbe, loop_kind: str) -> None:
    ports: list[int] = []

    async def main() -> None:
        server = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        kept.extend([server, writer])

        async def waiter() -> None:
            await reader.readline()

        started(waiter())

    with running(probe, main, loop_kind) as program:
        seen = program.settled("waiter")
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        program.call(lambda: [thing.close() for thing in kept if hasattr(thing, "close")])
    assert node.name == f"127.0.0.1:{ports[0]}"
    assert node.attributes["network.peer.address"] == "127.0.0.1"
    assert node.attributes["network.peer.port"] == ports[0]
    assert isinstance(node.attributes["peeps.io.fd"], int)


def test_a_timer_of_the_program_is_a_deadline(probe: AsyncioProbe) -> None:
    before = time.time_ns()
    with running(probe, future_later) as program:
        wait = program.settled("waiter").task("waiter").wait
    assert wait is not None
    assert wait.operation == "future"
    assert wait.deadline_ns is not None
    assert before + 59 * SECOND < wait.deadline_ns < time.time_ns() + 61 * SECOND


@pytest.mark.skipif(not _OLD_WAIT_FOR, reason="since 3.12 wait_for waits in the task itself")
def test_wait_for_after_its_time(probe: AsyncioProbe) -> None:
    with running(probe, wait_for_cancelling) as program:
        seen = program.settled("waiter")
        wait = seen.task("waiter").wait
    assert wait is not None
    assert (wait.operation, seen.needs("waiter"), wait.deadline_ns) == ("wait_for.cancel", ["task one"], None)
    assert seen.task("one").attributes["peeps.task.cancel_requests"] == 1


@pytest.mark.parametrize("anonymous", [False, True])
def test_wait_for(probe: AsyncioProbe, loop_kind: str, anonymous: bool) -> None:
    """Until 3.11 it runs what it waits for in a task of its own, since 3.12 in the waiter's."""
    case = wait_for_anonymous if anonymous else wait_for
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        wait = seen.task("waiter").wait
        assert wait is not None
        assert wait.deadline_ns is not None
        if _OLD_WAIT_FOR:
            (inner,) = seen.needs("waiter")
            assert wait.operation == "wait_for"
            waiter = program.settled(inner.removeprefix("task ")).task(inner.removeprefix("task "))
            assert waiter.name.startswith("Event.wait (Task-")
            if loop_kind == "asyncio":  # uvloop's `create_task` is C, and `ensure_future` calls it directly
                assert waiter.source == here(case.__name__)
                assert waiter.attributes["peeps.task.parent"] == seen.task("waiter").id
        else:
            assert wait.operation == "event.wait"
            assert seen.needs("waiter") == (["event "] if anonymous else ["event ready"])
        assert wait.source == here(case.__name__)


def test_the_stack_is_the_chain_of_awaits(probe: AsyncioProbe, loop_kind: str) -> None:
    with running(probe, async_generator, loop_kind) as program:
        stack = program.settled("waiter").task("waiter").stack
    file, _, line = here("async_generator").rpartition(":")
    assert stack[:2] == (
        Frame("async_generator.<locals>.waiter", file, int(line) + 4, ""),
        Frame("async_generator.<locals>.numbers", file, int(line), ""),
    )
    assert stack[2]._replace(line=None) == Frame("Event.wait", asyncio.locks.__file__, None, "Python")
    assert len(stack) == 3


def test_a_running_task_waits_for_nothing(probe: AsyncioProbe, loop_kind: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    async def blocking() -> None:
        entered.set()
        leave.wait(30)

    async def main() -> None:
        started(blocking(), "blocking")
        started(forever(), "never begun")

    with running(probe, main, loop_kind) as program:
        assert entered.wait(30)
        seen = program.look()
        leave.set()
    assert (seen.task("blocking").state, seen.task("blocking").wait) == ("running", None)
    assert (seen.task("never begun").state, seen.task("never begun").wait) == ("runnable", None)


def test_a_woken_task_is_runnable_before_the_loop_comes_to_it(probe: AsyncioProbe, loop_kind: str) -> None:
    entered, leave = threading.Event(), threading.Event()
    result: list[asyncio.Future[None]] = []

    async def waiting() -> None:
        result.append(asyncio.get_running_loop().create_future())
        await result[0]

    def give_and_block() -> None:
        result[0].set_result(None)
        entered.set()
        leave.wait(30)

    async def main() -> None:
        started(waiting())

    with running(probe, main, loop_kind) as program:
        assert program.settled("waiter").task("waiter").state == "waiting"
        program.loop.call_soon_threadsafe(give_and_block)
        assert entered.wait(30)
        node = program.look().task("waiter")
        leave.set()
    assert (node.state, node.wait) == ("runnable", None)


def test_steps_move_with_progress_and_not_without(probe: AsyncioProbe, loop_kind: str) -> None:
    go_on: list[asyncio.Event] = []

    async def stepping() -> None:
        while True:
            go_on[0].clear()
            await go_on[0].wait()

    async def main() -> None:
        go_on.append(asyncio.Event())
        started(stepping())
        started(forever(), "idle")

    with running(probe, main, loop_kind) as program:
        first = program.settled("waiter", "idle")
        for _ in range(3):
            again = program.look()
            # The same objects: the snapshot tells changes by identity.
            assert again.task("waiter") is first.task("waiter")
            assert again.task("idle") is first.task("idle")
        steps = [first.task("waiter").steps or 0]
        for _ in range(3):
            program.call(go_on[0].set)
            steps.append(program.settled("waiter").task("waiter").steps or 0)
        assert 0 not in steps
        assert steps == sorted(set(steps))
        assert program.look().task("idle") is first.task("idle")


def test_a_wait_that_is_not_recorded_is_bounded_by_looks(probe: AsyncioProbe) -> None:
    with running(probe, future) as program:
        first = program.settled("waiter").task("waiter").wait
        second = program.look().task("waiter").wait
    assert first is not None
    assert second is not None
    assert (first.exact, first.since_ns) == (False, second.since_ns)
