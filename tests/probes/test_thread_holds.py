# SPDX-License-Identifier: Apache-2.0
"""Who of the threads holds what, how sure that is, and since which line."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import Confidence, EdgeKind, Node, NodeKind, Providers
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.threads.probe import ThreadProbe
from tests.probes.program import here
from tests.probes.threads_world import Seen, World, world


def _waiter(w: World, lock: Any) -> None:
    """Somebody who waits for it, so that there is something to see."""

    def wait() -> None:
        lock.acquire()
        lock.release()

    w.start("waiter", wait)


def _held(w: World) -> tuple[Seen, Node]:
    seen = w.settled("waiter", "holder")
    (lock,) = seen.needed("waiter")
    return seen, lock


def _holder(w: World, hold: Callable[[threading.Event, threading.Event], None]) -> None:
    taken, done = threading.Event(), threading.Event()
    w.start("holder", lambda: hold(taken, done))
    assert taken.wait(10)
    w.cleaning.append(done.set)


def test_a_lock_in_a_block() -> None:
    lock = threading.Lock()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        with lock:  # <block>
            taken.set()
            done.wait()

    with world() as w:
        _holder(w, hold)
        _waiter(w, lock)
        seen, node = _held(w)
        assert seen.holders(node) == ["thread holder"]
        assert node.providers is Providers.CLOSED
        assert node.attributes[semconv.LOCK_LOCKED] is True
        (edge,) = seen.edges(node, EdgeKind.HELD_BY)
        assert edge.source == here("block")
        assert edge.confidence is Confidence.EXACT
        assert edge.since_ns is not None
        assert edge.since_ns <= time.time_ns()
        assert node.attributes[semconv.RESOURCE_TYPE] == "threading.Lock"
        again = w.look()
        assert again.nodes[node.id] is node
        assert again.observation.edges[node.id] is seen.observation.edges[node.id]


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


class _Guard:
    def __init__(self) -> None:
        self.mutex = threading.Lock()

    def __enter__(self) -> None:
        self.mutex.acquire()

    def __exit__(self, *_: object) -> None:
        self.mutex.release()


@contextlib.contextmanager
def _managed(lock: Any) -> Generator[None]:
    with lock:
        yield


def _by_stack(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock)
        taken.set()
        done.wait()


def _by_generator(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    with _managed(lock):
        taken.set()
        done.wait()


def _deep(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    def inner(depth: int) -> None:
        if depth:
            inner(depth - 1)
        else:
            taken.set()
            done.wait()

    for _ in range(1):
        try:
            with contextlib.suppress(KeyError), {"x": [lock]}["x"][0]:
                inner(30)
        finally:
            pass


def _in_handler(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    with lock:
        try:
            raise KeyError
        except KeyError:
            taken.set()
            done.wait()


@pytest.mark.parametrize("hold", [_by_stack, _by_generator, _deep, _in_handler])
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, lambda: threading.BoundedSemaphore(1)])
def test_every_kind_of_block_is_exact(hold: Callable[..., None], make: Callable[[], Any]) -> None:
    lock = make()
    with world() as w:
        _holder(w, lambda taken, done: hold(lock, taken, done))
        _waiter(w, lock)
        seen, node = _held(w)
        assert seen.holders(node) == ["thread holder"]
        assert node.providers is Providers.CLOSED
        assert seen.edges(node, EdgeKind.HELD_BY)[0].confidence is Confidence.EXACT


def test_an_rlock_by_acquire_tells_its_owner() -> None:
    lock = threading.RLock()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        lock.acquire()
        lock.acquire()
        taken.set()
        done.wait()
        lock.release()
        lock.release()

    with world() as w:
        _holder(w, hold)
        _waiter(w, lock)
        seen, node = _held(w)
        assert seen.holders(node) == ["thread holder"]
        assert node.providers is Providers.CLOSED


def test_a_bare_acquire_is_inferred() -> None:
    lock = threading.Lock()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        lock.acquire()  # <bare>
        try:
            taken.set()
            done.wait()
        finally:
            lock.release()

    with world() as w:
        _holder(w, hold)
        _waiter(w, lock)
        seen, node = _held(w)
        assert seen.holders(node) == ["thread holder"]
        assert node.providers is Providers.ESTIMATED
        (edge,) = seen.edges(node, EdgeKind.HELD_BY)
        assert edge.confidence is Confidence.INFERRED
        assert edge.source == here("bare")


def test_one_who_gets_a_reentrant_lock_during_the_look_does_not_wait_for_himself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, got, done = threading.RLock(), threading.Event(), threading.Event()
    lock.acquire()

    def wait() -> None:
        with lock:
            got.set()
            done.wait()

    with world() as w:
        w.cleaning.append(done.set)
        w.start("waiter", wait)
        w.settled("waiter")

        def hand_over(self: ThreadProbe, observation: Observation, now_ns: int) -> None:
            lock.release()
            assert got.wait(10)
            between(self, observation, now_ns)

        between = ThreadProbe._between  # pyright: ignore[reportPrivateUsage]  # what happens between two steps is arranged here
        monkeypatch.setattr(ThreadProbe, "_between", hand_over)
        seen = w.look()
        monkeypatch.undo()
        assert seen.thread("waiter").wait is None
        assert seen.needed("waiter") == []


def _tried(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    if lock.acquire(timeout=5):  # <tried>
        taken.set()
        done.wait()
        lock.release()


def _tried_again(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    while not lock.acquire(False):  # <tried_again>
        time.sleep(0.01)
    taken.set()
    done.wait()
    lock.release()


@pytest.mark.parametrize("hold", [_tried, _tried_again], ids=["tried", "tried_again"])
def test_who_is_past_an_acquire_that_had_to_succeed_has_it(hold: Callable[..., None]) -> None:
    for make in (threading.Lock, threading.Semaphore):
        lock: Any = make()
        with world() as w:
            _holder(w, lambda taken, done, lock=lock: hold(lock, taken, done))
            _waiter(w, lock)
            seen, node = _held(w)
            assert seen.holders(node) == ["thread holder"]
            assert node.providers is Providers.ESTIMATED
            (edge,) = seen.edges(node, EdgeKind.HELD_BY)
            assert edge.bare
            assert edge.source == here(hold.__name__.removeprefix("_"))


def _failed(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    lock.acquire(False)
    taken.set()
    done.wait()


def _failed_in_time(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    got = lock.acquire(timeout=0.01)
    taken.set()
    done.wait()
    if got:
        lock.release()


def _failed_and_goes_on(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    if not lock.acquire(blocking=False):
        taken.set()
        done.wait()
    else:
        lock.release()


def _still_tries(lock: Any, taken: threading.Event, done: threading.Event) -> None:
    while not lock.acquire(False):
        taken.set()
        done.wait()
    lock.release()


@pytest.mark.parametrize("hold", [_failed, _failed_in_time, _failed_and_goes_on, _still_tries])
def test_who_only_tried_has_nothing(hold: Callable[..., None]) -> None:
    for make in (threading.Lock, threading.Semaphore):
        lock: Any = make()
        lock.acquire()
        with world() as w:
            w.cleaning.append(lock.release)
            _holder(w, lambda taken, done, lock=lock: hold(lock, taken, done))
            _waiter(w, lock)
            seen, node = _held(w)
            assert seen.holders(node) == []


def test_who_released_it_does_not_hold_it() -> None:
    lock = threading.Lock()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        lock.acquire()
        lock.release()
        taken.set()
        done.wait()

    with world() as w:
        _holder(w, hold)
        lock.acquire()
        w.cleaning.append(lock.release)
        _waiter(w, lock)
        seen, node = _held(w)
        assert seen.holders(node) == []
        assert node.providers is Providers.OPEN


def test_a_manager_of_the_programs_own_is_inferred() -> None:
    guard = _Guard()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        with guard:
            taken.set()
            done.wait()

    with world() as w:
        _holder(w, hold)
        _waiter(w, guard.mutex)
        seen, node = _held(w)
        assert seen.holders(node) == ["thread holder"]
        assert node.providers is Providers.ESTIMATED


def test_a_condition_gives_its_lock_up_while_it_waits() -> None:
    lock = threading.Lock()
    changed = threading.Condition(lock)
    taken = threading.Event()

    def wait() -> None:
        with changed:
            taken.set()
            changed.wait()

    with world() as w:
        w.start("holder", wait)
        assert taken.wait(10)
        w.settled("holder")
        lock.acquire()
        _waiter(w, lock)

        def wake() -> None:
            changed.notify_all()
            lock.release()

        w.cleaning.append(wake)
        seen, node = _held(w)
        assert seen.holders(node) == []
        assert node.providers is Providers.OPEN


def test_an_unlocked_lock_has_no_holder_whatever_the_stacks_say() -> None:
    """The block is still there, but somebody else released its lock."""
    lock = threading.Lock()

    def hold(taken: threading.Event, done: threading.Event) -> None:
        with contextlib.suppress(RuntimeError), lock:
            taken.set()
            done.wait()

    with world() as w:
        _holder(w, hold)
        seen = w.settled("holder")
        assert [seen.holders(n) for n in seen.nodes.values() if n.kind is NodeKind.LOCK] == [["thread holder"]]
        lock.release()
        seen = w.look()
        assert [seen.holders(n) for n in seen.nodes.values() if n.kind is NodeKind.LOCK] == [[]]


def test_permits_that_nobody_accounts_for_leave_it_open() -> None:
    permits = threading.BoundedSemaphore(2)

    def hold(taken: threading.Event, done: threading.Event) -> None:
        with permits:
            taken.set()
            done.wait()

    with world() as w:
        _holder(w, hold)
        permits.acquire()
        w.cleaning.append(permits.release)
        _waiter(w, permits)
        seen, node = _held(w)
        assert node.kind is NodeKind.SEMAPHORE
        assert node.providers is Providers.OPEN
        assert node.attributes[semconv.SEMAPHORE_PERMITS] == 2
        assert node.attributes[semconv.SEMAPHORE_AVAILABLE] == 0
        assert seen.holders(node) == ["thread holder"]


def test_a_lock_held_across_an_await_is_the_tasks() -> None:
    lock = threading.Lock()
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def keeps() -> None:
        with lock:
            started.set()
            await asyncio.sleep(3600)

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.gather(asyncio.create_task(keeps(), name="keeper"))

    with world() as w:
        w.start("loop", lambda: asyncio.run(main()))
        w.cleaning.append(lambda: loops[0].call_soon_threadsafe(_cancel_all, loops[0]))
        assert started.wait(10)
        _waiter(w, lock)
        seen = w.until(lambda s: bool(s.needed("waiter")) and s.holders(s.needed("waiter")[0]) == ["task keeper"])
        assert seen.needed("waiter")[0].providers is Providers.CLOSED
        assert seen.thread("loop").state == "idle"
