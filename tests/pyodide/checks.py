# SPDX-License-Identifier: Apache-2.0
"""What is checked on Python 3.14, where there are no threads and no sockets: on a loop driven by hand.

Not collected by pytest; `test_python_314.py` runs it inside Node and reads the outcome of each `check_` function.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

from peeps_otel.model import Edge, EdgeKind, Node
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder

_kept: list[Any] = []


class Loop(asyncio.BaseEventLoop):
    """Without sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._selector: Any = self

    def select(self, timeout: float | None) -> list[Any]:
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        return None

    def _write_to_self(self) -> None:
        return None


class Seen:
    """What a second look shows: lines are known from then on."""

    def __init__(self, probe: AsyncioProbe) -> None:
        observation, _, _ = (probe.look(time.time_ns(), lambda: None) for _ in range(3))
        self.observation = observation
        self.nodes = observation.nodes
        self.edges = [edge for edges in observation.edges.values() for edge in edges]

    def label(self, node_id: str) -> str:
        node = self.nodes.get(node_id)
        return node_id.partition(":")[0] if node is None else f"{node.kind} {node.name}"

    def node(self, label: str) -> Node:
        (found,) = (node for node in self.nodes.values() if self.label(node.id) == label)
        return found

    def edges_of(self, kind: EdgeKind, label: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.kind is kind and self.label(edge.src) == label]

    def wait(self, task: str) -> tuple[str, list[str]]:
        """Operation and what is needed."""
        wait = self.node(f"task {task}").wait
        assert wait is not None, f"{task} does not wait"
        return wait.operation, sorted(self.label(edge.dst) for edge in self.edges_of(EdgeKind.NEEDS, f"task {task}"))

    def holders(self, label: str) -> list[str]:
        return [self.label(edge.dst) for edge in self.edges_of(EdgeKind.HELD_BY, label)]


def looked(main: Callable[[], Awaitable[Any]], shared: ProbeContext | None = None) -> Seen:
    """Runs `main`, lets its tasks come to rest, and looks."""
    probe = AsyncioProbe(Recorder(10_000_000), context=shared)
    probe.install()
    loop = Loop()

    async def run() -> Seen:
        await main()
        for _ in range(10):
            await asyncio.sleep(0)
        return Seen(probe)

    try:
        seen = loop.run_until_complete(run())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        return seen
    finally:
        loop.close()
        probe.uninstall()
        _kept.clear()


def task(coroutine: Any, name: str = "waiter") -> asyncio.Task[Any]:
    made = asyncio.get_running_loop().create_task(coroutine, name=name)
    _kept.append(made)
    return made


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


# --- the checks -------------------------------------------------------------------------------------------------------


def check_every_task_is_seen() -> None:
    async def main() -> None:
        for number in range(50):
            task(_forever(), f"t{number}")

    seen = looked(main)
    names = {node.name for node in seen.nodes.values()}
    assert {f"t{number}" for number in range(50)} <= names
    assert seen.node("task t1").state == "waiting"
    assert seen.wait("t1") == ("future", ["future"])


def check_everything_could_be_rewritten() -> None:
    async def main() -> None:
        pass

    coverage = looked(main).observation.coverage
    assert coverage == ["this Python (3.14) was checked without threads and sockets only"]


def check_rewriting_leaves_no_trace() -> None:
    functions: list[Any] = [
        asyncio.Lock.acquire,
        asyncio.Lock.release,
        asyncio.Semaphore.acquire,
        vars(asyncio.Queue)["get"],
        asyncio.Event.wait,
        asyncio.BaseEventLoop.create_task,
        asyncio.create_task,
    ]
    before = [function.__code__ for function in functions]
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()
    during = [function.__code__ for function in functions]
    probe.uninstall()
    assert [function.__code__ for function in functions] == before
    assert during != before


def check_the_holder_of_a_lock_by_block() -> None:
    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await _forever()

    async def waiter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        db = asyncio.Lock()
        task(holder(db), "holder")
        await asyncio.sleep(0)
        task(waiter(db))

    seen = looked(main)
    operation, (label,) = seen.wait("waiter")
    assert operation == "lock.acquire"
    assert seen.holders(label) == ["task holder"]
    assert seen.node(label).providers == "closed"


def check_the_holder_of_a_lock_by_acquire() -> None:
    async def take(lock: asyncio.Lock) -> None:
        await lock.acquire()
        await _forever()

    async def main() -> None:
        db = asyncio.Lock()
        task(take(db), "holder")
        await asyncio.sleep(0)
        task(take(db))

    seen = looked(main)
    operation, (label,) = seen.wait("waiter")
    assert operation == "lock.acquire"
    if not any("Lock" in line for line in seen.observation.coverage):
        assert seen.holders(label) == ["task holder"]


def check_the_holders_of_permits() -> None:
    async def use(permits: asyncio.Semaphore) -> None:
        async with permits:
            await _forever()

    async def main() -> None:
        permits = asyncio.BoundedSemaphore(2)
        for name in ("one", "two", "waiter"):
            task(use(permits), name)
            await asyncio.sleep(0)

    seen = looked(main)
    operation, (label,) = seen.wait("waiter")
    assert operation == "semaphore.acquire"
    assert sorted(seen.holders(label)) == ["task one", "task two"]


