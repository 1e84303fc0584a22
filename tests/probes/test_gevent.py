# SPDX-License-Identifier: Apache-2.0
"""gevent's greenlets: what they wait for, who has it, until when; and what is said of them.

Where gevent has patched the whole process: `tests/surroundings`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from peeps_otel.model import Finding
from peeps_otel.probes.internals import gevent as internals
from tests.probes.gevent_world import Spawn, Watched, event, findings, gevent, hub
from tests.support.waiting import eventually

lock: Any = pytest.importorskip("gevent.lock")
queue: Any = pytest.importorskip("gevent.queue")
pools: Any = pytest.importorskip("gevent.pool")


@pytest.fixture
def watched() -> Generator[Watched]:
    made = Watched()
    yield made
    made.spawned.uninstall()


def _takes(first: Any, second: Any) -> None:
    with first:
        gevent.sleep(0.01)
        with second:
            pass


def _holds(thing: Any) -> None:
    with thing:
        gevent.sleep(1000)


@pytest.mark.parametrize(
    ("make", "operation", "kind"),
    [
        (lambda: lock.BoundedSemaphore(1), "semaphore.acquire", "semaphore"),
        (lock.RLock, "lock.acquire", "lock"),
    ],
)
def test_who_has_what_somebody_waits_for(make: Callable[[], Any], operation: str, kind: str, watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        thing = make()
        spawn("holder", _holds, thing)
        gevent.sleep(0)

        def waiter() -> None:
            thing.acquire()

        spawn("waiter", waiter)

    with hub(main):
        seen = watched.settled("waiter")
        assert seen.operation("waiter") == operation
        (thing,) = seen.needs("waiter")
        assert thing.partition(" ")[0] == kind
        assert (seen.holders(thing), seen.node(thing).providers) == (["task holder"], "estimated")


def test_two_locks_in_opposite_orders_are_a_deadlock_that_is_likely(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        db, cache = lock.BoundedSemaphore(1), lock.RLock()
        spawn("left", _takes, db, cache)
        spawn("right", _takes, cache, db)

    with hub(main):
        watched.settled("left", "right")
        (found,) = findings(watched)
        assert (found.kind, found.level) == ("deadlock", "LIKELY")


def test_greenlets_that_wait_for_each_others_end(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        both: list[Any] = []

        def one() -> None:
            gevent.sleep(0.01)
            both[1].join()

        def other() -> None:
            gevent.sleep(0.01)
            gevent.joinall(both[:1])

        both.extend([spawn("one", one), spawn("other", other)])

    with hub(main):
        watched.settled("one", "other")
        (found,) = findings(watched)
        assert (found.kind, found.level) == ("deadlock", "LIKELY")


@pytest.mark.parametrize("way", ["argument", "block", "variable"])
def test_a_wait_with_a_timeout_is_no_deadlock(way: str, watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        db, cache = lock.BoundedSemaphore(1), lock.BoundedSemaphore(1)

        def bounded() -> None:
            with cache:
                gevent.sleep(0.01)
                if way == "argument":
                    db.acquire(timeout=500)
                elif way == "block":
                    with gevent.Timeout(500):
                        db.acquire()
                else:
                    timeout = gevent.Timeout.start_new(500)
                    db.acquire()
                    timeout.close()

        spawn("left", _takes, db, cache)
        spawn("bounded", bounded)

    with hub(main):
        seen = watched.settled("left", "bounded")
        wait = seen.task("bounded").wait
        assert wait is not None
        assert wait.deadline_ns is not None
        assert findings(watched) == []


def test_both_ends_of_a_queue(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        full, empty = queue.Queue(1), queue.Queue()
        full.put(1)

        def putter() -> None:
            full.put(2)

        def getter() -> None:
            for _ in empty:
                pass

        spawn("putter", putter)
        spawn("getter", getter)
        spawn("named", lambda: empty.get())

    with hub(main):
        names = ("putter", "getter", "named")
        seen = watched.settled(*names)
        assert [seen.operation(name) for name in names] == ["queue.put", "queue.get", "queue.get"]
        assert [seen.needs(name) for name in names] == [["tx full"], ["rx empty"], ["rx empty"]]
        attributes = seen.node("tx full").attributes
        names = ("length", "capacity", "waiters")
        assert [attributes[f"peeps.channel.{name}"] for name in names] == [1, 1, 1]


def test_events_results_and_groups(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        ready, answer, group = event.Event(), event.AsyncResult(), pools.Group()
        group.add(spawn("for-event", lambda: ready.wait()))
        group.add(spawn("for-answer", lambda: answer.get()))
        spawn("for-group", group.join)
        spawn("for-one", lambda: gevent.joinall(list(group), count=1))

    with hub(main):
        seen = watched.settled("for-event", "for-answer", "for-group", "for-one")
        assert [seen.operation(name) for name in ("for-event", "for-answer", "for-group", "for-one")] == [
            *("event.wait", "event.wait", "greenlet.joinall", "greenlet.joinall")
        ]
        assert seen.needs("for-group") == seen.needs("for-one") == ["task for-answer", "task for-event"]
        waits = [seen.task(name).wait for name in ("for-group", "for-one")]
        assert [wait.needs for wait in waits if wait is not None] == [2, 1]


def test_a_pool_whose_greenlets_want_more_of_it(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        pool = pools.Pool(2)

        def again() -> None:
            gevent.sleep(0.01)
            pool.spawn(gevent.sleep).join()

        pool.spawn(again)
        pool.spawn(again)
        del spawn

    with hub(main):
        name = "test_a_pool_whose_greenlets_want_more_of_it.<locals>.main.<locals>.again"
        watched.settled(name, f"{name} #2")
        (found,) = findings(watched)
        assert (found.kind, found.level) == ("deadlock", "LIKELY")
        assert found.title == f"{name} and {name} #2 wait for Pool pool, held by themselves"


def test_who_goes_on_is_not_taken_to_wait_all_the_time(watched: Watched) -> None:
    def main(spawn: Spawn) -> None:
        items, turn = queue.Queue(), lock.BoundedSemaphore(1)

        def consumer() -> None:
            while True:
                seen = items.get()
                assert seen

        def producer() -> None:
            number = 1000
            while True:
                number += 1
                items.put(number)
                gevent.sleep(0.002)

        def user() -> None:
            while True:
                with turn:
                    gevent.sleep(0.002)
                gevent.sleep(0.001)  # else it is his again before the other one can have it

        for name, function in (("consumer", consumer), ("producer", producer), ("user", user), ("other-user", user)):
            spawn(name, function)

    with hub(main):
        steps: dict[str, set[int | None]] = {"consumer": set(), "user": set(), "other-user": set()}

        def moved() -> bool:
            seen = watched.look()
            for name, met in steps.items():
                met.update(node.steps for node in seen.nodes.values() if node.name == name)
            return all(len(met) > 5 for met in steps.values())

        eventually(moved)
        assert findings(watched) == []


def test_greenlets_that_were_started_before_us_and_raw_ones_are_found() -> None:
    def main(spawn: Spawn) -> None:
        never = event.Event()
        spawn("early", lambda: never.wait())
        gevent.spawn_raw(never.wait)

    with hub(main):
        watched = Watched(listens=False)
        watched.spawned.install()
        try:
            seen = watched.settled("early")
            assert seen.operation("early") == "event.wait"
            assert seen.node("event never").attributes["peeps.resource.waiters"] == 2
            assert len([node for node in seen.nodes.values() if node.kind == "task"]) == 3  # and the thread's first one
        finally:
            watched.spawned.uninstall()


def test_where_nobody_tells_of_greenlets_that_is_said() -> None:
    def main(spawn: Spawn) -> None:
        spawn("waiter", gevent.sleep, 1000)

    with hub(main):
        seen = Watched(listens=False).look()
        assert "blind: gevent: greenlets are not seen where nothing is recorded" in seen.observation.coverage


def test_several_hubs(watched: Watched) -> None:
    def first(spawn: Spawn) -> None:
        spawn("here", _holds, lock.BoundedSemaphore(1))

    def second(spawn: Spawn) -> None:
        spawn("there", _holds, lock.BoundedSemaphore(1))

    with hub(first, "first-hub"), hub(second, "second-hub"):
        seen = watched.settled("here", "there")
        threads = [seen.nodes[str(seen.task(name).attributes["peeps.task.thread"])].name for name in ("here", "there")]
        assert threads == ["first-hub", "second-hub"]
    assert not {"here", "there"} & {node.name for node in watched.look().nodes.values()}


@pytest.mark.parametrize("way", ["computes", "sleeps"])
def test_a_hub_that_does_not_come_round(way: str, watched: Watched) -> None:
    go_on = threading.Event()

    def main(spawn: Spawn) -> None:
        def blocks() -> None:
            gevent.sleep(0.05)
            while way == "computes" and not go_on.is_set():
                pass
            go_on.wait()

        spawn("blocks", blocks)
        spawn("others", gevent.sleep, 0.1)

    with hub(main):
        try:

            def found() -> Finding | None:
                return next(iter(findings(watched)), None)

            finding = eventually(found)
            assert (finding.kind, finding.level) == ("loop_blocked", "SUSPECT")
            assert "gevent: `get_hub().threadpool.apply`" in finding.advice
            seen = watched.look()
            assert "peeps.task.step_since" in seen.task("blocks").attributes
        finally:
            go_on.set()


def test_many_who_wait_for_one_thing_are_found_in_one_reading_of_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: by the probe, and by the state of the thing."""
    links, read = internals.links, list[int]()

    def counted(types: Any, thing: Any) -> Iterator[Any]:
        read.append(id(thing))
        return links(types, thing)

    def main(spawn: Spawn) -> None:
        never = event.Event()
        begun = list[None]()

        def waits() -> None:
            begun.append(None)
            never.wait()

        for _ in range(300):
            gevent.spawn(waits)
        spawn("one", lambda: never.wait())
        while len(begun) < 300:  # a turn of the hub begins only some of them
            gevent.sleep(0)

    with hub(main):
        monkeypatch.setattr(internals, "links", counted)
        seen = watched.look()
        waiting = [
            node for node in seen.nodes.values() if node.wait is not None and node.wait.operation == "event.wait"
        ]
        assert len(waiting) > 300
        assert len(read) < 10
