# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import gc
import time
import weakref
from asyncio import base_events
from collections.abc import Iterator
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import Frame, Node, NodeKind
from peeps_otel.probes.patches.loop_errors import LoopErrors
from peeps_otel.probes.probe import Observation

TEN_MINUTES = 600 * 1_000_000_000


@pytest.fixture
def complaints() -> Iterator[LoopErrors]:
    one = LoopErrors()
    one.install()
    yield one
    one.uninstall()


def look(complaints: LoopErrors, ahead_ns: int = 0) -> list[Node]:
    observation = Observation()
    complaints.observe(observation, time.time_ns() + ahead_ns, lambda: None)
    return list(observation.nodes.values())


async def fail() -> None:
    raise KeyError("secret")


def run(heard: list[dict[str, Any]], times: int = 2) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
        for _ in range(times):
            asyncio.create_task(fail())  # noqa: RUF006  nobody is to keep it
        await asyncio.sleep(0.02)
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_exceptions_are_counted_where_they_were_raised(complaints: LoopErrors) -> None:
    heard: list[dict[str, Any]] = []
    run(heard)
    assert len(heard) == 2  # the program's own handler still hears of each
    (node,) = look(complaints)
    assert node.kind is NodeKind.CUSTOM
    assert node.name == "fail"
    assert node.attributes[semconv.PROBLEM] == "exception_never_retrieved"
    assert node.attributes[semconv.PROBLEM_COUNT] == 2
    assert node.attributes[semconv.PROBLEM_EXCEPTION] == "builtins.KeyError"
    assert "secret" not in repr(node)  # values are never exported
    assert node.stack[-1] == Frame("fail", __file__, fail.__code__.co_firstlineno + 1, "")
    heard.clear()
    run(heard, 1)
    (again,) = look(complaints)
    assert again.id == node.id
    assert again.attributes[semconv.PROBLEM_COUNT] == 3
    assert look(complaints)[0] is again  # unchanged: the same object
    assert look(complaints, 2 * TEN_MINUTES) == []


def test_a_task_destroyed_while_it_waits(complaints: LoopErrors) -> None:
    async def lost() -> None:
        await asyncio.get_running_loop().create_future()

    gone: list[weakref.ref[Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        gone.append(weakref.ref(asyncio.create_task(lost())))
        await asyncio.sleep(0.02)
        gc.collect()

    asyncio.run(main())
    (node,) = look(complaints)
    assert node.attributes[semconv.PROBLEM] == "destroyed_pending"
    assert node.name.endswith("lost")
    assert node.source.rpartition(":")[0] == __file__
    gc.collect()
    assert gone[0]() is None


def test_a_task_is_called_by_the_name_it_was_given(complaints: LoopErrors) -> None:
    async def notify_later() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        task = asyncio.create_task(notify_later(), name="notifier")
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
    assert [node.name for node in look(complaints)] == ["notifier"]


def test_a_future_nobody_looked_at(complaints: LoopErrors) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        asyncio.get_running_loop().create_future().set_exception(ValueError())
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(main())
    (node,) = look(complaints)
    assert (node.name, node.attributes[semconv.PROBLEM_EXCEPTION]) == ("Future", "builtins.ValueError")


def test_other_complaints_are_none_of_ours(complaints: LoopErrors) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)
        loop.call_exception_handler({"message": "something else"})
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert look(complaints) == []


def test_uninstall_leaves_the_function_as_it_was() -> None:
    function = base_events.BaseEventLoop.call_exception_handler
    before = function.__code__
    complaints = LoopErrors()
    complaints.install()
    complaints.install()
    assert function.__code__ is not before
    complaints.uninstall()
    assert function.__code__ is before
