# SPDX-License-Identifier: Apache-2.0
"""Work that stays queued: behind workers that are busy, and behind workers whose waits nobody ends."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.model import AttributeValue, Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_ASKED: dict[str, AttributeValue] = {"peeps.could_end.asked": START}


def _world(said: dict[str, AttributeValue], workers: int = 2) -> World:
    """`fetch` waits for work that is queued behind workers which wait for messages."""
    world = World()
    box = world.resource(NodeKind.RX, "messages", providers=Providers.OPEN)
    world.nodes[box] = replace(world.nodes[box], attributes=said)
    threads = [world.thread(f"pool_{number}", box, operation="queue.get") for number in range(workers)]
    pool = world.resource(
        NodeKind.EXECUTOR,
        "pool",
        *threads,
        providers=Providers.OPEN,
        peeps__executor__worker_limit=workers,
        peeps__executor__queued=1,
    )
    lookup = world.resource(NodeKind.FUTURE, "getaddrinfo", pool, providers=Providers.OPEN)
    world.task("fetch", lookup, operation="executor")
    return world


_SAID = (
    "fetch waits for work queued in executor pool, whose 2 workers all wait, as does thread pool_0, which waits for an "
    "item from Queue messages at app/work.py:2"
)


def test_workers_whose_waits_nobody_ends_are_a_suspicion_once_the_heap_was_asked() -> None:
    found = [one for one in brief(diagnose(_world(_ASKED), after=20 * SECOND)) if one[0] == "executor_saturated"]
    assert found == [("executor_saturated", "SUSPECT", _SAID)]
    assert ("executor_saturated", "SLOW", _SAID) in brief(diagnose(_world({}), after=20 * SECOND))
    assert ("executor_saturated", "SLOW", _SAID) in brief(diagnose(_world(_ASKED), after=9 * SECOND))


def test_it_is_slow_while_somebody_could_end_them() -> None:
    by_a_call = _ASKED | {"peeps.could_end.outside": "whoever calls what publish uses put"}
    assert brief(diagnose(_world(by_a_call), after=60 * SECOND)) == [("executor_saturated", "SLOW", _SAID)]
    by_a_thread = _world(_ASKED)
    by_a_thread.edges.append(Edge(EdgeKind.COULD_END, "rx:messages", by_a_thread.thread("publisher")))
    assert brief(diagnose(by_a_thread, after=60 * SECOND)) == [("executor_saturated", "SLOW", _SAID)]


def test_the_only_worker_is_told_as_such() -> None:
    (found,) = diagnose(_world(_ASKED | {"peeps.could_end.outside": "timer tick"}, workers=1), after=9 * SECOND)
    assert found.title == (
        "fetch waits for work queued in executor pool, whose only worker is thread pool_0, which waits for an item "
        "from Queue messages at app/work.py:2"
    )
