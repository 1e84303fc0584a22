# SPDX-License-Identifier: Apache-2.0
"""A wait that nobody ends any more begins where somebody died."""

from __future__ import annotations

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis.incremental_index import IncrementalIndex
from peeps_otel.model import Confidence, Edge, EdgeKind, Finding, Node, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, diagnose

_LONG = 3 * SECOND


def _died(world: World, name: str, had: str, used: bool = True, line: int = 36, at: int = 0, of: str = "task") -> str:
    """Somebody whom a ValueError has ended, `at` nanoseconds after START."""
    node_id = f"custom:{name}-{line}"
    attributes = {"peeps.died.as": of, "peeps.died.of": "ValueError", "peeps.died.at": START + at}
    source = f"/srv/shop/app/pipeline.py:{line}"
    world.nodes[node_id] = Node(node_id, NodeKind.CUSTOM, name, START + at, source, attributes=attributes)
    confidence = Confidence.EXACT if used else Confidence.INFERRED
    world.edges.append(Edge(EdgeKind.HAD, node_id, had, START + at, confidence=confidence))
    return node_id


def _full() -> World:
    world = World()
    world.queue("ready", 2, 2)
    world.task("reader", "tx:ready", operation="queue.put")
    return world


def _only(world: World) -> Finding:
    (finding,) = diagnose(world, after=_LONG)
    return finding


def test_the_finding_opens_at_the_line_that_raised() -> None:
    world = _full()
    writer = _died(world, "writer", "tx:ready")
    finding = _only(world)
    assert finding.title == (
        "reader waits to put into Queue ready (2/2); "
        "writer, the only one seen that took from it, died of ValueError at app/pipeline.py:36"
    )
    assert finding.look_at == "/srv/shop/app/pipeline.py:36"
    assert finding.advice.startswith("Catch what raised there, or pass it on to those who wait. ")
    step = finding.evidence[-1]
    assert (step.waiter, step.resource, step.since_ns, step.wait_source) == (
        writer,
        "tx:ready",
        START,
        "/srv/shop/app/pipeline.py:36",
    )
    assert step.text == "writer, which took from Queue ready, died of ValueError at app/pipeline.py:36"
    assert finding.core == ["task:reader", "tx:ready"]


def test_a_thread_is_called_one() -> None:
    world = _full()
    _died(world, "writer", "tx:ready", of="thread")
    assert "; thread writer, the only one seen that" in _only(world).title


def test_who_only_had_it_is_told_and_the_waiter_stays_the_line_to_open() -> None:
    world = _full()
    _died(world, "bystander", "tx:ready", used=False)
    finding = _only(world)
    assert finding.title.endswith("; bystander, which had it, died of ValueError at app/pipeline.py:36")
    assert finding.look_at == "/srv/shop/app/work.py:2"


def test_who_used_it_goes_before_who_only_had_it_and_the_last_comes_first() -> None:
    world = _full()
    _died(world, "bystander", "tx:ready", used=False, line=1, at=3)
    for number in range(3):
        _died(world, "writer", "tx:ready", line=40 + number, at=number)
    finding = _only(world)
    assert finding.title.endswith(
        "; writer, which took from it, died of ValueError at app/pipeline.py:42; "
        "writer, which took from it, died of ValueError at app/pipeline.py:41; and 1 more"
    )
    assert [step.wait_source.rpartition(":")[2] for step in finding.evidence[1:]] == ["42", "41"]


def test_alike_ones_are_told_once() -> None:
    world = _full()
    for number in range(2):
        node = _died(world, "writer", "tx:ready", at=number)
        world.nodes[f"{node}-{number}"] = world.nodes[node]
    assert len(_only(world).evidence) == 2


def test_a_lock_that_somebody_living_has_is_not_blamed_on_the_dead() -> None:
    world = World()
    world.resource(NodeKind.EVENT, "reply", providers=Providers.OPEN)
    world.lock("db", "task:holder")
    world.task("holder", "event:reply", operation="event.wait", since=START - SECOND)
    world.task("waiter", "lock:db")
    _died(world, "writer", "lock:db")
    assert "died" not in _only(world).title


@pytest.mark.parametrize(
    ("kind", "did"),
    [(NodeKind.LOCK, "took"), (NodeKind.SEMAPHORE, "took")],
)
def test_what_it_did_with_the_thing(kind: NodeKind, did: str) -> None:
    world = World()
    thing = world.resource(kind, "db", providers=Providers.OPEN)
    world.nodes[thing].attributes.update({"peeps.lock.locked": True, "peeps.semaphore.available": 0})
    world.task("waiter", thing)
    _died(world, "writer", thing)
    assert _only(world).title.endswith(f"; writer, which {did} it, died of ValueError at app/pipeline.py:36")


def test_the_dead_do_not_end_anything() -> None:
    """They are no takers that might still come: the level is that of a queue nobody is seen with."""
    bare, with_dead = _full(), _full()
    _died(with_dead, "writer", "tx:ready")
    assert _only(bare).level is _only(with_dead).level


def test_the_index_that_is_kept_forgets_them_with_their_nodes() -> None:
    index, world = IncrementalIndex(), _full()
    node = _died(world, "writer", "tx:ready")
    other = _died(world, "other", "tx:ready", line=37)
    edges = {edge.src: (edge,) for edge in world.edges if edge.kind is EdgeKind.HAD}
    for one in (node, other):
        index.put(one, world.nodes[one], edges[one])
    assert [edge.src for edge in index.dead["tx:ready"]] == [node, other]
    index.put(node, None, ())
    assert [edge.src for edge in index.dead["tx:ready"]] == [other]
    index.put(other, None, ())
    assert dict(index.dead) == {}


def _ring(kind: NodeKind) -> World:
    """Somebody waits for a thing that only who waits for his end could bring."""
    world = World()
    thing = world.resource(kind, "thing", providers=Providers.OPEN)
    shard = world.task("shard", thing, operation=f"{kind}.wait")
    main = world.task("main", shard, operation="task")
    world.nodes[thing].attributes[semconv.COULD_END_ASKED] = START
    world.edges.append(Edge(EdgeKind.COULD_END, thing, main, START))
    return world


def test_a_ring_through_what_the_dead_was_to_bring_opens_where_it_died() -> None:
    world = _ring(NodeKind.BARRIER)
    _died(world, "shard-2", "barrier:thing")
    (finding,) = [one for one in diagnose(world, after=20 * SECOND) if one.kind == "deadlock"]
    assert finding.title.endswith("; shard-2, which was to come to it, died of ValueError at app/pipeline.py:36")
    assert finding.look_at == "/srv/shop/app/pipeline.py:36"


def test_a_ring_says_nothing_of_a_dead_who_merely_had_it() -> None:
    world = _ring(NodeKind.BARRIER)
    _died(world, "shard-2", "barrier:thing", used=False)
    (finding,) = [one for one in diagnose(world, after=20 * SECOND) if one.kind == "deadlock"]
    assert "died" not in finding.title
