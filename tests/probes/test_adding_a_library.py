# SPDX-License-Identifier: Apache-2.0
"""The walk-through of docs/adding-a-library.md, run; and what a library that does not fit costs."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import aiologic
import pytest

import peeps_otel
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, Graph, NodeKind, Providers
from peeps_otel.model.coverage import cannot_judge
from peeps_otel.probes import library_registry
from peeps_otel.probes.asyncio.library import ASYNCIO
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.library import (
    Around,
    Library,
    PoolType,
    ResourceType,
    State,
    Support,
    TaskWait,
    ThreadWait,
    Waiting,
    code_of,
    operation,
)
from peeps_otel.probes.library_registry import LibraryRegistry
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.resources import Resources
from peeps_otel.probes.threads.library import THREADING
from tests.probes.threads_world import Seen, World, world

_PAGE = Path(peeps_otel.__file__).parent.parent / "docs" / "adding-a-library.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the code on the page defines."""
    names: dict[str, Any] = {"__name__": "peeps_aiologic"}
    for block in re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.M | re.S):
        exec(compile(block, str(_PAGE), "exec"), names)
    return names


def _install(monkeypatch: pytest.MonkeyPatch, *libraries: Library) -> None:
    monkeypatch.setattr(library_registry, "installed", lambda: libraries)


@pytest.fixture
def installed(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, page["AIOLOGIC"])


