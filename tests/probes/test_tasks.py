# SPDX-License-Identifier: Apache-2.0
"""Tasks: names, creation, parents, ends; and resources: names, creation, what is known of them."""

from __future__ import annotations

import asyncio
import functools
import gc
import math
import os
from typing import Any

import pytest

from peeps_otel.model import Confidence, EdgeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import SECOND, Seen, here, kept, running
from tests.support.waiting import forever


def _named(seen: Seen, prefix: str) -> Any:
    (found,) = (node for node in seen.nodes.values() if node.name.startswith(prefix))
    return found


def test_where_a_task_was_created_and_by_whom(probe: AsyncioProbe, loop_kind: str) -> None:
    async def grandchild() -> None:
        await forever()

    async def child() -> None:
        kept.append(asyncio.create_task(grandchild(), name="grandchild"))  # <grandchild>
        async with asyncio.TaskGroup() as group:
            group.create_task(forever(), name="grouped")  # <grouped>

    async def main() -> None:
        kept.append(asyncio.get_running_loop().create_task(child(), name="child"))  # <child>
        kept.append(asyncio.ensure_future(forever()))  # <ensured>
        for _ in range(5):
            await asyncio.sleep(0)

    with running(probe, main, loop_kind) as program:
        seen = program.look()  # a single one: parents are found whatever the order
    harness = seen.task("harness")
    found = {
        name: (seen.task(name).confidence, seen.task(name).attributes.get("peeps.task.parent"))
        for name in ("child", "grandchild", "grouped")
    }
    exact = Confidence.EXACT
    sources = {name: seen.task(name).source for name in ("grandchild", "grouped")}
    assert sources == {"grandchild": here("grandchild"), "grouped": here("grouped")}
    assert found == {
        "child": (exact, harness.id),
        "grandchild": (exact, seen.task("child").id),
        "grouped": (exact, seen.task("child").id),
    }
    assert seen.task("child").source == here("child")
    assert _named(seen, "forever (Task-").source == here("ensured")


def test_a_task_that_no_function_has_asked_for_is_said_to_be_made_nowhere(probe: AsyncioProbe) -> None:
    """A callback of the loop that is written in C makes it, as `grpc.aio` does for each call: no line of the loop's own
    is taken for the place."""

    async def handler() -> None:  # <handler>
        kept.append(asyncio.create_task(forever(), name="inner"))  # <inner>
        await forever()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(functools.partial(loop.create_task, handler(), name="handler"))
        for _ in range(3):
            await asyncio.sleep(0)

    with running(probe, main) as program:
        seen = program.look()
    found = {name: (seen.task(name).source, seen.task(name).confidence) for name in ("handler", "inner")}
    assert found == {
        "handler": (here("handler"), Confidence.INFERRED),
        "inner": (here("inner"), Confidence.EXACT),
    }
    assert "peeps.task.parent" not in seen.task("inner").attributes


def test_a_task_is_called_by_its_coroutine_where_nobody_named_it(probe: AsyncioProbe) -> None:
    async def main() -> None:
        kept.append(asyncio.create_task(forever()))
        kept.append(asyncio.create_task(forever(), name="mine"))

    with running(probe, main) as program:
        seen = program.settled("mine")
    node = _named(seen, "forever (Task-")
    assert (node.attributes["peeps.task.coroutine"], node.attributes["peeps.loop.id"]) == ("forever", 1)
    assert seen.task("mine").attributes["peeps.task.coroutine"] == "forever"


def test_tasks_older_than_the_probe() -> None:
    probe = AsyncioProbe(Recorder(10_000_000))

    async def main() -> None:
        kept.append(asyncio.create_task(forever(), name="old"))

    with running(probe, main) as program:
        probe.install()
        try:
            node = program.settled("old").task("old")
        finally:
            probe.uninstall()
    code = forever.__code__
    assert (node.confidence, node.source) == (Confidence.INFERRED, f"{code.co_filename}:{code.co_firstlineno}")


def test_an_ended_task_is_told_once(probe: AsyncioProbe) -> None:
    async def main() -> None:
        kept.append(asyncio.create_task(forever(), name="short"))

    with running(probe, main) as program:
        node = program.settled("short").task("short")
        program.call(kept[0].cancel)
        program.call(kept.clear)
        gc.collect()
        seen = program.look()
        ended = [(one.name, one.source, one.created_ns) for one in seen.observation.ended]
        assert ended == [("short", node.source, node.created_at)]
        assert node.id not in seen.nodes
        assert program.look().observation.ended == []


