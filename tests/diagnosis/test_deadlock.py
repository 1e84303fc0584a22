# SPDX-License-Identifier: Apache-2.0
"""Deadlocks: which there are, how sure, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Edge, EdgeKind, EvidenceStep, FindingKind, Level, NodeKind, Providers, finding_id
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _two_locks(providers: Providers = Providers.CLOSED) -> World:
    world = World()
    world.lock("db", "task:worker-a", providers=providers)
    world.lock("cache", "task:worker-b", providers=providers)
    world.task("worker-a", "lock:cache")
    world.task("worker-b", "lock:db", since=START + 5)
    return world


def test_two_locks_in_full() -> None:
    (finding,) = diagnose(_two_locks())
    core = ["lock:cache", "lock:db", "task:worker-a", "task:worker-b"]
    assert (finding.id, finding.kind, finding.level) == (
        finding_id(FindingKind.DEADLOCK, core),
        FindingKind.DEADLOCK,
        Level.PROVEN,
    )
    assert finding.title == (
        "worker-a waits for Lock cache, held by worker-b, which waits for Lock db, held by worker-a"
    )
    assert finding.since_ns == START + 5
    assert finding.core == core
    assert finding.cycle == ["lock:cache", "task:worker-b", "lock:db", "task:worker-a"]
    assert finding.blocked == []
    assert finding.advice == (
        "Take Lock cache and Lock db in the same order everywhere. Cancelling one of the tasks breaks the ring."
    )
    assert finding.break_first == "worker-a: it took Lock db last at app/hold.py:2"
    assert finding.look_at == "/srv/shop/app/work.py:5"
    # The ring is told from the one on who has waited longest.
    assert finding.evidence == [
        EvidenceStep(
            waiter="task:worker-a",
            resource="lock:cache",
            holder="task:worker-b",
            since_ns=START,
            text="worker-a waits for Lock cache at app/work.py:5; worker-b holds it, taken at app/hold.py:4",
            wait_source="/srv/shop/app/work.py:5",
            hold_since_ns=START - SECOND,
            hold_source="/srv/shop/app/hold.py:4",
            holder_doing="waits for Lock db at app/work.py:6",
        ),
        EvidenceStep(
            waiter="task:worker-b",
            resource="lock:db",
            holder="task:worker-a",
            since_ns=START + 5,
            text="worker-b waits for Lock db at app/work.py:6; worker-a holds it, taken at app/hold.py:2",
            wait_source="/srv/shop/app/work.py:6",
            hold_since_ns=START - SECOND,
            hold_source="/srv/shop/app/hold.py:2",
            holder_doing="waits for Lock cache at app/work.py:5",
        ),
    ]


def test_nothing_before_two_looks() -> None:
    diagnoser = Diagnoser()
    assert diagnoser.look(_two_locks().graph(), START + 9 * SECOND) == []
    assert len(diagnoser.look(_two_locks().graph(), START + 10 * SECOND)) == 1


def test_nothing_where_the_wait_is_too_young() -> None:
    assert diagnose(_two_locks(), after=SECOND // 50) == []


@pytest.mark.parametrize("who", ["task:worker-a", "task:worker-b"])
def test_nothing_where_a_member_advanced_between_the_looks(who: str) -> None:
    world, diagnoser = _two_locks(), Diagnoser()
    diagnoser.look(world.graph(), START + SECOND)
    assert diagnoser.look(world.advanced(who), START + 2 * SECOND) == []
    assert len(diagnoser.look(world.advanced(who), START + 3 * SECOND)) == 1


def test_nothing_where_a_member_is_in_another_wait() -> None:
    diagnoser = Diagnoser()
    diagnoser.look(_two_locks().graph(), START + SECOND)
    other = _two_locks()
    wait = other.nodes["task:worker-a"].wait
    assert wait is not None
    wait.since_ns += 1
    assert diagnoser.look(other.graph(), START + 2 * SECOND) == []


def test_the_same_finding_has_the_same_id_and_title_later() -> None:
    diagnoser = Diagnoser()
    (first,) = diagnose(_two_locks(), diagnoser=diagnoser)
    (second,) = diagnoser.look(_two_locks().graph(), START + 900 * SECOND)
    assert first == second


def test_estimated_providers_are_never_proven() -> None:
    findings = diagnose(_two_locks(Providers.ESTIMATED))
    title = "worker-a waits for Lock cache, held by worker-b, which waits for Lock db, held by worker-a"
    assert brief(findings) == [("deadlock", "LIKELY", title)]


def test_one_estimated_provider_is_enough() -> None:
    world = _two_locks()
    world.nodes["lock:db"].providers = Providers.ESTIMATED
    assert [finding.level for finding in diagnose(world)] == [Level.LIKELY]


def test_open_providers_are_never_proven() -> None:
    assert Level.PROVEN not in {f.level for f in diagnose(_two_locks(Providers.OPEN), after=60 * SECOND)}


@pytest.mark.parametrize("kind", [NodeKind.EVENT, NodeKind.CONDITION, NodeKind.RX, NodeKind.FUTURE, NodeKind.IO])
def test_a_ring_over_something_anybody_may_give_is_none(kind: NodeKind) -> None:
    world = World()
    world.lock("db", "task:a")
    world.resource(kind, "thing", "task:b", providers=Providers.OPEN)
    world.task("a", f"{kind}:thing")
    world.task("b", "lock:db")
    assert diagnose(world) == []


def test_one_of_two_with_a_runnable_one_is_no_deadlock() -> None:
    world = World()
    world.task("a", "task:b")
    world.task("b", "task:a", "task:c", needs=1, operation="wait")
    world.task("c")
    assert diagnose(world, after=60 * SECOND) == []


def test_one_of_two_where_both_are_stuck_is_one() -> None:
    world = World()
    world.task("a", "task:b")
    world.task("b", "task:a", "task:c", needs=1, operation="wait")
    world.task("c", "task:b")
    assert [(f.level, f.core) for f in diagnose(world)] == [(Level.PROVEN, ["task:a", "task:b", "task:c"])]


def test_a_node_that_is_not_in_the_graph_is_live() -> None:
    world = World()
    world.task("a", "task:b")
    world.task("b", "task:a", "task:ghost", needs=1)
    assert diagnose(world, after=60 * SECOND) == []


def test_all_of_several() -> None:
    world = World()
    world.lock("db", "task:main")
    world.task("main", "task:x", "task:y", operation="gather", cancels=True)
    world.task("x")
    world.task("y", "lock:db")
    (finding,) = diagnose(world)
    assert finding.title == "y waits for Lock db, held by main, which waits for the end of y"
    assert finding.level is Level.LIKELY  # x may raise, which ends the gather, the block and so the wait of y


def test_all_of_several_that_are_all_stuck() -> None:
    world = World()
    world.lock("db", "task:main")
    world.task("main", "task:x", "task:y", operation="gather", cancels=True)
    world.task("x", "lock:db")
    world.task("y", "lock:db")
    assert [finding.level for finding in diagnose(world)] == [Level.PROVEN]


def test_oneself() -> None:
    world = World()
    world.lock("db", "task:a")
    world.task("a", "lock:db")
    (finding,) = diagnose(world)
    assert (finding.level, finding.title, finding.advice) == (
        Level.PROVEN,
        "a waits for Lock db, held by itself",
        "Lock db is not reentrant: its holder must not take it again before releasing it.",
    )
    assert [step.text for step in finding.evidence] == [
        "a waits for Lock db at app/work.py:3; a holds it, taken at app/hold.py:2"
    ]


def test_a_thread_that_waits_for_what_itself_would_complete() -> None:
    """`run_coroutine_threadsafe(…).result()` on the loop's own thread: a future is no lock."""
    world = World()
    result = world.resource(NodeKind.FUTURE, "answer", "thread:main")
    world.thread("main", result)
    (finding,) = diagnose(world)
    assert finding.title == "thread main waits for future answer, to be completed by itself"
    assert finding.advice == (
        "app/work.py:3 blocks the thread that future answer would be completed by. Await it (asyncio.wrap_future), or "
        "wait for it in another thread (asyncio.to_thread)."
    )


