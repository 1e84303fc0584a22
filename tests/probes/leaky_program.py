# SPDX-License-Identifier: Apache-2.0
"""A program with tasks that nobody can wake, named `leak-…`, and others that wait as long but will be woken, named
`live-…`. Prints what the leak proof says of them as JSON.

`python leaky_program.py asyncio|uvloop`
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import socket
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from peeps_otel.probes.heap import leaks as heap_leaks

LONG = 3600.0
kept: set[asyncio.Task[Any]] = set()
event = asyncio.Event()
jobs: asyncio.Queue[int] = asyncio.Queue()
by_id: weakref.WeakValueDictionary[int, asyncio.Future[None]] = weakref.WeakValueDictionary()
thread_futures: list[concurrent.futures.Future[None]] = []
proxies: list[Any] = []


class Holder:
    """Something of the program that takes attributes and weak references."""

    future: asyncio.Future[None]


def bare() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


# --- nobody can wake these ------------------------------------------------------------------------------------------


async def lost_future() -> None:
    await bare()


async def private_queue() -> None:
    await asyncio.Queue[int]().get()


async def private_event() -> None:
    await asyncio.Event().wait()


async def locked_twice() -> None:
    lock = asyncio.Lock()
    async with lock, lock:
        raise AssertionError


async def private_condition() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


async def no_permits() -> None:
    await asyncio.Semaphore(0).acquire()


async def awaits_task() -> None:
    await keep(lost_future(), "leak-awaited")


async def gathers() -> None:
    await asyncio.gather(keep(lost_future(), "leak-gathered-1"), keep(private_queue(), "leak-gathered-2"))


async def in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(lost_future(), name="leak-child")


async def shields() -> None:
    await asyncio.shield(keep(lost_future(), "leak-shielded"))


async def waits_for_all() -> None:
    await asyncio.wait([keep(lost_future(), "leak-waited")])


async def in_generator() -> None:
    async def produce() -> AsyncIterator[int]:
        await bare()
        yield 1

    async for _ in produce():
        raise AssertionError


async def in_context_manager() -> None:
    @contextlib.asynccontextmanager
    async def manager() -> AsyncGenerator[None, None]:
        yield

    async with manager():
        await bare()


async def full_queue() -> None:
    queue = asyncio.Queue[int](1)
    await queue.put(1)
    await queue.put(2)


def opposite_locks() -> None:
    """Two private locks taken in opposite order."""
    one, other = asyncio.Lock(), asyncio.Lock()

    async def take(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0.01)
            async with second:
                raise AssertionError

    keep(take(one, other), "leak-ab")
    keep(take(other, one), "leak-ba")


def mutual_events() -> None:
    one, other = asyncio.Event(), asyncio.Event()

    async def wait_then_set(mine: asyncio.Event, yours: asyncio.Event) -> None:
        await mine.wait()
        yours.set()

    keep(wait_then_set(one, other), "leak-mutual-1")
    keep(wait_then_set(other, one), "leak-mutual-2")


# --- these will be woken --------------------------------------------------------------------------------------------


async def sleeps() -> None:
    await asyncio.sleep(LONG)


async def global_event() -> None:
    await event.wait()


async def global_queue() -> None:
    await jobs.get()


async def reads_socket() -> None:
    left, right = socket.socketpair()
    left.setblocking(False)
    kept_sockets.append(right)
    with left:
        await asyncio.get_running_loop().sock_recv(left, 1)


kept_sockets: list[socket.socket] = []


async def in_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, finish.wait)


finish = threading.Event()


async def under_timeout() -> None:
    async with asyncio.timeout(LONG):
        await bare()


async def under_wait_for() -> None:
    await asyncio.wait_for(lost_future(), LONG)


async def group_under_timeout() -> None:
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group:
        group.create_task(lost_future(), name="live-child-under-timeout")
        await bare()


async def gather_under_timeout() -> None:
    async with asyncio.timeout(LONG):
        await asyncio.gather(keep(lost_future(), "live-gathered-under-timeout"))


async def cancelled_later() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(LONG, task.cancel, "enough")
    await bare()


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


async def cancelled_by_partial() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(LONG, functools.partial(_cancel, task))
    await bare()


async def set_by_timer() -> None:
    future = bare()
    asyncio.get_running_loop().call_later(LONG, future.set_result, None)
    await future


async def found_weakly() -> None:
    future = bare()
    by_id[1] = future
    await future


async def found_by_proxy() -> None:
    holder = Holder()
    holder.future = bare()
    proxies.append(weakref.proxy(holder))
    await holder.future


async def attribute_of_its_task() -> None:
    """Whoever has the task may set the event."""
    task: Any = asyncio.current_task()
    task.news = asyncio.Event()
    await task.news.wait()


async def from_a_thread() -> None:
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    thread_futures.append(future)
    await asyncio.wrap_future(future)


async def with_producer() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def produce() -> None:
        await asyncio.sleep(LONG)
        await queue.put(1)

    keep(produce(), "live-producer")
    await queue.get()


async def wakes_when_collected() -> None:
    """Only an object that nobody holds, in a ring with itself, could still wake it: when it is collected."""

    def of_garbage() -> asyncio.Future[None]:
        waker = Waker()
        waker.future, waker.itself = bare(), waker
        return waker.future

    await of_garbage()


class Waker:
    future: asyncio.Future[None]
    itself: Waker

    def __del__(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


async def behind_a_live_one() -> None:
    """Its lock is held by a task that a timeout ends."""
    lock = asyncio.Lock()

    async def hold() -> None:
        async with lock, asyncio.timeout(LONG):
            await bare()

    keep(hold(), "live-holder-under-timeout")
    await asyncio.sleep(0.01)
    async with lock:
        raise AssertionError


def keep(coroutine: Any, name: str) -> asyncio.Task[Any]:
    task = asyncio.create_task(coroutine, name=name)
    kept.add(task)
    return task


LEAKS: list[Callable[[], Any]] = [
    lost_future,
    private_queue,
    private_event,
    locked_twice,
    private_condition,
    no_permits,
    awaits_task,
    gathers,
    in_group,
    shields,
    waits_for_all,
    in_generator,
    in_context_manager,
    full_queue,
]
LIVE: list[Callable[[], Any]] = [
    sleeps,
    global_event,
    global_queue,
    reads_socket,
    in_executor,
    under_timeout,
    under_wait_for,
    group_under_timeout,
    gather_under_timeout,
    cancelled_later,
    cancelled_by_partial,
    set_by_timer,
    found_weakly,
    found_by_proxy,
    attribute_of_its_task,
    from_a_thread,
    with_producer,
    wakes_when_collected,
    behind_a_live_one,
]


class Worker(asyncio.Task[None]):
    """A kind of task with something of its own."""

    __slots__ = ("inbox",)


def of_another_type() -> None:
    async def read() -> None:
        worker: Any = asyncio.current_task()
        worker.inbox = asyncio.Queue[int]()
        await worker.inbox.get()

    kept.add(Worker(read(), loop=asyncio.get_running_loop(), name="live-worker"))
    kept.add(Worker(lost_future(), loop=asyncio.get_running_loop(), name="leak-worker"))


def under_anyio() -> None:
    try:
        import anyio
    except ImportError:
        return

    async def fail_after() -> None:
        with anyio.fail_after(LONG):
            await bare()

    async def scope_around_group() -> None:
        with anyio.move_on_after(LONG):
            async with anyio.create_task_group() as group:
                group.start_soon(lost_future, name="live-anyio-child")
                await bare()

    async def no_deadline() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lost_future, name="leak-anyio-child")
            await bare()

    keep(fail_after(), "live-anyio-fail-after")
    keep(scope_around_group(), "live-anyio-scope")
    keep(no_deadline(), "leak-anyio-group")


async def main() -> None:
    for kind, functions in (("leak", LEAKS), ("live", LIVE)):
        for function in functions:
            keep(function(), f"{kind}-{function.__name__}")
    opposite_locks()
    mutual_events()
    under_anyio()
    of_another_type()
    await asyncio.sleep(0.2)
    report = await asyncio.to_thread(heap_leaks.check)
    names = {id(task): task.get_name() for task in asyncio.all_tasks()}
    found = {names[one.task]: one.sure and not one.dying for one in report.lost}
    answer = {"all": sorted(names.values()), "found": found, "report": report._replace(lost=[])._asdict()}
    print(json.dumps(answer))
    finish.set()
    for one in kept_sockets:
        one.close()


if __name__ == "__main__":
    warnings.simplefilter("error")  # a fork in a program with threads must not be heard
    if sys.argv[1] == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    else:
        asyncio.run(main())