def _run(made: World, name: str, main: Callable[[], Any]) -> None:
    """A loop in a thread of its own, until the test ends."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await main()

    def end() -> None:
        loop = loops[0]
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])

    made.start(name, lambda: asyncio.run(run()))
    made.cleaning.append(end)


def _task(seen: Seen, name: str) -> Any:
    return next((node for node in seen.nodes.values() if node.kind == "task" and node.name == name), None)


def _waits(seen: Seen, name: str) -> bool:
    node = _task(seen, name)
    return node is not None and node.wait is not None and node.wait.operation == "lock.acquire"


@pytest.mark.usefixtures("installed")
def test_a_lock_between_tasks_and_threads_is_one_node_with_both_waiting() -> None:
    lock = aiologic.Lock()
    let_go = threading.Event()

    def holder() -> None:
        with lock:
            let_go.wait(20)

    def waiter() -> None:
        with lock:
            pass

    async def task() -> None:
        async with lock:
            pass

    async def main() -> None:
        await asyncio.create_task(task(), name="task")

    with world() as made:
        made.cleaning.append(let_go.set)
        made.start("holder", holder)
        made.settled("holder")
        made.start("waiter", waiter)
        _run(made, "loop", main)
        made.settled("waiter")
        seen = made.until(lambda seen: _waits(seen, "task") and bool(seen.edges(_task(seen, "task"), EdgeKind.NEEDS)))
        (needed,) = seen.needed("waiter")
        (edge,) = seen.edges(_task(seen, "task"), EdgeKind.NEEDS)
        assert edge.dst == needed.id
        assert (needed.kind, needed.name, needed.providers) == (NodeKind.LOCK, "lock", Providers.CLOSED)
        assert needed.attributes == {"peeps.resource.type": "aiologic.Lock", "peeps.lock.locked": True}
        assert seen.holders(needed) == ["thread holder"]
        wait = seen.thread("waiter").wait
        assert wait is not None
        assert (wait.operation, wait.deadline_ns) == ("lock.acquire", None)
        assert wait.source.startswith(f"{__file__}:")


@pytest.mark.usefixtures("installed")
def test_a_ring_of_a_task_and_a_thread_is_proven_and_a_timeout_breaks_it() -> None:
    def seen_with(timeout_s: float | None) -> list[str]:
        first, second = aiologic.Lock(), aiologic.Lock()
        both = threading.Barrier(2)

        def thread() -> None:
            with second:
                both.wait(20)
                first.green_acquire(timeout=timeout_s)

        async def task() -> None:
            async with first:
                await asyncio.to_thread(both.wait, 20)
                await second.async_acquire(timeout=timeout_s)

        async def main() -> None:
            await asyncio.create_task(task(), name="task")

        with world() as made:
            made.start("thread", thread)
            _run(made, "loop", main)
            made.settled("thread")
            made.until(lambda seen: _waits(seen, "task"))
            diagnoser = Diagnoser()
            now_ns = time.time_ns()
            said: list[str] = []
            for number in range(4):
                observation = made.look().observation
                graph = Graph(observation.nodes, [edge for edges in observation.edges.values() for edge in edges])
                findings = diagnoser.look(graph, now_ns + number * 5_000_000_000)
                said = [f"{one.kind} {one.level}" for one in findings if one.kind == "deadlock"]
            return said

    assert seen_with(None) == ["deadlock PROVEN"]
    assert seen_with(15.0) == []


def test_a_pool_is_a_semaphore_with_the_holders_it_tells(page: dict[str, Any]) -> None:
    pool_type: PoolType = page["POOL"]
    pool = page["Pool"](2)
    pool._lent = {"first": 7, "second": 8}

    class Pooled:
        name, distribution, checked = "example", "", ()

        def is_imported(self) -> bool:
            return True

        def support(self) -> Support:
            return Support(pools=(pool_type,), find_pools=lambda: [pool])

    libraries = LibraryRegistry([Pooled()])
    libraries.activate_imported()
    resources = Resources(NodeIds(), libraries)
    resources.thread_id = lambda ident: f"thread:{ident}"
    observation = Observation()
    resources.begin()
    resources.show(observation, 5, lambda: None)
    (node,) = observation.nodes.values()
    assert (node.kind, node.name, node.providers) == (NodeKind.SEMAPHORE, "db", Providers.ESTIMATED)
    assert node.attributes == {
        "peeps.resource.type": "example.Pool",
        "peeps.semaphore.available": 0,
        "peeps.semaphore.permits": 2,
        "peeps.pool.in_use": 2,
    }
    assert [(edge.kind, edge.dst) for edge in observation.edges[node.id]] == [
        (EdgeKind.HELD_BY, "thread:7"),
        (EdgeKind.HELD_BY, "thread:8"),
    ]


# --- libraries that do not fit ----------------------------------------------------------------------------------------


class _Broken:
    """A library whose support does something else than it should."""

    distribution = ""
    checked: tuple[str, ...] = ()
    is_runtime = False

    def __init__(self, name: str, support: Callable[[], Any], imported: Callable[[], bool] = lambda: True) -> None:
        self.name = name
        self.is_imported = imported
        self.support = support


def _raises(*_: Any) -> Any:
    raise ValueError("no")


class _Thing:
    async def wait(self) -> None:
        await asyncio.get_running_loop().create_future()


class _Gate:
    """Stands for a library's lock whose `with` calls its own `acquire`."""

    def __init__(self) -> None:
        self._inner = threading.Lock()

    def acquire(self) -> None:
        self._inner.acquire()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self._inner.release()


def _read_gate(_gate: object, around: Around) -> State:
    return State({}, holders=around.on_stacks)


class _Gates:
    name = "gates"
    distribution = ""
    checked: tuple[str, ...] = ()

    def is_imported(self) -> bool:
        return True

    def support(self) -> Support:
        return Support(
            resource_types=(ResourceType(_Gate, (NodeKind.LOCK,), _read_gate),),
            thread_waits=(ThreadWait(__name__, "_Gate.acquire", operation("lock.acquire"), finds="self"),),
            thread_managers=(_Gate,),
        )


def test_a_thing_is_called_what_the_program_calls_it_not_self(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, _Gates())
    gate = _Gate()
    gate.acquire()

    def waiter() -> None:
        with gate:
            pass

    with world() as made:
        made.cleaning.append(lambda: gate.__exit__())
        made.start("waiter", waiter)
        made.settled("waiter")
        seen = made.until(lambda seen: bool(seen.needed("waiter")))
        (needed,) = seen.needed("waiter")
        assert (needed.kind, needed.name, seen.holders(needed)) == (NodeKind.LOCK, "gate", [])