def test_a_lasso_counts_its_tail_oldest_first() -> None:
    world = _two_locks()
    for number in range(5):
        world.task(f"tail-{number}", "lock:db" if number < 3 else "task:tail-0", since=START + 100 - number)
    (finding,) = diagnose(world)
    assert finding.core == ["lock:cache", "lock:db", "task:worker-a", "task:worker-b"]
    assert finding.blocked == [f"task:tail-{number}" for number in (4, 3, 2, 1, 0)]


def test_two_rings_are_two_findings_and_the_one_with_the_longer_tail_comes_first() -> None:
    world = _two_locks()
    world.task("p", "task:q")
    world.task("q", "task:p")
    world.task("r", "task:q")
    assert [(f.core[0], len(f.blocked)) for f in diagnose(world)] == [("task:p", 1), ("lock:cache", 0)]


def test_a_deadline_of_its_own_bounds_a_wait() -> None:
    world = _two_locks()
    world.task("worker-a", "lock:cache", deadline=START + 90 * SECOND)
    assert diagnose(world, after=60 * SECOND) == []


@pytest.mark.parametrize("cancels", [True, False])
def test_a_deadline_reaches_what_it_cancels_and_nothing_else(cancels: bool) -> None:
    world = _two_locks()
    world.task("parent", "task:child", deadline=START + 90 * SECOND, cancels=cancels)
    world.task("child", "task:worker-a", operation="task", cancels=True)
    world.edges = [e for e in world.edges if e.src != "task:worker-a" or e.kind is not EdgeKind.NEEDS]
    world.edges.append(Edge(EdgeKind.NEEDS, "task:worker-a", "lock:cache", START, cancels=cancels))
    assert [f.level for f in diagnose(world)] == ([] if cancels else [Level.PROVEN])