def test_an_ended_task_is_told_although_another_took_its_address(probe: AsyncioProbe) -> None:
    async def main() -> None:
        kept.append(asyncio.create_task(forever(), name="first"))

    def replace() -> None:
        kept.append(asyncio.create_task(forever(), name="next"))

    told: list[str] = []
    with running(probe, main) as program:
        program.settled("first")
        for _ in range(10):
            program.call(kept[0].cancel)
            program.call(kept.clear)
            gc.collect()
            program.call(replace)
            told += [one.name for one in program.until(lambda s: s.operation("next") is not None).observation.ended]
    assert told == ["first"] + ["next"] * 9


class _Pool:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()  # <self.lock>
        self.jobs: asyncio.Queue[int] = asyncio.Queue(3)  # <self.jobs>


def test_where_a_resource_was_made_and_what_it_is_called(probe: AsyncioProbe, loop_kind: str) -> None:
    pool: list[_Pool] = []

    async def holder() -> None:
        async with pool[0].lock:
            await pool[0].jobs.get()

    async def main() -> None:
        pool.append(_Pool())
        kept.append(asyncio.create_task(holder(), name="holder"))

    with running(probe, main, loop_kind) as program:
        seen = program.settled("holder")
    lock, tx, rx = seen.node("lock _Pool.lock"), seen.node("tx _Pool.jobs"), seen.node("rx _Pool.jobs")
    assert (lock.source, lock.confidence) == (here("self.lock"), Confidence.EXACT)
    assert (tx.source, rx.source) == (here("self.jobs"), here("self.jobs"))
    assert lock.attributes == {
        "peeps.resource.type": "asyncio.Lock",
        "peeps.lock.locked": True,
        "peeps.resource.waiters": 0,
    }
    common = {
        "peeps.resource.type": "asyncio.Queue",
        "peeps.channel.type": "asyncio.Queue",
        "peeps.channel.length": 0,
        "peeps.channel.capacity": 3,
    }
    assert tx.attributes == common | {"peeps.channel.waiters": 0}
    assert rx.attributes == common | {"peeps.channel.waiters": 1, "peeps.channel.unfinished": 0}
    assert [edge.dst for edge in seen.edges_of(EdgeKind.CHANNEL_LINK, "tx _Pool.jobs")] == [rx.id]


@pytest.mark.parametrize("bounded", [False, True])
def test_the_permits_of_a_semaphore(probe: AsyncioProbe, bounded: bool) -> None:
    async def holder(permits: asyncio.Semaphore) -> None:
        async with permits:
            await forever()

    async def waiter(permits: asyncio.Semaphore) -> None:
        async with permits:
            pass

    async def main() -> None:
        permits = asyncio.BoundedSemaphore(2) if bounded else asyncio.Semaphore(2)
        kept.extend(asyncio.create_task(holder(permits), name=f"holder {n}") for n in range(2))
        kept.append(asyncio.create_task(waiter(permits), name="waiter"))

    with running(probe, main) as program:
        seen = program.settled("waiter", "holder 0", "holder 1")
    node = seen.node("semaphore permits")
    assert node.attributes == {
        "peeps.resource.type": "asyncio.BoundedSemaphore" if bounded else "asyncio.Semaphore",
        "peeps.semaphore.permits": 2,
        "peeps.semaphore.available": 0,
        "peeps.resource.waiters": 1,
    }
    assert node.providers == ("closed" if bounded else "estimated")
    assert sorted(seen.holders("semaphore permits")) == ["task holder 0", "task holder 1"]


@pytest.mark.parametrize("size", [math.inf, 10**30])
def test_sizes_that_fit_into_no_attribute(probe: AsyncioProbe, size: Any) -> None:
    async def holder(permits: asyncio.Semaphore, jobs: asyncio.Queue[int]) -> None:
        async with permits:
            await jobs.get()

    async def main() -> None:
        permits, jobs = asyncio.Semaphore(size), asyncio.Queue[int](size)
        kept.append(asyncio.create_task(holder(permits, jobs), name="holder"))

    with running(probe, main) as program:
        seen = program.settled("holder")
    nodes = [node for node in seen.nodes.values() if node.kind in ("semaphore", "rx")]
    assert sorted(key for node in nodes for key in node.attributes) == [
        "peeps.channel.length",
        "peeps.channel.type",
        "peeps.channel.unfinished",
        "peeps.channel.waiters",
        "peeps.resource.type",
        "peeps.resource.type",
        "peeps.resource.waiters",
    ]
    assert {node.providers for node in nodes} == {"open"}


