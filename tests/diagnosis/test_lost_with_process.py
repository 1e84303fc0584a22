# SPDX-License-Identifier: Apache-2.0
"""What processes share: lost with one that died, and no loss at all while one that may end the wait lives."""

from __future__ import annotations

from peeps_otel.model import AttributeValue, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_DIED = "worker-1 (pid 4711), which died of SIGKILL"


def _shared(kind: NodeKind, operation: str, **attributes: AttributeValue) -> World:
    world = World()
    thing = world.resource(kind, "jobs", providers=Providers.OPEN)
    world.nodes[thing].attributes.update({key.replace("__", "."): value for key, value in attributes.items()})
    world.thread("MainThread", thing, operation=operation)
    return world


def test_a_queue_whose_other_end_died() -> None:
    world = _shared(NodeKind.RX, "queue.get", peeps__resource__lost_with=_DIED)
    assert diagnose(world, after=SECOND) == []
    assert brief(diagnose(world, after=20 * SECOND)) == [
        (
            "never_ends",
            "LIKELY",
            f"MainThread waits for an item from Queue jobs, which may be lost with {_DIED}; "
            "nobody else is left who could put into it",
        )
    ]


def test_a_lock_whose_owner_died() -> None:
    world = _shared(NodeKind.LOCK, "lock.acquire", peeps__resource__lost_with=_DIED, peeps__lock__locked=True)
    ((kind, level, title),) = brief(diagnose(world, after=20 * SECOND))
    assert (kind, level) == ("never_ends", "LIKELY")
    assert title.endswith("nobody else is left who could release it")


def test_a_result_of_a_pool_that_lost_a_worker_is_a_suspicion() -> None:
    world = _shared(NodeKind.FUTURE, "pool.result", peeps__resource__lost_with=_DIED)
    assert [level for _, level, _ in brief(diagnose(world, after=20 * SECOND))] == ["SUSPECT"]


def test_so_is_the_end_of_a_pool_that_did() -> None:
    about = {"peeps__resource__lost_with": _DIED, "peeps__resource__type": "multiprocessing.pool.Pool"}
    world = _shared(NodeKind.FUTURE, "pool.join", **about)
    ((kind, level, title),) = brief(diagnose(world, after=20 * SECOND))
    assert (kind, level) == ("never_ends", "SUSPECT")
    assert title.endswith(f" to have done all its work, of which a part may be lost with {_DIED}")


def test_a_process_that_lives_may_end_it_whatever_the_heap_of_this_one_says() -> None:
    for kind, operation in (
        (NodeKind.RX, "queue.get"),
        (NodeKind.EVENT, "event.wait"),
        (NodeKind.LOCK, "lock.acquire"),
        (NodeKind.FUTURE, "pool.result"),
    ):
        world = _shared(
            kind,
            operation,
            peeps__lock__locked=True,
            peeps__could_end__outside="worker-1 (pid 4711)",
            peeps__could_end__asked=START,
        )
        assert diagnose(world, after=600 * SECOND) == [], kind