def test_a_shielded_child_is_not_bounded_by_its_parent() -> None:
    world = World()
    world.task("parent", "task:a", deadline=START + SECOND, operation="shield", cancels=False)
    world.lock("db", "task:a")
    world.task("a", "lock:db")
    assert brief(diagnose(world)) == [("deadlock", "PROVEN", "a waits for Lock db, held by itself")]


def test_two_of_one_name_are_told_apart_in_the_sentence() -> None:
    world = World()
    world.lock("db", "task:b")
    world.lock("cache", "task:a")
    world.task("a", "lock:db")
    world.task("b", "lock:cache")
    for one in ("task:a", "task:b"):
        world.nodes[one] = replace(world.nodes[one], name="transfer")
    assert [finding.title for finding in diagnose(world)] == [
        "transfer waits for Lock db, held by another transfer, which waits for Lock cache, held by the first transfer"
    ]


@pytest.mark.parametrize("kind", [NodeKind.LOCK, NodeKind.SEMAPHORE])
def test_one_who_takes_twice_what_no_block_gives_back_may_be_waiting_for_a_signal(kind: NodeKind) -> None:
    world = World()
    db = world.resource(kind, "db", "task:a", providers=Providers.ESTIMATED, bare=True)
    world.task("a", db)
    world.task("b", db)
    diagnoser = Diagnoser()
    assert diagnose(world, diagnoser=diagnoser) == []
    assert diagnoser.look(world.graph(), START + 59 * SECOND) == []  # the heap may know who releases it
    (finding,) = diagnoser.look(world.graph(), START + 61 * SECOND)
    label = "Lock" if kind is NodeKind.LOCK else "Semaphore"
    once = "a lock, take it once" if kind is NodeKind.LOCK else "a limit, never take one while having another"
    assert (finding.level, finding.title, finding.advice) == (
        Level.SUSPECT,
        f"a waits for {label} db, which it took itself at app/hold.py:2; only somebody else can release it",
        f"If {label} db is a signal or is handed over, find who should release it; if it is {once}.",
    )


def test_a_ring_through_such_a_lock_is_none() -> None:
    world = World()
    signal = world.lock("signal", "task:a", providers=Providers.ESTIMATED, bare=True)
    db = world.lock("db", "task:b")
    world.task("a", signal, db, needs=1, operation="wait")
    world.task("b", signal)
    assert diagnose(world) == []


