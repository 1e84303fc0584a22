# SPDX-License-Identifier: Apache-2.0
"""What is kept from look to look: a look at very many things costs what has changed, and misses none of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.kept import Kept
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Observation

_FOREVER = 3600
_MANY = 400  # more than are all described at each look


def test_nothing_is_written_past_what_remembers_the_look_before() -> None:
    kept: Kept[int] = Kept()
    with pytest.raises(TypeError, match=r"\|="):
        kept.update({"a": 1})
    kept |= {"a": 1}
    assert (dict(kept), kept.take_changes()) == ({"a": 1}, {"a": None})
    kept.begin()
    assert dict(kept) == {}


def test_what_is_written_holds_for_one_look_and_what_is_kept_for_all() -> None:
    kept: Kept[str] = Kept()
    kept.keep("task", "waits")
    kept["thread"] = "runs"
    assert (dict(kept), kept.take_changes()) == ({"task": "waits", "thread": "runs"}, {"task": None, "thread": None})
    kept.begin()
    assert dict(kept) == {"task": "waits"}
    kept |= {"thread": "stands"}
    kept["task"] = "waits, and is marked"
    assert kept.take_changes() == {"thread": "runs", "task": "waits"}
    kept.begin()
    kept["thread"] = "stands"
    kept["task"] = "waits, and is marked"
    assert kept.take_changes() == {}
    kept.keep("task", None)
    assert dict(kept) == {"thread": "stands"}


def test_what_covers_something_is_shown_until_that_changes_or_it_is_taken_away() -> None:
    kept: Kept[str] = Kept()
    kept.keep("task", "waits")
    kept.take_changes()
    assert (kept.cover("task", "waits, and is lost"), kept.cover("thread", "is lost")) == (True, False)
    assert kept.take_changes() == {"task": "waits"}
    kept.begin()
    kept.keep("task", "waits")  # as before
    assert (dict(kept), kept.kept("task"), kept.take_changes()) == ({"task": "waits, and is lost"}, "waits", {})
    kept["task"] = "waits, and is marked"
    assert not kept.cover("task", "waits, and is old")
    kept.take_changes()
    kept.begin()
    assert (dict(kept), kept.take_changes()) == ({"task": "waits, and is lost"}, {"task": "waits, and is marked"})
    kept["task"] = "waits, and is marked"
    kept.uncover("task")
    kept.begin()
    assert (dict(kept), kept.covered_by("task")) == ({"task": "waits"}, None)
    kept.cover("task", "waits, and is lost")
    kept.keep("task", "runs")
    assert (dict(kept), kept.covered_by("task")) == ({"task": "runs"}, None)


class World:
    """Looks at a loop's tasks as the watcher does."""

    def __init__(self) -> None:
        self.context, recorder = ProbeContext(), Recorder(1 << 62)
        self.probe = AsyncioProbe(recorder, context=self.context)
        self.probes = CompositeProbe([self.probe], self.context)
        self.nodes: Kept[Node] = Kept()
        self.edges: Kept[tuple[Edge, ...]] = Kept()
        self.changed: list[str] = []

    def look(self) -> None:
        self.probes.look(time.time_ns(), lambda: None, Observation(self.nodes, self.edges))
        self.changed = [*(self.nodes.take_changes() | self.edges.take_changes())]

    def holders(self, task: asyncio.Task[Any]) -> list[str]:
        """Of what a task waits for."""
        node_id = self.probe.node_id(task)
        assert node_id is not None
        (target,) = [edge.dst for edge in self.edges[node_id] if edge.kind is EdgeKind.NEEDS]
        held = [edge.dst for edge in self.edges[target] if edge.kind is EdgeKind.HELD_BY]
        return [self.nodes[one].name for one in held if one in self.nodes]


@pytest.fixture
def world() -> Any:
    made = World()
    made.probes.install()
    yield made
    made.probes.uninstall()


