# SPDX-License-Identifier: Apache-2.0
"""A server whose threads all wait for what only one more request could bring."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.model import AttributeValue, Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_ASKED: dict[str, AttributeValue] = {"peeps.could_end.asked": START}
_BY_A_CALL: dict[str, AttributeValue] = {
    **_ASKED,
    "peeps.could_end.open": "notify uses set",
    "peeps.could_end.outside": "whoever calls what notify uses set",
}


def _world(
    said: dict[str, AttributeValue], workers: int = 1, limit: int = 1, queued: int = 1, handles: bool = True
) -> World:
    """Each worker handles `shop.Orders/Wait` and waits for the event `done`."""
    world = World()
    done = _event(world, "done", said)
    threads = [world.thread(f"rpc_{number}", done, operation="event.wait") for number in range(workers)]
    world.resource(
        NodeKind.EXECUTOR,
        "rpc",
        *threads,
        providers=Providers.OPEN,
        peeps__executor__worker_limit=limit,
        peeps__executor__queued=queued,
    )
    for thread in threads if handles else ():
        call = world.resource(NodeKind.RESPONSE, f"of {thread}")
        world.nodes[call] = replace(world.nodes[call], name="shop.Orders/Wait")
        world.edges.append(Edge(EdgeKind.HANDLED_BY, call, thread, START))
    return world


def _event(world: World, name: str, said: dict[str, AttributeValue]) -> str:
    event = world.resource(NodeKind.EVENT, name, providers=Providers.OPEN)
    world.nodes[event] = replace(world.nodes[event], attributes=said)
    return event


_SAID = (
    "executor rpc has no worker left: its only worker handles shop.Orders/Wait and waits for Event done at "
    "app/work.py:2, while more is queued"
)


def test_a_function_that_a_request_would_call_is_no_way_out_where_no_thread_is_left_for_it() -> None:
    world = _world(_BY_A_CALL)
    assert diagnose(world, after=4 * SECOND) == []
    assert brief(diagnose(world, after=9 * SECOND)) == [("pool_exhausted", "SLOW", _SAID)]
    (found,) = diagnose(world, after=20 * SECOND)
    assert brief([found]) == [("pool_exhausted", "SUSPECT", _SAID)]
    assert found.advice.startswith("notify uses set, which could end that wait, but no thread is left for the request.")


def test_as_long_as_the_heap_was_not_asked_it_is_slow() -> None:
    assert brief(diagnose(_world({}), after=20 * SECOND)) == [("pool_exhausted", "SLOW", _SAID)]


def test_several_workers_are_told_by_the_one_that_has_waited_longest() -> None:
    (found,) = diagnose(_world(_BY_A_CALL, workers=2, limit=2), after=20 * SECOND)
    assert found.title == (
        "executor rpc has no worker left: its 2 workers handle shop.Orders/Wait and wait for Event done at "
        "app/work.py:2, while more is queued"
    )


def test_one_more_thread_an_empty_queue_or_work_that_is_no_request_are_no_trouble() -> None:
    for world in (
        _world(_BY_A_CALL, limit=2),
        _world(_BY_A_CALL, queued=0),
        _world(_BY_A_CALL, handles=False),
    ):
        assert diagnose(world, after=60 * SECOND) == []


def test_nor_is_it_where_a_timer_or_somebody_who_goes_on_could_end_the_wait() -> None:
    by_a_timer = _world(_ASKED | {"peeps.could_end.outside": "timer Event.set"})
    assert diagnose(by_a_timer, after=60 * SECOND) == []
    by_a_thread = _world(_BY_A_CALL)
    by_a_thread.edges.append(Edge(EdgeKind.COULD_END, "event:done", by_a_thread.thread("publisher")))
    assert diagnose(by_a_thread, after=60 * SECOND) == []


def test_it_is_where_that_one_waits_for_such_a_thing_himself() -> None:
    world = _world(_BY_A_CALL)
    tick = _event(world, "tick", _BY_A_CALL)
    publisher = world.thread("publisher", tick, operation="event.wait")
    world.edges.append(Edge(EdgeKind.COULD_END, "event:done", publisher))
    found = diagnose(world, after=20 * SECOND)
    assert [one for one in brief(found) if one[0] == "pool_exhausted"] == [("pool_exhausted", "SUSPECT", _SAID)]
