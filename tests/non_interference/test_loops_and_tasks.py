# SPDX-License-Identifier: Apache-2.0
"""Ways to make tasks that are not the usual one: they work as without us, and are seen."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peeps_otel.model import NodeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder


@pytest.fixture
def probes() -> Iterator[CompositeProbe]:
    context = ProbeContext()
    one = CompositeProbe([AsyncioProbe(Recorder(10_000_000), context=context)], context)
    one.install()
    yield one
    one.uninstall()


def _names(probes: CompositeProbe) -> set[str]:
    """The tasks of a look from another thread, as in production."""
    found: set[str] = set()
    for node in probes.look(time.time_ns()).nodes.values():
        if node.kind is NodeKind.TASK:
            found.add(node.name)
            assert node.source, node
    return found


async def _seen(probes: CompositeProbe) -> set[str]:
    await asyncio.sleep(0)
    return await asyncio.to_thread(_names, probes)


async def _waits(lock: asyncio.Lock) -> str:
    async with lock:
        return "done"


def test_debug_mode(probes: CompositeProbe) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        task = asyncio.create_task(_waits(lock), name="waiter")
        assert "waiter" in await _seen(probes)
        lock.release()
        assert await task == "done"
        (frame,) = task.get_stack() or [None]
        assert frame is None

    asyncio.run(main(), debug=True)


def test_debug_mode_names_the_program_s_line_as_the_place_of_creation(probes: CompositeProbe) -> None:
    async def main() -> Any:
        task = asyncio.create_task(asyncio.sleep(0))
        created: Any = getattr(task, "_source_traceback")  # noqa: B009  asyncio says in it where the task was made
        await task
        return created[-1]

    frame = asyncio.run(main(), debug=True)
    assert frame.filename.endswith("tasks.py") or frame.filename == __file__
    probes.uninstall()
    without = asyncio.run(main(), debug=True)
    assert (frame.filename, frame.lineno, frame.name) == (without.filename, without.lineno, without.name)


def test_a_task_factory_of_the_program(probes: CompositeProbe) -> None:
    made: list[asyncio.Task[Any]] = []

    class Mine(asyncio.Task[Any]):
        pass

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task = Mine(coro, loop=loop, **kwargs)
        made.append(task)
        return task

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        lock = asyncio.Lock()
        await lock.acquire()
        task = asyncio.create_task(_waits(lock), name="waiter")
        assert isinstance(task, Mine)
        assert made == [task]
        assert "waiter" in await _seen(probes)
        lock.release()
        assert await task == "done"

    asyncio.run(main())


def test_a_loop_with_a_create_task_of_its_own(probes: CompositeProbe) -> None:
    calls: list[str] = []

    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
            calls.append("create_task")
            return super().create_task(coro, **kwargs)

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        task = asyncio.create_task(_waits(lock), name="waiter")
        assert "waiter" in await _seen(probes)
        lock.release()
        assert await task == "done"

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
    assert calls.count("create_task") >= 2


def test_a_loop_that_makes_tasks_without_asking_anybody(probes: CompositeProbe) -> None:
    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
            return asyncio.Task(coro, loop=self, **kwargs)

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        task = asyncio.create_task(_waits(lock), name="waiter")
        assert "waiter" in await _seen(probes)
        lock.release()
        assert await task == "done"

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks(probes: CompositeProbe) -> None:
    order: list[str] = []

    async def at_once() -> str:
        order.append("ran")
        return "at once"

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(vars(asyncio)["eager_task_factory"])
        done = asyncio.create_task(at_once())
        order.append("after")
        assert done.done()
        assert await done == "at once"
        lock = asyncio.Lock()
        await lock.acquire()
        waiter = asyncio.create_task(_waits(lock), name="waiter")
        assert "waiter" in await _seen(probes)
        lock.release()
        assert await waiter == "done"
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(_waits(lock), name=f"child {n}") for n in range(3)]
        assert [child.result() for child in children] == ["done"] * 3

    asyncio.run(main())
    assert order == ["ran", "after"]


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_uvloop(probes: CompositeProbe) -> None:
    import uvloop

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        made: list[Callable[..., asyncio.Task[Any]]] = [
            asyncio.create_task,
            asyncio.get_running_loop().create_task,
        ]
        tasks = [make(_waits(lock), name=f"waiter {number}") for number, make in enumerate(made)]
        assert {"waiter 0", "waiter 1"} <= await _seen(probes)
        lock.release()
        assert await asyncio.gather(*tasks) == ["done", "done"]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_task_of_a_closed_loop_is_no_trouble(probes: CompositeProbe) -> None:
    loop = asyncio.new_event_loop()
    lock = asyncio.Lock()
    loop.run_until_complete(lock.acquire())
    task = loop.create_task(_waits(lock), name="left behind")
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert not [note for note in probes.look(time.time_ns()).coverage if "not seen" in note]
    setattr(task, "_log_destroy_pending", False)  # noqa: B010  asyncio is not to complain about it