async def _idle(locks: list[asyncio.Lock]) -> list[asyncio.Task[None]]:
    """Very many locks, each with a holder that sleeps and a waiter."""

    async def takes(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(_FOREVER)

    tasks = [asyncio.create_task(takes(lock)) for lock in locks for _ in range(2)]
    await asyncio.sleep(0)
    return tasks


def _run(world: World, program: Callable[[World], Any]) -> None:
    async def main() -> None:
        idle = await _idle([asyncio.Lock() for _ in range(_MANY)])
        for _ in range(12):  # until their lines are resolved
            world.look()
        await program(world)
        for task in idle:
            task.cancel()
        await asyncio.gather(*idle, return_exceptions=True)

    asyncio.run(main())


def test_a_look_at_which_nobody_has_moved_reads_nobody_and_describes_a_part(world: World) -> None:
    async def program(world: World) -> None:
        read, described = world.probe._read, world.context.resources._describe  # pyright: ignore[reportPrivateUsage]  # counts what is read anew
        with (
            patch.object(world.probe, "_read", side_effect=read) as reads,
            patch.object(world.context.resources, "_describe", side_effect=described) as describes,
        ):
            world.look()
        running = 1  # this one
        assert (reads.call_count, world.changed) == (running, [])
        assert describes.call_count <= _MANY // 8 + 1
        assert len([node for node in world.nodes.values() if node.kind is NodeKind.TASK]) == 2 * _MANY + running

    _run(world, program)


def test_who_has_a_lock_is_told_anew_when_it_goes_on_to_another(world: World) -> None:
    """The one who still waits has made no step, and whoever has it now took it by a bare `acquire()`."""

    async def program(world: World) -> None:
        lock, gate, never = asyncio.Lock(), asyncio.Event(), asyncio.Event()

        async def first() -> None:
            await lock.acquire()
            await gate.wait()
            lock.release()
            await never.wait()

        async def second() -> None:
            await lock.acquire()
            await never.wait()

        tasks: list[asyncio.Task[None]] = []
        for number, function in enumerate((first, second, second)):
            tasks.append(asyncio.create_task(function(), name=("first", "second", "third")[number]))
            await asyncio.sleep(0)
        for _ in range(3):
            world.look()
        before = world.holders(tasks[2])
        gate.set()
        for _ in range(5):
            await asyncio.sleep(0)
        world.look()
        after = world.holders(tasks[2])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (before, after) == (["first"], ["second"])

    _run(world, program)


def test_a_lock_whose_owner_has_ended_is_nobodys(world: World) -> None:
    async def program(world: World) -> None:
        lock, gate = asyncio.Lock(), asyncio.Event()

        async def forgets() -> None:
            await lock.acquire()
            await gate.wait()

        owner = asyncio.create_task(forgets(), name="owner")
        await asyncio.sleep(0)
        waiter = asyncio.ensure_future(lock.acquire())
        await asyncio.sleep(0)
        for _ in range(3):
            world.look()
        before = world.holders(waiter)
        gate.set()
        await owner
        del owner
        world.look()
        after = world.holders(waiter)
        waiter.cancel()
        assert (before, after) == (["owner"], [])

    _run(world, program)


def test_tasks_come_and_go(world: World) -> None:
    async def program(world: World) -> None:
        for number in range(3):
            new = [asyncio.create_task(asyncio.sleep(_FOREVER)) for _ in range(10 + number)]
            await asyncio.sleep(0)
            world.look()
            ids = {world.probe.node_id(task) for task in new}
            assert ids <= set(world.changed)
            for task in new:
                task.cancel()
            await asyncio.gather(*new, return_exceptions=True)
            world.look()
            assert ids <= set(world.changed)
            assert not ids & world.nodes.keys()

    _run(world, program)


def test_after_a_probe_has_failed_nothing_of_it_is_kept_and_the_next_look_has_all(world: World) -> None:
    async def program(world: World) -> None:
        tasks = {node.id for node in world.nodes.values() if node.kind is NodeKind.TASK}
        with patch.object(world.probe, "_look_at_all", side_effect=RuntimeError):
            world.look()
        assert not tasks & world.nodes.keys()
        world.look()
        assert tasks <= world.nodes.keys()

    _run(world, program)
