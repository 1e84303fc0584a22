# SPDX-License-Identifier: Apache-2.0
"""Where suspended functions stand is read without making frame objects, which would stay with them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import pytest

from peeps_otel.probes.asyncio.tasks import frames
from peeps_otel.probes.internals import suspended_at
from peeps_otel.probes.internals.await_chain import SuspendedFrame, chain
from peeps_otel.probes.internals.frame_memory import reads
from tests.support.processes import environment

pytestmark = pytest.mark.skipif(not reads(), reason="frames of this Python are not read")


async def _below(depth: int, event: asyncio.Event) -> None:
    if depth:
        await _below(depth - 1, event)
    else:
        async with asyncio.timeout(60):
            await event.wait()


async def _numbers() -> AsyncGenerator[int, None]:
    yield 1
    await asyncio.sleep(60)


async def _iterates() -> None:
    async for _ in _numbers():
        pass


@asynccontextmanager
async def _manages() -> AsyncGenerator[None, None]:
    await asyncio.sleep(60)
    yield


async def _enters() -> None:
    async with _manages():
        pass


def _programs() -> list[Coroutine[Any, Any, Any]]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    return [_below(5, asyncio.Event()), _iterates(), _enters(), asyncio.wait_for(queue.get(), 60), queue.get()]


async def _waiting() -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(one) for one in _programs()]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def test_instruction_and_line_are_those_that_the_frame_tells() -> None:
    async def main() -> None:
        tasks = await _waiting()
        links = [link for task in tasks for link in chain(task.get_coro())]
        found = [(link.code.co_qualname, link.lasti, link.line) for link in links]
        assert len(found) > 12
        told = [(link.code.co_qualname, frame.f_lasti, frame.f_lineno) for link in links if (frame := link.frame)]
        assert found == told

    asyncio.run(main())


def test_one_that_has_not_begun_stands_where_its_frame_says() -> None:
    fresh = _iterates()
    link = SuspendedFrame(fresh, fresh.cr_code, [])
    found, frame = (link.lasti, link.line), fresh.cr_frame
    assert frame is not None
    assert found == (frame.f_lasti, frame.f_lineno)
    fresh.close()


def test_a_stack_with_lines_makes_no_frame_objects() -> None:
    async def main() -> None:
        tasks = await _waiting()
        found = [chain(task.get_coro()) for task in tasks]
        gc.collect()
        before = sum(type(one) is FrameType for one in gc.get_objects())
        stacks = [frames(links, with_lines=True) for links in found]
        after = sum(type(one) is FrameType for one in gc.get_objects())
        assert all(frame.line is not None for stack in stacks for frame in stack)
        assert after - before <= 1  # of this function itself

    asyncio.run(main())


def test_the_line_before_the_first_instruction_is_the_functions() -> None:
    assert suspended_at.line(_iterates.__code__, -1) == _iterates.__code__.co_firstlineno


LOADS_IN_A_LOOP = """
import asyncio, gc, sys

async def main():
    import peeps_otel.probes.internals.suspended_at
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}, asyncio.all_tasks()
    sys.set_asyncgen_hooks(print, print)
    del sys.modules["peeps_otel.probes.internals.suspended_at"]
    import peeps_otel.probes.internals.suspended_at
    gc.collect()
    assert sys.get_asyncgen_hooks() == (print, print)

asyncio.run(main())
"""


def test_what_is_loaded_while_a_loop_runs_gives_it_no_generator_and_no_task() -> None:
    done = subprocess.run([sys.executable, "-c", LOADS_IN_A_LOOP], capture_output=True, text=True, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