def test_a_library_that_does_not_fit_is_said_and_the_others_are_seen() -> None:
    libraries = LibraryRegistry(
        [
            _Broken("one", _raises),
            _Broken("two", lambda: "support"),
            _Broken("three", lambda: Support(task_waits=cast("Any", ("wait",)))),
            _Broken("four", Support, imported=_raises),
            _Broken("five", lambda: Support(coverage=_raises)),
            ASYNCIO,
        ]
    )
    libraries.activate_imported()
    assert libraries.coverage_notes() == [
        "this one is not known, its waits are not seen: ValueError: no",
        "this two is not known, its waits are not seen: TypeError: support() returns a Support, not str",
        "this three is not known, its waits are not seen: TypeError: 'wait' is no TaskWait",
        "this four is not known, its waits are not seen: ValueError: no",
        "five: coverage could not be read (1 times)",
    ]
    assert libraries.resource_type(asyncio.Lock) is not None


def test_over_the_waits_of_a_runtime_that_does_not_fit_nobody_says_that_nothing_is_stuck() -> None:
    runtime = _Broken("one", _raises)
    runtime.is_runtime = True
    libraries = LibraryRegistry([runtime, _Broken("two", _raises)])
    libraries.activate_imported()
    assert cannot_judge(libraries.coverage_notes()) == ["this one is not known, its waits are not seen: ValueError: no"]
    assert libraries.refused[0] == "this one is not known, its waits are not seen: ValueError: no"


def test_a_version_that_was_not_checked_is_said(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(distribution: str) -> str:
        return "9.1" if distribution == "aiologic" else ""

    monkeypatch.setattr(library_registry, "_version", installed)
    libraries = LibraryRegistry([page["AIOLOGIC"]])
    libraries.activate_imported()
    assert libraries.coverage_notes() == ["aiologic 9.1 was not checked: holders and waits may be missing"]


def test_functions_that_raise_cost_their_own_part_of_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a wait is for is not known then, but that it is there; and one that may have a timer is never proven."""

    def find(*_: Any) -> Waiting:
        return _raises()

    support = Support(
        resource_types=(ResourceType(_Thing, (NodeKind.LOCK,), _read),),
        task_waits=(TaskWait(code_of(_Thing, "wait"), operation("lock.acquire"), find=find),),
        deadline=_raises,
        cancelled_by=_raises,
        find_pools=_raises,
        managers=(_Thing,),
        held_by_manager=_raises,
    )
    _install(monkeypatch, _Broken("broken", lambda: support))
    lock = asyncio.Lock()

    async def other() -> None:
        async with lock:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.gather(
            asyncio.create_task(_Thing().wait(), name="waits"), asyncio.create_task(other(), name="other")
        )

    with world() as made:
        _run(made, "loop", main)
        seen = made.until(lambda seen: _task(seen, "waits") is not None and _task(seen, "waits").wait is not None)
        seen = made.look()
        waits, other_task = _task(seen, "waits"), _task(seen, "other")
        assert waits.wait.operation == "future"
        assert waits.wait.deadline_ns is not None
        assert other_task.wait.deadline_ns is not None
        held = [
            edge.dst for edges in seen.observation.edges.values() for edge in edges if edge.kind is EdgeKind.HELD_BY
        ]
        assert other_task.id in held
        notes = [note for note in seen.observation.coverage if note.startswith("broken: ")]
        assert {note.partition(" could")[0] for note in notes} == {
            "broken: waits",
            "broken: deadlines",
            "broken: pools",
        }


def _read(_thing: Any, _around: Around) -> State:
    return _raises()


def test_an_installed_package_brings_one_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        metadata.EntryPoint("threads", f"{THREADING.__class__.__module__}:THREADING", library_registry.ENTRY_POINTS),
        metadata.EntryPoint("gone", "no_such_module_of_ours:THING", library_registry.ENTRY_POINTS),
    ]

    def entry_points(*, group: str) -> list[metadata.EntryPoint]:
        return points if group == "peeps_otel.probes" else []

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    library_registry.installed.cache_clear()
    try:
        assert library_registry.installed() == (THREADING,)
    finally:
        library_registry.installed.cache_clear()
