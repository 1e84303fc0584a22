# SPDX-License-Identifier: Apache-2.0
"""Which waits the heap is asked about, and when."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import NodeKind, Providers
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