def test_a_member_of_a_k_of_n_wait_that_is_not_enough() -> None:
    world = World()
    world.lock("db", "task:main")
    world.task("main", "task:x", "task:y", "task:z", needs=2, operation="wait")
    world.task("x")
    world.task("y", "lock:db")
    world.task("z")
    assert brief(diagnose(world, after=60 * SECOND)) == [
        (
            "held_across_wait",
            "SLOW",
            "y waits for Lock db, held by main, which waits for the end of x, which runs",
        )
    ]
    world.task("z", "lock:db")
    assert [(f.level, f.core) for f in diagnose(world)] == [
        (Level.PROVEN, ["lock:db", "task:main", "task:y", "task:z"])
    ]


def test_a_long_ring_is_told_in_short() -> None:
    world = World()
    for number in range(6):
        world.task(f"t{number}", f"task:t{(number + 1) % 6}")
    (finding,) = diagnose(world)
    assert finding.title == "6 tasks wait for each other in a ring: t0, t1, t2, t3 and 2 more"
    assert finding.advice == "Only cancelling one of these tasks can release the ring."
    assert len(finding.evidence) == 6


def test_two_consumers_that_put_into_each_other_s_full_queue() -> None:
    world = World()
    world.queue("left", 2, 2)
    world.queue("right", 2, 2)
    world.task("a", "tx:right", operation="queue.put")
    world.task("b", "tx:left", operation="queue.put")
    world.touches("task:a", "tx:left")
    world.touches("task:b", "tx:right")
    assert diagnose(world) == []
    (finding,) = diagnose(world, after=3 * SECOND)
    assert (finding.kind, finding.level) == (FindingKind.DEADLOCK, Level.LIKELY)
    assert finding.title == (
        "a waits to put into Queue right (2/2), which only b can drain, "
        "which waits to put into Queue left (2/2), which only a can drain"
    )


def test_two_locks_of_one_name_are_not_the_same() -> None:
    world = _two_locks()
    for one in ("lock:db", "lock:cache"):
        world.nodes[one] = replace(world.nodes[one], name="_guard")
    (finding,) = diagnose(world)
    assert finding.title == (
        "worker-a waits for Lock _guard, held by worker-b, which waits for another Lock _guard, held by worker-a"
    )


def test_the_ring_goes_through_who_does_not_stand_in_the_same_wait() -> None:
    """Two workers wait for an item at one line; by the heap each could put one for the other, and so could the one who
    waits for a worker."""
    world = World()
    queue = world.resource(NodeKind.RX, "rates", providers=Providers.ESTIMATED, peeps__could_end__asked=START)
    workers = [world.task(name, queue, operation="queue.get") for name in ("w1", "w2")]
    for one in workers:
        node = world.nodes[one]
        assert node.wait is not None
        world.nodes[one] = replace(node, wait=replace(node.wait, source="/srv/shop/app/price.py:9"))
    main = world.task("main", workers[0], operation="task.wait")
    world.edges += [Edge(EdgeKind.COULD_END, queue, one) for one in (*workers, main)]
    (finding,) = diagnose(world, after=30 * SECOND)
    assert finding.title == (
        "w1 waits for an item from Queue rates, which only main could put into, which waits for the end of w1"
    )


def test_the_ring_goes_through_the_workers_of_a_pool_not_through_who_waits_for_what_the_pool_owes() -> None:
    """By the heap, whoever has the pool could end what it owes: also the one who waits for that."""
    world = World()
    pool = world.resource(NodeKind.EXECUTOR, "pool", providers=Providers.ESTIMATED, peeps__could_end__asked=START)
    world.resource(NodeKind.FUTURE, "part", pool)
    main = world.thread("main", "future:part", operation="future.result")
    gate = world.resource(NodeKind.BARRIER, "gate", providers=Providers.ESTIMATED, peeps__could_end__asked=START)
    worker = world.thread("worker", gate, operation="barrier.wait")
    world.edges += [Edge(EdgeKind.COULD_END, thing, one) for thing in (pool, gate) for one in (main, worker)]
    (finding,) = diagnose(world, after=30 * SECOND)
    assert finding.title == (
        "thread main waits for future part, in the hands of thread worker, which waits for Barrier gate, which only "
        "thread main could come to"
    )


@pytest.mark.slow
def test_a_hundred_thousand_nodes() -> None:
    world = _two_locks()
    for number in range(100_000):
        world.task(f"t{number}", "lock:db" if number % 2 else f"task:t{number + 1}")
    (finding,) = diagnose(world)
    assert len(finding.blocked) == 100_000
