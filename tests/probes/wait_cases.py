# SPDX-License-Identifier: Apache-2.0
"""Small programs with one task called `waiter`, each in a wait of its own; the line is marked with its name."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.probes.program import here, kept, started
from tests.support.waiting import forever


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


OLD_WAIT_FOR = sys.version_info < (3, 12)
_BOTH = ["task one", "task two"]
CASES: list[tuple[Callable[[], Awaitable[None]], Expected]] = [
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


def place(case: Callable[[], Awaitable[None]]) -> str:
    """`path:line` at which the waiter of a case waits."""
    return here(case.__name__)
