# SPDX-License-Identifier: Apache-2.0
"""Which waits the heap is asked about, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import pytest

from peeps_otel import native
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import NodeKind, Providers
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.leaks import LeakReport
from peeps_otel.probes.heap.question import Answer, BlockedThread
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.heap_question import HeapQuestion
from tests.diagnosis.world import SECOND, START, World


class _Objects:
    """Any object stands for any thing; `wanted` remembers what was asked for."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        self.wanted += sorted(wanted)
        return {}

    def task_nodes(self, addresses: AbstractSet[int]) -> dict[int, str]:
        return {}

    def thread_nodes(self) -> Mapping[int, str]:
        return {}

    def descriptors(self) -> dict[str, int]:
        return {}


def _asked(world: World, after_ns: int) -> list[str]:
    objects, graph = _Objects(), world.graph()
    observation = Observation(dict(graph.nodes), {}, [])
    HeapQuestion(objects).look(observation, WaitGraph(graph, frozenset()), START + after_ns)
    return objects.wanted


def _ring(kind: NodeKind, bare: bool) -> World:
    world = World()
    first = world.resource(kind, "first", "task:b", providers=Providers.ESTIMATED, bare=bare)
    second = world.resource(kind, "second", "task:a", providers=Providers.ESTIMATED, bare=bare)
    world.task("a", first)
    world.task("b", second)
    return world


@pytest.mark.parametrize(
    ("kind", "bare", "asked"),
    [
        (NodeKind.SEMAPHORE, True, ["semaphore:first", "semaphore:second"]),
        (NodeKind.SEMAPHORE, False, []),
        (NodeKind.LOCK, True, ["lock:first", "lock:second"]),
        (NodeKind.LOCK, False, []),
    ],
)
def test_a_ring_that_is_sure_only_by_the_answer_is_asked_about_sooner(
    kind: NodeKind, bare: bool, asked: list[str]
) -> None:
    assert _asked(_ring(kind, bare), 3 * SECOND // 2) == asked
    assert _asked(_ring(kind, bare), 4 * SECOND) == [f"{kind}:first", f"{kind}:second"]


def test_a_permit_whose_holder_goes_on_is_in_no_hurry() -> None:
    world = World()
    pool = world.resource(NodeKind.SEMAPHORE, "pool", "task:b", providers=Providers.ESTIMATED, bare=True)
    world.task("a", pool)
    world.task("b")
    assert _asked(world, 3 * SECOND // 2) == []


def _at_once(function: Callable[..., None], *arguments: Any) -> None:
    function(*arguments)


class _Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def time_ns(self) -> int:
        return self.now_ns

    def wait(self, event: native.Event, timeout_s: float) -> bool:
        raise AssertionError("nobody waits here")


class _Events(_Objects):
    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        self.events = {one: asyncio.Event() for one in wanted}
        return dict(self.events)


@pytest.mark.parametrize(("things_ns", "then"), [(SECOND, 600), (9 * SECOND, 500)])
def test_more_are_asked_about_at_a_time_where_they_cost_little_beside_the_picture(things_ns: int, then: int) -> None:
    world = World()
    for number in range(600):
        event = world.resource(NodeKind.EVENT, f"event-{number}", providers=Providers.OPEN)
        world.task(f"task-{number}", event)
    asked: list[int] = []

    def ask(things: list[Thing], _: list[BlockedThread]) -> Answer:
        asked.append(len(things))
        return Answer([[] for _ in things], LeakReport([]), cpu_ns=10 * SECOND, things_ns=things_ns)

    clock, graph = _Clock(), world.graph()
    heap = HeapQuestion(_Events(), ask, clock=clock)
    heap.started = _at_once
    for look in range(2):
        clock.now_ns += 20 * SECOND
        # As other tasks than before: the answer of the first question does not hold for them.
        nodes = {one: replace(node, steps=look) for one, node in graph.nodes.items()}
        heap.lay(Observation(nodes, {}, []))
        heap.look(Observation(nodes, {}, []), WaitGraph(graph, frozenset()), START + 10 * SECOND)
    assert asked == [500, then]
