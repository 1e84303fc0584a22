# SPDX-License-Identifier: Apache-2.0
"""Which waits the heap is asked about, and when."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import SimpleNamespace
from typing import Any

import pytest

from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import NodeKind, Providers
from peeps_otel.probes.heap.leaks import LeakReport
from peeps_otel.probes.heap.question import Answer
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher import heap_question
from peeps_otel.watcher.heap_question import HeapQuestion
from peeps_otel.watcher.purse import Purse
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
        (NodeKind.LOCK, True, []),
    ],
)
def test_a_ring_that_is_told_only_by_the_answer_is_asked_about_sooner(
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


class _Watched:
    """A program in which somebody waits for an event; a question to its heap would take `cost_ns`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost_ns: int) -> None:
        self.clock_ns, self.cost_ns = 100 * SECOND, cost_ns
        clock = SimpleNamespace(monotonic_ns=lambda: self.clock_ns, thread_time_ns=lambda: 0)
        monkeypatch.setattr(heap_question, "time", clock)
        self.asked: list[int | None] = []
        world = World()
        world.task("a", world.resource(NodeKind.EVENT, "news", providers=Providers.OPEN))
        self.graph = world.graph()
        self.heap = HeapQuestion(_Living(), self._ask)
        self.heap.started = lambda function, *arguments: function(*arguments)
        self.heap.purse = Purse(0.01, 0)
        for _ in range(2):
            self.heap.purse.looked()

    def _ask(self, things: list[Any], blocked: list[Any], most_ns: int | None) -> Answer:
        self.asked.append(most_ns)
        if most_ns is not None and most_ns < self.cost_ns:
            return Answer([], LeakReport([]), not_asked="too dear", cpu_ns=most_ns, is_too_dear=True)
        return Answer([[]], LeakReport([]), cpu_ns=self.cost_ns)

    def look(self, after_s: float = 10) -> list[str]:
        """What the next look says of the heap."""
        self.clock_ns += int(after_s * SECOND)
        observation = Observation(dict(self.graph.nodes), {}, [])
        self.heap.lay(observation)
        self.heap.look(observation, WaitGraph(self.graph, frozenset()), START + 100 * SECOND)
        return observation.coverage


class _Living(_Objects):
    def things(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        return dict.fromkeys(wanted, self)


def test_a_question_is_bounded_and_one_that_is_too_dear_is_said_and_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = _Watched(monkeypatch, 2 * SECOND)
    assert watched.look() == []
    assert watched.asked == [405_000_000]
    watched.look()  # takes the answer
    assert watched.look() == [
        "heap: not asked who could end some waits: a question takes more than 0.4 s of processor time, "
        "and 0.4 s are allowed unless somebody asks"
    ]
    for _ in range(40):
        watched.look()
    assert len(watched.asked) == 1
    for _ in range(30):  # once in ten minutes it is tried again
        watched.look()
    assert watched.asked == [405_000_000] * 2


def test_who_asks_is_answered_at_once_whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = _Watched(monkeypatch, 2 * SECOND)
    for _ in range(3):
        watched.look()
    watched.heap.request()
    watched.look(0.1)
    assert watched.asked == [405_000_000, None]
    assert watched.look(0.1) == []
