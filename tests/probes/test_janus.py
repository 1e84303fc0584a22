# SPDX-License-Identifier: Apache-2.0
"""A queue of janus is one thing, whether a task or a thread waits at it, and for what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import janus
import pytest

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, Node
from tests.probes.threads_world import Seen, World, world


class _Loop:
    """A loop with a queue of two, in a thread of its own until the test ends."""

    def __init__(self, made: World, main: Callable[[janus.Queue[int]], Any]) -> None:
        self.queue: janus.Queue[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            self.queue = janus.Queue(maxsize=2)
            await asyncio.create_task(main(self.queue), name="user")

        made.start("loop", lambda: asyncio.run(run()))
        made.cleaning.append(self._end)
        made.until(lambda _: self.queue is not None)

    def _end(self) -> None:
        assert self._loop is not None
        assert self.queue is not None
        loop = self._loop
        self.queue.close()
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])


def _needed(seen: Seen, name: str) -> list[tuple[str, str, Any, Any]]:
    """What a task or thread waits for, and how."""
    waiter = next((node for node in seen.nodes.values() if node.name == name and node.wait is not None), None)
    if waiter is None or waiter.wait is None:
        return []
    things = (seen.nodes[edge.dst] for edge in seen.edges(waiter, EdgeKind.NEEDS))
    return [(waiter.wait.operation, str(thing.kind), *_filled(thing)) for thing in things]


def _filled(thing: Node) -> tuple[Any, Any]:
    return thing.attributes.get(semconv.CHANNEL_LENGTH), thing.attributes.get(semconv.CHANNEL_CAPACITY)


async def _get(queue: janus.Queue[int]) -> None:
    await queue.async_q.get()


async def _put(queue: janus.Queue[int]) -> None:
    for number in range(3):
        await queue.async_q.put(number)


async def _join(queue: janus.Queue[int]) -> None:
    queue.async_q.put_nowait(1)
    await queue.async_q.join()


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (_get, ("queue.get", "rx", 0, 2)),
        (_put, ("queue.put", "tx", 2, 2)),
        (_join, ("queue.join", "rx", 1, 2)),
    ],
)
def test_a_task(function: Callable[[janus.Queue[int]], Any], found: tuple[Any, ...]) -> None:
    with world() as made:
        _Loop(made, function)
        made.until(lambda seen: _needed(seen, "user") == [found])


async def _looks_on(_queue: janus.Queue[int]) -> None:
    await asyncio.get_running_loop().create_future()


def _take(queue: janus.Queue[int]) -> None:
    queue.sync_q.get()


def _fill(queue: janus.Queue[int]) -> None:
    for number in range(3):
        queue.sync_q.put(number)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (_take, ("queue.get", "rx", 0, 2)),
        (_fill, ("queue.put", "tx", 2, 2)),
    ],
)
def test_a_thread(function: Callable[[janus.Queue[int]], Any], found: tuple[Any, ...]) -> None:
    with world() as made:
        queue = _Loop(made, _looks_on).queue
        assert queue is not None
        made.start("thread", lambda: function(queue))
        made.until(lambda seen: _needed(seen, "thread") == [found])


def test_a_task_and_a_thread_wait_for_the_same_thing() -> None:
    with world() as made:
        queue = _Loop(made, _get).queue
        assert queue is not None
        made.start("thread", queue.sync_q.get)

        def both(seen: Seen) -> bool:
            edges = [edge for edges in seen.observation.edges.values() for edge in edges]
            waiting = [(seen.nodes[one.src].name, one.dst) for one in edges if one.kind is EdgeKind.NEEDS]
            of_queue = {name: thing for name, thing in waiting if seen.nodes[thing].kind == "rx"}
            return of_queue.keys() == {"user", "thread"} and len(set(of_queue.values())) == 1

        made.until(both)