def check_a_holder_within_a_generator_manager() -> None:
    @contextlib.asynccontextmanager
    async def locked(lock: asyncio.Lock) -> AsyncGenerator[None, None]:
        async with lock:
            yield

    async def holder(lock: asyncio.Lock) -> None:
        async with locked(lock):
            await _forever()

    async def main() -> None:
        db = asyncio.Lock()
        task(holder(db), "holder")
        await asyncio.sleep(0)
        task(db.acquire())

    seen = looked(main)
    _, (label,) = seen.wait("waiter")
    assert seen.holders(label) == ["task holder"]


def check_several_managers_on_one_line() -> None:
    async def holder(one: asyncio.Lock, two: asyncio.Lock) -> None:
        async with one, two:
            await _forever()

    async def main() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        task(holder(one, two), "holder")
        await asyncio.sleep(0)
        task(one.acquire(), "first")
        task(two.acquire(), "second")

    seen = looked(main)
    for name in ("first", "second"):
        _, (label,) = seen.wait(name)
        edges = [edge for edge in seen.edges if edge.kind is EdgeKind.HELD_BY]
        assert len(edges) == 2
        assert label.startswith("lock")


def check_a_waiter_about_to_enter_holds_nothing() -> None:
    async def enter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        db = asyncio.Lock()
        await db.acquire()
        task(enter(db))

    seen = looked(main)
    _, (label,) = seen.wait("waiter")
    assert "task waiter" not in seen.holders(label)


def check_a_blocking_lock_held_across_an_await() -> None:
    lock = threading.Lock()
    shared = ProbeContext()

    async def holder() -> None:
        with lock:
            await _forever()

    async def main() -> None:
        task(holder(), "holder")

    seen = looked(main, shared)
    (held,) = [edge for edges in seen.observation.edges.values() for edge in edges if edge.kind is EdgeKind.HELD_BY]
    assert held.dst == seen.node("task holder").id


def check_a_deadline() -> None:
    async def waiter() -> None:
        async with asyncio.timeout(60):
            await _forever()

    async def main() -> None:
        task(waiter())

    wait = looked(main).node("task waiter").wait
    assert wait is not None
    assert wait.deadline_ns is not None
    assert 50 < (wait.deadline_ns - time.time_ns()) / 1e9 < 61


def check_waits() -> None:
    """Each coroutine waits in the operation that its name says, for these."""

    async def main() -> None:
        event, condition, queue = asyncio.Event(), asyncio.Condition(), asyncio.Queue[int](1)
        full = asyncio.Queue[int](1)
        full.put_nowait(1)
        child = task(_forever(), "child")
        other = task(_forever(), "other")

        async def waits_for_condition() -> None:
            async with condition:
                await condition.wait()

        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_forever(), name="grouped")

        async def first_done() -> None:
            for one in asyncio.as_completed([child, other]):
                await one

        async def numbers() -> AsyncIterator[int]:
            await event.wait()
            yield 1

        async def each() -> None:
            async for _ in numbers():
                pass

        async def gathers() -> None:
            await asyncio.gather(child, other)

        async def shields() -> None:
            await asyncio.shield(child)

        task(event.wait(), "event.wait")
        task(waits_for_condition(), "condition.wait")
        task(queue.get(), "queue.get")
        task(full.put(2), "queue.put")
        task(full.join(), "queue.join")
        task(asyncio.sleep(60), "sleep")
        task(gathers(), "gather")
        task(asyncio.wait([child, other]), "wait")
        task(asyncio.wait_for(child, 60), "wait_for")
        task(shields(), "shield")
        task(group(), "taskgroup")
        task(first_done(), "as_completed")
        task(each(), "in a generator")

    seen = looked(main)
    both = ["task child", "task other"]
    expected = {
        "event.wait": ["event event"],
        "condition.wait": ["condition condition"],
        "queue.get": ["rx queue"],
        "queue.put": ["tx full"],
        "queue.join": ["rx full"],
        "sleep": [],
        "gather": both,
        "wait": both,
        "wait_for": ["task child"],
        "shield": ["task child"],
        "taskgroup": ["task grouped"],
        "as_completed": both,
    }
    found = {name: seen.wait(name) for name in expected}
    kinds = {
        name: (operation, [label.partition(" ")[0] for label in labels]) for name, (operation, labels) in found.items()
    }
    wanted = {name: (name, [label.partition(" ")[0] for label in labels]) for name, labels in expected.items()}
    assert kinds == wanted, (kinds, wanted)
    assert {name: labels for name, (_, labels) in found.items() if labels and labels[0].startswith("task")} == {
        name: labels for name, labels in expected.items() if labels and labels[0].startswith("task")
    }
    assert seen.wait("in a generator")[0] == "event.wait"


def check_nothing_is_kept_alive() -> None:
    import gc
    import weakref

    class Thing(asyncio.Lock):
        pass

    references: list[weakref.ref[Any]] = []

    async def holder(thing: Thing) -> None:
        async with thing:
            await _forever()

    async def main() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        task(holder(thing), "holder")

    looked(main)
    gc.collect()
    assert references[0]() is None


def run_all() -> str:
    """The outcome of each check, by name: empty, or what went wrong. JSON."""
    results: dict[str, str] = {}
    asyncio._set_running_loop(None)  # Pyodide's own, which the browser would drive
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check()
                results[name] = ""
            except BaseException:
                results[name] = traceback.format_exc()
    return json.dumps(results)
