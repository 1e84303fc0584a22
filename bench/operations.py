# SPDX-License-Identifier: Apache-2.0
"""The operations whose cost is compared: what they do, and how much more they may cost with us."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

Run = Callable[[int], Coroutine[Any, Any, None]]
Job = Callable[[int], Coroutine[Any, Any, None]]


class Operation(NamedTuple):
    """`run(n)` does the operation n times, n being a multiple of 100. `target`: the most that the ratio with to without
    us may be, on asyncio's own loop and CPython 3.12. `known`: the least ratio among the tools that track it, when they
    were studied. `recorded`: so many are written down in detail before the allowance of a new process is spent;
    0: the operation is not measured within it."""

    title: str
    run: Run
    target: float | None = None
    known: str = ""
    recorded: int = 0
    sustained: bool = False
    """Whether the mean over a second counts, and not the least time of a short run: the allowance comes in bursts."""


async def job(steps: int) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)


async def _tasks(count: int, steps: int) -> None:
    for _ in range(count // 100):
        for task in [asyncio.create_task(job(steps)) for _ in range(100)]:
            await task


async def task_1(count: int) -> None:
    await _tasks(count, 1)


async def task_10(count: int) -> None:
    await _tasks(count, 10)


async def gather(count: int) -> None:
    for _ in range(count // 100):
        await asyncio.gather(*[job(1) for _ in range(100)])


async def task_group(count: int) -> None:
    for _ in range(count // 100):
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(job(1))


async def lock(count: int) -> None:
    one = asyncio.Lock()
    for _ in range(count):
        async with one:
            pass


async def lock_bare(count: int) -> None:
    one = asyncio.Lock()
    for _ in range(count):
        await one.acquire()
        one.release()


async def semaphore(count: int) -> None:
    one = asyncio.Semaphore(10)
    for _ in range(count):
        async with one:
            pass


async def semaphore_bare(count: int) -> None:
    one = asyncio.Semaphore(10)
    for _ in range(count):
        await one.acquire()
        one.release()


async def _contender(one: asyncio.Lock | asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        async with one:
            await asyncio.sleep(0)


async def lock_contended(count: int) -> None:
    one = asyncio.Lock()
    await asyncio.gather(*[_contender(one, count // 10) for _ in range(10)])


async def semaphore_contended(count: int) -> None:
    one = asyncio.Semaphore(5)
    await asyncio.gather(*[_contender(one, count // 20) for _ in range(20)])


async def _put(channel: asyncio.Queue[int], count: int) -> None:
    for number in range(count):
        await channel.put(number)


async def _get(channel: asyncio.Queue[int], count: int) -> None:
    for _ in range(count):
        await channel.get()


async def channel(count: int) -> None:
    one: asyncio.Queue[int] = asyncio.Queue(10)
    await asyncio.gather(_put(one, count), _get(one, count))


async def new_lock(count: int) -> None:
    for _ in range(count):
        asyncio.Lock()


async def new_event(count: int) -> None:
    for _ in range(count):
        asyncio.Event()


async def thread_lock(count: int) -> None:
    one = threading.Lock()
    for _ in range(count):
        with one:
            pass


async def thread_queue(count: int) -> None:
    one: queue.Queue[int] = queue.Queue(100)

    def put() -> None:
        for number in range(count):
            one.put(number)

    thread = threading.Thread(target=put)
    thread.start()
    for _ in range(count):
        one.get()
    thread.join()


async def thread_start(count: int) -> None:
    for _ in range(count):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()


OPERATIONS: dict[str, Operation] = {
    "task_10": Operation("create and await a task of ten steps", task_10),
    "gather": Operation("`gather`, per child of 100", gather),
    "task_group": Operation("`TaskGroup`, per child of 100", task_group),
    "lock": Operation("`async with` a free `asyncio.Lock`", lock, 1.05, "2.84"),
    "semaphore": Operation("`async with` a free `asyncio.Semaphore`", semaphore, 1.05, "2.9"),
    "lock_bare": Operation("`acquire()`, `release()` of a free `asyncio.Lock`", lock_bare, 1.05, "2.84", recorded=1600),
    "semaphore_bare": Operation("`acquire()`, `release()` of a free `asyncio.Semaphore`", semaphore_bare, 1.05, "2.9"),
    "lock_contended": Operation("`asyncio.Lock` of ten tasks", lock_contended, 1.03, "1.27", recorded=800),
    "semaphore_contended": Operation("`asyncio.Semaphore` of 20 tasks", semaphore_contended),
    "channel": Operation("`asyncio.Queue(10)`: put and get", channel, 1.03, "nobody"),
    "new_lock": Operation("`asyncio.Lock()`", new_lock, recorded=8000),
    "new_event": Operation("`asyncio.Event()`", new_event),
    "task_1": Operation("create and await a task of one step", task_1, 1.05, "1.27", recorded=8000, sustained=True),
}
"""Run one after another on an event loop. `task_1` is the last, when the eager first seconds of watching are over."""

THREADS: dict[str, Operation] = {
    "thread_lock": Operation("`threading.Lock`", thread_lock, 1.02, "5.3"),
    "thread_queue": Operation("`queue.Queue`: put and get", thread_queue, 1.02, "5.5"),
    "thread_start": Operation("start and join a `threading.Thread`", thread_start),
}
"""They await nothing, so they run without a loop."""

RECORDED = ".recorded"
"""Ends the name of the figure of an operation within the allowance."""
