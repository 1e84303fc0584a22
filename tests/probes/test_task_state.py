# SPDX-License-Identifier: Apache-2.0
"""What a task's node says beside its wait: its name, its thread, who asked it to cancel, which blocking locks it holds.
And that one task that cannot be read costs no more than itself."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from peeps_otel.model import EdgeKind
from peeps_otel.probes.asyncio import task_reader
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import Seen, kept, running, started


@pytest.fixture
def context() -> ProbeContext:
    return ProbeContext()


@pytest.fixture
def sharing(context: ProbeContext) -> Any:
    """A probe whose hand-over to the other probes can be looked at."""
    one = AsyncioProbe(Recorder(10_000_000), context=context)
    one.install()
    yield one
    one.uninstall()


async def _stubborn(let_go: asyncio.Event) -> None:
    """Goes on when it is cancelled."""
    while not let_go.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await let_go.wait()


def _cancelled(seen: Seen) -> bool:
    """The one that is called `waiter` was asked to cancel, and waits again."""
    return any(
        node.name == "waiter" and node.wait is not None and "peeps.task.cancel_requests" in node.attributes
        for node in seen.nodes.values()
    )


# --- blocking locks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [threading.Lock, lambda: threading.Semaphore(1)])
def test_a_blocking_lock_held_across_an_await(probe: AsyncioProbe, loop_kind: str, make: Callable[[], Any]) -> None:
    lock = make()
    let_go: list[asyncio.Event] = []

    async def holder() -> None:
        with lock:
            await let_go[0].wait()

    async def main() -> None:
        let_go.append(asyncio.Event())
        started(holder(), "holder")

    with running(probe, main, loop_kind) as program:
        seen = program.settled("holder")
        (edge,) = [edge for edge in seen.edges if edge.kind is EdgeKind.HELD_BY]
        program.call(let_go[0].set)
        after = program.until(lambda seen: seen.operation("holder") is None)
        assert edge.src not in after.nodes  # nobody has it and nobody waits for it: one of very many
    node, wait = seen.nodes[edge.src], seen.task("holder").wait
    assert wait is not None
    assert node.name == "lock"
    assert edge.dst == seen.task("holder").id
    assert edge.since_ns is not None
    assert edge.since_ns <= wait.since_ns
    assert edge.source is not None
    assert edge.source.endswith(f":{holder.__code__.co_firstlineno + 1}")


# --- thread -----------------------------------------------------------------------------------------------------------


def test_the_thread_of_the_loop(sharing: AsyncioProbe, context: ProbeContext) -> None:
    idents: list[int] = []

    async def main() -> None:
        idents.append(threading.get_ident())

    with running(sharing, main) as program:
        seen = program.settled("harness")
        assert seen.task("harness").attributes["peeps.task.thread"] == context.thread(idents[0], 0)


def test_the_thread_of_uvloop_under_a_runner(sharing: AsyncioProbe, context: ProbeContext) -> None:
    uvloop = pytest.importorskip("uvloop")
    started, stop = threading.Event(), threading.Event()

    async def main() -> None:
        started.set()
        while not stop.is_set():
            await asyncio.sleep(0.005)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(30)
    nodes = sharing.look(1).nodes.values()
    stop.set()
    thread.join(30)
    (node,) = (node for node in nodes if "main" in node.name)
    assert node.attributes["peeps.task.thread"] == context.thread(thread.ident or 0, 0)


# --- cancellation -----------------------------------------------------------------------------------------------------


def test_a_task_that_was_not_cancelled_says_nothing(probe: AsyncioProbe) -> None:
    async def main() -> None:
        pass

    with running(probe, main) as program:
        attributes = program.settled("harness").task("harness").attributes
    assert "peeps.task.cancel_requests" not in attributes
    assert "peeps.task.cancelled_by" not in attributes


def test_cancelled_and_still_waiting(probe: AsyncioProbe, loop_kind: str) -> None:
    let_go: list[asyncio.Event] = []

    async def main() -> None:
        let_go.append(asyncio.Event())
        started(_stubborn(let_go[0]))

    with running(probe, main, loop_kind) as program:
        program.settled("waiter")
        program.call(kept[0].cancel)
        seen = program.until(_cancelled)
        program.call(let_go[0].set)
    attributes = seen.task("waiter").attributes
    assert attributes["peeps.task.cancel_requests"] == 1
    assert "peeps.task.cancelled_by" not in attributes


def test_cancelled_by_the_task_group(probe: AsyncioProbe, loop_kind: str) -> None:
    let_go: list[asyncio.Event] = []

    async def fails() -> None:
        raise ValueError

    async def parent() -> None:
        with contextlib.suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                kept.append(group.create_task(_stubborn(let_go[0]), name="waiter"))
                await asyncio.sleep(0)
                group.create_task(fails())

    async def main() -> None:
        let_go.append(asyncio.Event())
        started(parent(), "parent")

    with running(probe, main, loop_kind) as program:
        seen = program.until(_cancelled)
        program.call(let_go[0].set)
    assert seen.task("waiter").attributes["peeps.task.cancelled_by"] == seen.task("parent").id


def test_cancelled_by_a_timeout(probe: AsyncioProbe, loop_kind: str) -> None:
    let_go: list[asyncio.Event] = []

    async def waiter() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await _stubborn(let_go[0])

    async def main() -> None:
        let_go.append(asyncio.Event())
        started(waiter())

    with running(probe, main, loop_kind) as program:
        seen = program.until(_cancelled)
        program.call(let_go[0].set)
    assert seen.task("waiter").attributes["peeps.task.cancelled_by"] == "timeout"


def test_cancelled_with_the_task_that_awaits_it(probe: AsyncioProbe, loop_kind: str) -> None:
    let_go: list[asyncio.Event] = []

    async def parent() -> None:
        await started(_stubborn(let_go[0]), "waiter")

    async def main() -> None:
        let_go.append(asyncio.Event())
        started(parent(), "parent")

    with running(probe, main, loop_kind) as program:
        program.settled("waiter", "parent")
        program.call(next(task for task in kept if task.get_name() == "parent").cancel)
        seen = program.until(_cancelled)
        program.call(let_go[0].set)
    assert seen.task("waiter").attributes["peeps.task.cancelled_by"] == seen.task("parent").id


# --- names ------------------------------------------------------------------------------------------------------------

_LIBRARY = """
async def handle(handler, *arguments):
    await handler(*arguments)
