# SPDX-License-Identifier: Apache-2.0
"""Many tasks at once: the quick way of reading one says what the full one says, and lines go where they help."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from peeps_otel.model import Node
from peeps_otel.model.ulid import UlidSource, ulid_bytes
from peeps_otel.probes.asyncio.fast_path import FastPathReader
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.internals import suspended_at
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import Seen, kept, running


async def _waits(what: Callable[[], Awaitable[object]]) -> None:
    await what()


async def _within(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(0)


async def _program() -> None:
    lock, held, permits, event = asyncio.Lock(), asyncio.Lock(), asyncio.Semaphore(1), asyncio.Event()
    jobs: asyncio.Queue[int] = asyncio.Queue(1)
    full: asyncio.Queue[int] = asyncio.Queue(1)
    full.put_nowait(1)
    await held.acquire()
    await lock.acquire()
    await permits.acquire()

    async def holds() -> None:
        async with asyncio.Lock():
            await asyncio.Event().wait()

    for turn in range(6):
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "event": event.wait,
            "get": jobs.get,
            "put": lambda: full.put(2),
            "lock": lock.acquire,
            "block": lambda: _within(held),
            "permit": permits.acquire,
            "sleep": lambda: asyncio.sleep(1000),
            "holds": holds,
        }
        kept.extend(asyncio.create_task(_waits(way), name=f"{name} {turn}") for name, way in ways.items())


def _told(seen: Seen) -> dict[str, tuple[object, ...]]:
    """All that is said of each task, but the times that two programs cannot share."""

    def wait(node: Node) -> object:
        if node.wait is None:
            return None
        return replace(node.wait, since_ns=0, deadline_ns=node.wait.deadline_ns is not None)

    return {
        node.name: (node.state, wait(node), node.stack, node.source, seen.needs(node.name), sorted(node.attributes))
        for node in seen.nodes.values()
        if node.kind == "task" and node.name[-1].isdigit() and " " in node.name
    }


def _seen(lines_most: int | None) -> dict[str, tuple[object, ...]]:
    probe = AsyncioProbe(Recorder(10_000_000), lines_most=lines_most)
    probe.install()
    try:
        with running(probe, _program) as program:
            program.settled("event 5", "get 5", "put 5", "lock 5", "block 5", "permit 5", "sleep 5", "holds 5")
            return _told(program.look())
    finally:
        probe.uninstall()
        kept.clear()


@pytest.mark.parametrize("lines_most", [0, None], ids=["without lines", "with lines"])
def test_the_quick_way_says_what_the_full_one_says(monkeypatch: pytest.MonkeyPatch, lines_most: int | None) -> None:
    read: list[str] = []
    quickly = FastPathReader.read

    def counted(self: FastPathReader, task: asyncio.Task[object], *rest: object) -> bool:
        done = quickly(self, task, *rest)  # pyright: ignore[reportArgumentType]  # passes on what it was given
        if done:
            read.append(task.get_name().partition(" ")[0])
        return done

    monkeypatch.setattr(FastPathReader, "read", counted)
    quick = _seen(lines_most)
    assert {"event", "get", "put", "lock", "block", "permit", "sleep"} <= set(read)
    assert "holds" not in read

    def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(FastPathReader, "read", never)
    full = _seen(lines_most)
    assert quick == full
    assert len(quick) == 48


@pytest.mark.skipif(not suspended_at.is_read, reason="lines make frame objects on this Python")
def test_of_very_many_all_have_their_lines_at_the_first_look_that_reads_them() -> None:
    """Nothing more is told of them afterwards: what gets its line later is told, and judged, again."""
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()

    async def main() -> None:
        event = asyncio.Event()
        kept.extend(asyncio.create_task(_waits(event.wait), name=f"waits {n}") for n in range(3000))

    try:
        with running(probe, main) as program:
            program.settled("waits 2999")
            seen = [program.look().nodes for _ in range(2)]
    finally:
        probe.uninstall()
        kept.clear()
    first, second = ([n for n in nodes.values() if n.name.startswith("waits")] for nodes in seen)
    assert len(first) == 3000
    assert {n.wait is not None and ":" in n.wait.source.rpartition("/")[2] for n in first} == {True}
    assert len({id(node.stack) for node in first}) == 1
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_who_waits_for_a_lock_gets_lines_before_the_others() -> None:
    probe = AsyncioProbe(Recorder(10_000_000), lines_most=12)
    probe.install()

    async def main() -> None:
        one, other, event = asyncio.Lock(), asyncio.Lock(), asyncio.Event()

        async def takes(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(0)
                async with second:
                    pass

        kept.extend(asyncio.create_task(_waits(event.wait), name=f"waits {n}") for n in range(300))
        kept.append(asyncio.create_task(takes(one, other), name="left"))
        kept.append(asyncio.create_task(takes(other, one), name="right"))

    try:
        with running(probe, main) as program:
            probe._context.with_lines = False  # pyright: ignore[reportPrivateUsage]  # what the governor sheds
            seen = program.settled("left", "right", "waits 299")
    finally:
        probe.uninstall()
        kept.clear()
    lined = {n.name for n in seen.nodes.values() if n.wait is not None and ":" in n.wait.source.rpartition("/")[2]}
    assert lined == {"left", "right"}


def test_tasks_of_a_kind_share_their_attributes_and_stack() -> None:
    probe = AsyncioProbe(Recorder(10_000_000), lines_most=0)
    probe.install()

    async def main() -> None:
        event = asyncio.Event()
        kept.extend(asyncio.create_task(_waits(event.wait), name=f"waits {n}") for n in range(50))

    try:
        with running(probe, main) as program:
            seen = program.settled("waits 49")
    finally:
        probe.uninstall()
        kept.clear()
    nodes = [node for node in seen.nodes.values() if node.name.startswith("waits")]
    assert len(nodes) == 50
    assert len({id(node.attributes) for node in nodes}) == 1
    assert len({id(node.stack) for node in nodes}) == 1
    gc.collect()


def test_text_of_a_ulid_is_the_next_one() -> None:
    ulids = UlidSource()
    before = int.from_bytes(ulids.new(10**18), "big")
    for step in range(1, 3000):
        assert int.from_bytes(ulid_bytes(ulids.text(10**18)), "big") == before + step
    assert ulid_bytes(ulids.text((1 << 48) * 10**6 - 1))[:6] == b"\xff" * 6


def test_what_is_known_of_a_waiting_task_is_hardly_anything_to_the_garbage_collector() -> None:
    """Who makes many objects that live makes the collector search the whole program, and stops it meanwhile."""
    count = 600
    probe = AsyncioProbe(Recorder(10_000_000), lines_most=0)
    probe.install()

    async def main() -> None:
        lock, event, jobs = asyncio.Lock(), asyncio.Event(), asyncio.Queue[int]()
        await lock.acquire()
        ways = (event.wait, jobs.get, lock.acquire, lambda: asyncio.sleep(1000))
        kept.extend(asyncio.create_task(_waits(ways[number % 4]), name=f"{number}") for number in range(count))
        await asyncio.sleep(0)

    def collected() -> int:
        gc.collect()
        return len(gc.get_objects())

    try:
        with running(probe, main) as program:
            before = collected()
            assert len(program.settled("0", "599").nodes) >= count
            more = collected() - before
    finally:
        probe.uninstall()
        kept.clear()
    assert more < count // 2  # what there is once; records, nodes, waits, edges and weak references are no more