def test_who_has_a_full_queue_in_his_hands(probe: AsyncioProbe) -> None:
    class Consumer:
        def __init__(self, jobs: asyncio.Queue[int]) -> None:
            self.jobs = jobs

        async def run(self) -> None:
            await forever()

    async def by_local(_jobs: asyncio.Queue[int]) -> None:
        await forever()

    async def stranger() -> None:
        await forever()

    async def producer(jobs: asyncio.Queue[int]) -> None:
        await jobs.put(1)

    async def main() -> None:
        jobs: asyncio.Queue[int] = asyncio.Queue(1)
        jobs.put_nowait(0)

        async def by_closure() -> None:
            await forever()
            jobs.get_nowait()

        for name, coroutine in (
            ("attribute", Consumer(jobs).run()),
            ("local", by_local(jobs)),
            ("closure", by_closure()),
            ("stranger", stranger()),
            ("producer", producer(jobs)),
        ):
            kept.append(asyncio.create_task(coroutine, name=name))

    with running(probe, main) as program:
        assert not [edge for edge in program.settled("producer").edges if edge.kind is EdgeKind.TOUCHES]
        seen = program.look(ahead_ns=10 * SECOND)
    touching = sorted(seen.label(edge.src) for edge in seen.edges if edge.kind is EdgeKind.TOUCHES)
    assert touching == ["task attribute", "task closure", "task local", "task producer"]


def test_a_long_wait_that_ended_is_recorded(probe: AsyncioProbe) -> None:
    probe.recorder.long_wait_ns = 0
    events: list[asyncio.Event] = []

    async def waiter() -> None:
        await events[0].wait()  # <long wait>
        await forever()

    async def main() -> None:
        events.append(asyncio.Event())
        kept.append(asyncio.create_task(waiter(), name="waiter"))

    with running(probe, main) as program:
        program.settled("waiter")
        program.call(events[0].set)
        program.until(lambda seen: seen.operation("waiter") == "future")
        (wait,) = probe.recorder.long_waits
    assert (wait.task_name, wait.resource(), wait.code) == ("waiter", events[0], waiter.__code__)
    assert wait.began_ns <= wait.ended_ns


def test_looks_while_the_loop_is_busy(probe: AsyncioProbe, loop_kind: str) -> None:
    """Whatever a look falls into, it gives a picture and no exception."""
    lock: list[asyncio.Lock] = []

    async def worker(jobs: asyncio.Queue[int]) -> None:
        while True:
            async with lock[0]:
                await asyncio.sleep(0)
            await jobs.put(1)
            await asyncio.gather(jobs.get(), asyncio.sleep(0))

    async def main() -> None:
        lock.append(asyncio.Lock())
        jobs: asyncio.Queue[int] = asyncio.Queue(3)
        kept.extend(asyncio.create_task(worker(jobs), name=f"worker {n}") for n in range(20))

    with running(probe, main, loop_kind) as program:
        steps: dict[str, int] = {}
        for _ in range(100):
            for node in program.look().nodes.values():
                if node.steps is not None:
                    assert steps.get(node.id, 0) <= node.steps
                    steps[node.id] = node.steps
        assert all(task.exception() is None for task in kept if task.done())
        assert not any(task.done() for task in kept)


def test_source_lines_are_shed_over_the_budget() -> None:
    probe = AsyncioProbe(Recorder(10_000_000), lines_most=3)
    probe.install()

    async def main() -> None:
        kept.extend(asyncio.create_task(forever(), name=f"task {n}") for n in range(10))

    try:
        with running(probe, main) as program:
            program.settled(*(f"task {n}" for n in range(10)))
            program.look()
            seen = program.look()
    finally:
        probe.uninstall()
    lined = [n for n in seen.nodes.values() if n.stack and n.stack[0].line is not None]
    assert 0 < len(lined) <= 3
    assert all(os.path.isabs(n.stack[0].file) for n in seen.nodes.values() if n.stack)