"""


@pytest.fixture
def library(tmp_path: Path) -> ModuleType:
    """A framework: it runs the program's handlers in tasks of its own."""
    file = tmp_path / "site-packages" / "framework.py"
    file.parent.mkdir()
    file.write_text(_LIBRARY)
    spec = importlib.util.spec_from_file_location("framework", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def pay(first: asyncio.Event, second: asyncio.Event) -> None:
    await first.wait()
    await charge(second)


async def charge(done: asyncio.Event) -> None:
    await done.wait()


def test_a_task_of_a_framework_is_named_after_the_handler(
    probe: AsyncioProbe, library: ModuleType, loop_kind: str
) -> None:
    events: list[asyncio.Event] = []

    async def main() -> None:
        events.extend([asyncio.Event(), asyncio.Event()])
        started(library.handle(pay, *events), None)
        started(library.handle(pay, *events), "given")

    with running(probe, main, loop_kind) as program:
        given = kept[0].get_name()
        name = f"test_task_state.pay ({given})"
        first = program.until(lambda seen: seen.operation(name) == "event.wait")
        assert first.task(name).attributes["peeps.task.coroutine"] == "handle"
        program.call(events[0].set)
        # Elsewhere in the same handler: the name stays.
        assert program.settled(name, "given").task(name).id == first.task(name).id


def test_the_name_waits_for_a_function_of_the_application(probe: AsyncioProbe, library: ModuleType) -> None:
    async def main() -> None:
        started(library.handle(asyncio.sleep, 60), None)

    with running(probe, main) as program:
        name = f"handle ({kept[0].get_name()})"
        assert program.settled(name).operation(name) == "sleep"


# --- containment ------------------------------------------------------------------------------------------------------


def test_a_task_that_cannot_be_read_costs_itself_alone(
    probe: AsyncioProbe, loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours, in the middle of one task out of three."""
    real = task_reader.chain
    broken: list[Any] = []

    def chain(coroutine: Any) -> Any:
        if coroutine in broken:
            raise LookupError("of ours")
        return real(coroutine)

    monkeypatch.setattr(task_reader, "chain", chain)

    async def main() -> None:
        ready = asyncio.Event()
        kept.append(ready)
        started(_waits(ready), "one")
        started(_waits_in_a_block(ready), "two")  # or it would be read the fast way, which is another
        started(_waits(ready), "three")
        broken.append(next(task for task in kept[1:] if task.get_name() == "two").get_coro())

    with running(probe, main, loop_kind) as program:
        seen = program.settled("one", "three")
        assert seen.observation.coverage == ["1 tasks could not be read: LookupError"]
        assert (seen.task("two").state, seen.task("two").wait) == ("unknown", None)
        assert seen.needs("one") == seen.needs("three") == ["event ready"]
        broken.clear()
        seen = program.settled("one", "two", "three")
        assert seen.observation.coverage == []
        assert seen.needs("two") == ["event ready"]


async def _waits(ready: asyncio.Event) -> None:
    await ready.wait()


async def _waits_in_a_block(ready: asyncio.Event) -> None:
    async with asyncio.Lock():
        await ready.wait()


def test_what_is_not_covered_is_said(probe: AsyncioProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Trio's loop: a function of the module that it runs in."""
    running, stop = threading.Event(), threading.Event()
    run: dict[str, Any] = {"__name__": "trio._core._run", "running": running, "stop": stop}
    exec("def unrolled_run():\n    running.set()\n    stop.wait(30)", run)
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    monkeypatch.setitem(sys.modules, "trio._core._run", ModuleType("trio._core._run"))
    assert probe.look(1).coverage == []  # imported, as httpx does
    thread = threading.Thread(target=run["unrolled_run"])
    thread.start()
    assert running.wait(30)
    try:
        assert probe.look(2).coverage == ["blind: trio runs: the tasks of its own loop are not seen"]
    finally:
        stop.set()
        thread.join()
