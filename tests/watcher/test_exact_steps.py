# SPDX-License-Identifier: Apache-2.0
"""Every step timed, by rewriting the loop in place."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio import base_events
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType

import pytest

from peeps_otel.probes.internals import loop as loop_internals
from peeps_otel.probes.patches import step_timer as exact_steps
from peeps_otel.probes.patches.step_timer import StepTimer, steps_of
from peeps_otel.probes.probe import Observation

RUN_ONCE: FunctionType = vars(base_events.BaseEventLoop)["_run_once"]
MS = 1_000_000


@pytest.fixture
def probe() -> Iterator[StepTimer]:
    original = RUN_ONCE.__code__
    probe = StepTimer()
    probe.install()
    assert RUN_ONCE.__code__ is not original
    yield probe
    probe.uninstall()
    assert RUN_ONCE.__code__ is original


@pytest.mark.usefixtures("probe")
def test_every_step_is_counted_and_timed() -> None:
    async def worker() -> None:
        for _ in range(9):
            await asyncio.sleep(0)
        time.sleep(0.02)
        await asyncio.sleep(0)
        await inner()

    async def inner() -> None:
        time.sleep(0.05)
        await asyncio.sleep(0.01)

    async def main() -> exact_steps.Steps | None:
        task = asyncio.create_task(worker())
        await task
        return steps_of(task)

    steps = asyncio.run(main())
    assert steps is not None
    assert steps.made == 12
    assert 50 * MS <= steps.longest_ns < 500 * MS
    assert steps.longest_ns + 20 * MS <= steps.total_ns
    functions = [frame.function.rpartition(".")[2] for frame in steps.stack()]
    assert functions == ["worker", "inner", "sleep"]
    assert steps.stack()[1].line == inner.__code__.co_firstlineno + 2


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("debug", [False, True])
def test_wakeups_by_futures_and_python_tasks_count_too(debug: bool) -> None:
    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> list[exact_steps.Steps | None]:
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        python_task: Callable[..., asyncio.Task[None]] = vars(asyncio.tasks)["_PyTask"]
        tasks = [asyncio.create_task(waits(event)), python_task(waits(event), loop=loop)]
        await asyncio.sleep(0)
        event.set()
        await asyncio.wait(tasks)
        return [steps_of(task) for task in tasks]

    counts = [steps.made for steps in asyncio.run(main(), debug=debug) if steps is not None]
    assert counts == [2, 2]


@pytest.mark.usefixtures("probe")
def test_callbacks_of_the_program_are_not_touched() -> None:
    asked: list[str] = []

    class Strange:
        def __call__(self) -> None:
            asked.append("called")

        def __getattr__(self, name: str) -> object:
            asked.append(name)
            raise AttributeError(name)

        def method(self) -> None:
            asked.append("method")

    async def main() -> None:
        loop, strange = asyncio.get_running_loop(), Strange()
        loop.call_soon(strange)
        loop.call_soon(strange.method)
        loop.call_soon(partial(print, end=""))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert asked == ["called", "method"]


@pytest.mark.usefixtures("probe")
def test_the_rewritten_loop_still_counts_as_turning() -> None:
    assert not loop_internals.is_in_callback(RUN_ONCE.__code__, foreign=False)


@pytest.mark.usefixtures("probe")
def test_an_exception_of_a_callback_goes_the_usual_way() -> None:
    told: list[dict[str, object]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


def test_what_is_not_timed_is_said(probe: StepTimer) -> None:
    pytest.importorskip("uvloop")
    observation = Observation()
    probe.observe(observation, 1, lambda: None)
    assert "uvloop" in sys.modules
    assert observation.coverage == ["steps are not timed on uvloop's event loops"]
