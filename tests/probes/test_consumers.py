# SPDX-License-Identifier: Apache-2.0
"""Who stands at the beginning of a turn of its loop, where the next thing to do is taken from a queue."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from types import FrameType
from typing import Any

import pytest

from peeps_otel.probes.internals.current_frames import current_frames
from peeps_otel.probes.poll_loops import poll_loops
from tests.support.waiting import eventually

Jobs = asyncio.Queue[str]


async def takes(jobs: Jobs) -> None:
    while True:
        print(await jobs.get())
        jobs.task_done()


async def takes_until_told(jobs: Jobs) -> None:
    while not jobs.full():
        job = await jobs.get()
        print(job)


async def asks_first(jobs: Jobs) -> None:
    while True:
        await jobs.put("a question")
        await jobs.get()
        print(await jobs.get())


async def takes_three(jobs: Jobs) -> None:
    for _ in range(3):
        print(await jobs.get())


async def takes_one(jobs: Jobs) -> None:
    print(await jobs.get())


async def takes_in_the_condition(jobs: Jobs) -> None:
    while (job := await jobs.get()) != "end":
        print(job)


async def takes_in_the_condition_after_a_turn(jobs: Jobs) -> None:
    jobs.put_nowait("first")
    while (job := await jobs.get()) != "end":
        print(job)


async def asks_in_the_condition(jobs: Jobs) -> None:
    while print("a question") or await jobs.get() != "end":
        print("an answer")


async def cleans_up(jobs: Jobs) -> None:
    while True:
        try:
            print("a question")
        finally:
            await jobs.get()


async def iterates(jobs: Jobs) -> None:
    async for job in _items(jobs):
        print(job)


async def _items(jobs: Jobs) -> AsyncIterator[str]:
    while True:
        yield await jobs.get()


@pytest.mark.parametrize(
    ("function", "begins"),
    [
        (takes, True),
        (takes_until_told, True),
        (takes_in_the_condition, True),
        (takes_in_the_condition_after_a_turn, True),
        (asks_in_the_condition, False),
        (cleans_up, False),
        (iterates, True),
        (asks_first, False),
        (takes_three, False),
        (takes_one, False),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_task(function: Callable[[Jobs], Coroutine[Any, Any, None]], begins: bool) -> None:
    async def main() -> bool:
        task = asyncio.create_task(function(asyncio.Queue()))
        for _ in range(5):
            await asyncio.sleep(0)
        coroutine: Any = task.get_coro()
        found = poll_loops(coroutine.cr_code).begins_at(coroutine.cr_frame.f_lasti)
        task.cancel()
        return found

    assert asyncio.run(main()) is begins


def thread_takes(jobs: queue.Queue[str | None]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            break


def thread_takes_in_the_condition(jobs: queue.Queue[str | None]) -> None:
    while (job := jobs.get()) is not None:
        print(job)


def thread_asks_first(jobs: queue.Queue[str | None]) -> None:
    while True:
        print("a question")
        if jobs.get() is None:
            break


@pytest.mark.parametrize(
    ("function", "begins"), [(thread_takes, True), (thread_takes_in_the_condition, True), (thread_asks_first, False)]
)
def test_a_thread(function: Callable[[queue.Queue[str | None]], None], begins: bool) -> None:
    jobs: queue.Queue[str | None] = queue.Queue()
    thread = threading.Thread(target=function, args=(jobs,))
    thread.start()

    def stands_at() -> int | None:
        frame: FrameType | None = current_frames()[thread.ident or 0]
        waits = False
        while frame is not None and frame.f_code is not function.__code__:
            waits = waits or frame.f_code.co_name == "wait"
            frame = frame.f_back
        return frame.f_lasti if frame is not None and waits else None

    try:
        at = eventually(stands_at)
    finally:
        jobs.put(None)
        thread.join()
    assert at is not None
    assert poll_loops(function.__code__).begins_at(at) is begins
