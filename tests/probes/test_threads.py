# SPDX-License-Identifier: Apache-2.0
"""Threads as nodes, who holds what, and the ways in which whole programs of threads get stuck."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Confidence, EdgeKind, Graph, Level, Node, NodeKind, Providers
from peeps_otel.probes.internals import thread as thread_internals
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.threads.probe import ThreadProbe
from tests.probes.program import here
from tests.probes.threads_world import Seen, World, release, world


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


# --- who holds what ---------------------------------------------------------------------------------------------------


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

        between = ThreadProbe._between  # pyright: ignore[reportPrivateUsage]
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


# --- threads as nodes -------------------------------------------------------------------------------------------------


def test_what_is_known_of_a_thread() -> None:
    with world() as w:
        done = threading.Event()

        def work() -> None:
            done.wait()  # <work>

        thread = w.start("worker", work)
        w.cleaning.append(done.set)
        node = w.settled("worker").thread("worker")
        assert node.attributes[semconv.THREAD_ID] == thread.ident
        assert node.attributes[semconv.THREAD_NATIVE_ID] == thread.native_id
        assert node.attributes[semconv.THREAD_NAME] == "worker"
        assert node.attributes[semconv.THREAD_DAEMON] is True
        cpu = node.attributes[semconv.THREAD_CPU_TIME]
        assert type(cpu) is int
        assert 0 < cpu < 10_000_000_000
        assert abs(node.created_at - time.time_ns()) < 60_000_000_000
        assert [frame.function.rpartition(".")[2] for frame in node.stack][-3:] == ["work", "wait", "wait"]
        assert node.stack[-3].line == int(here("work").rpartition(":")[2])


def test_ours_and_the_one_that_looks_are_not_shown() -> None:
    with world() as w:
        done = threading.Event()
        w.start("peeps-watcher", done.wait)
        w.start("other", done.wait)
        w.cleaning.append(done.set)
        names = {node.name for node in w.settled("other").nodes.values() if node.kind is NodeKind.THREAD}
        assert "other" in names
        assert "peeps-watcher" not in names
        assert threading.current_thread().name not in names


def test_a_thread_that_ended_is_gone_and_a_later_one_is_another() -> None:
    with world() as w:
        first = threading.Event()
        w.start("one", first.wait)
        w.cleaning.append(first.set)
        before = w.settled("one").thread("one")
        first.set()
        w.threads["one"].join(10)
        assert before.id not in w.look().nodes
        second = threading.Event()
        w.cleaning.append(second.set)
        w.start("one", second.wait)
        assert w.settled("one").thread("one").id != before.id


def test_a_busy_thread_runs_and_its_time_grows() -> None:
    with world() as w:
        stop: list[int] = []

        def spin() -> None:
            while not stop:
                pass

        w.start("busy", spin)
        w.cleaning.append(lambda: stop.append(1))
        first = w.look().thread("busy").attributes[semconv.THREAD_CPU_TIME]
        for _ in range(20):
            time.sleep(0.02)
            assert w.look().thread("busy").state in ("running", "gil")
        last = w.look().thread("busy").attributes[semconv.THREAD_CPU_TIME]
        assert type(first) is int
        assert type(last) is int
        assert last > first


def test_a_pools_worker_without_work_is_idle() -> None:
    with world() as w, concurrent.futures.ThreadPoolExecutor(2, "pool") as pool:
        pool.submit(int).result()
        seen = w.settled("pool_0", state="idle")
        (executor,) = [node for node in seen.nodes.values() if node.kind is NodeKind.EXECUTOR]
        assert executor.name == "pool"
        assert seen.holders(executor) == ["thread pool_0"]
        assert executor.attributes[semconv.EXECUTOR_WORKER_COUNT] == 1
        assert executor.attributes[semconv.EXECUTOR_WORKER_LIMIT] == 2
        assert executor.providers is Providers.OPEN  # it could have another worker


def test_nothing_is_kept_alive_and_no_dictionary_is_left_behind() -> None:
    class Thing:
        pass

    started, drop, done = threading.Event(), threading.Event(), threading.Event()
    things: list[weakref.ref[Thing]] = []

    def work() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        lock = threading.Lock()
        with lock:
            started.set()
            drop.wait()
        del thing, lock
        done.wait()

    with world() as w:
        w.start("worker", work)
        w.cleaning += [done.set, drop.set]
        assert started.wait(10)
        w.settled("worker")
        assert things[0]() is not None
        drop.set()
        w.until(lambda seen: [node.name for node in seen.needed("worker")] == ["done"])
        gc.collect()
        assert things[0]() is None


def test_two_hundred_threads_cost_little_when_nothing_happens() -> None:
    with world() as w:
        done = threading.Event()
        for number in range(200):
            w.start(f"t{number}", done.wait)
        w.cleaning.append(done.set)
        w.settled(*(f"t{number}" for number in range(0, 200, 50)))
        first = seen = w.look()
        costs: list[int] = []
        for _ in range(5):
            before = time.thread_time_ns()
            seen = w.look()
            costs.append(time.thread_time_ns() - before)
        assert min(costs) < 20_000_000
        assert all(seen.nodes[i] is first.nodes[i] for i in first.nodes if i.startswith("thread") and i in seen.nodes)


def test_the_cpu_clock_of_a_thread_that_has_ended_is_no_clock() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    native_id = thread.native_id
    thread.join()
    for _ in range(100):
        if thread_internals.cpu_ns(native_id) is None:
            break
        time.sleep(0.01)
    assert thread_internals.cpu_ns(native_id) is None
    assert thread_internals.cpu_ns(threading.get_native_id()) is not None


# --- programs that are stuck ------------------------------------------------------------------------------------------


def _findings(w: World) -> list[Any]:
    diagnoser = Diagnoser()
    findings: list[Any] = []
    for _ in range(3):
        seen = w.look()
        edges = [edge for edges in seen.observation.edges.values() for edge in edges]
        findings = diagnoser.look(Graph(seen.nodes, edges), time.time_ns())
        time.sleep(0.15)
    return findings


def test_two_threads_and_two_locks() -> None:
    db, cache = threading.Lock(), threading.Lock()
    both = threading.Barrier(2)

    def one() -> None:
        with db:
            both.wait()
            with cache:
                pass

    def two() -> None:
        with cache:
            both.wait()
            with db:
                pass

    with world() as w:
        w.start("one", one)
        w.start("two", two)
        w.cleaning += [release(db), release(cache)]
        seen = w.until(lambda s: [n.name for name in ("one", "two") for n in s.needed(name)] == ["cache", "db"])
        (first,), (second,) = seen.needed("one"), seen.needed("two")
        assert (first.name, second.name) == ("cache", "db")
        assert (seen.holders(first), seen.holders(second)) == (["thread two"], ["thread one"])
        assert first.providers is second.providers is Providers.CLOSED
        (finding,) = [finding for finding in _findings(w) if finding.level is Level.PROVEN]
        assert set(finding.core) >= {seen.thread("one").id, seen.thread("two").id, first.id, second.id}


def test_one_lock_taken_twice() -> None:
    lock = threading.Lock()

    def twice() -> None:
        with lock, lock:
            pass

    with world() as w:
        w.start("twice", twice)
        w.cleaning.append(release(lock))
        seen = w.settled("twice")
        (node,) = seen.needed("twice")
        assert seen.holders(node) == ["thread twice"]
        assert node.providers is Providers.CLOSED


def test_a_loop_that_waits_for_its_own_coroutine() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    futures: list[concurrent.futures.Future[None]] = []

    async def never() -> None:
        pass

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        futures.append(asyncio.run_coroutine_threadsafe(never(), loops[0]))
        futures[0].result()  # <own loop>

    with world() as w:
        w.start("loop", lambda: asyncio.run(main()))
        w.cleaning.append(lambda: futures[0].cancel())
        seen = w.settled("loop")
        (future,) = seen.needed("loop")
        assert seen.holders(future) == ["thread loop"]
        assert future.providers is Providers.CLOSED
        wait = seen.thread("loop").wait
        assert wait is not None
        assert wait.source == here("own loop")


def test_a_loop_that_waits_for_a_task_of_its_own() -> None:
    """The loop has made the task, but cannot run it."""
    futures: list[concurrent.futures.Future[None]] = []

    async def slow() -> None:
        await asyncio.sleep(0.01)

    async def main() -> None:
        futures.append(asyncio.run_coroutine_threadsafe(slow(), asyncio.get_running_loop()))
        await asyncio.sleep(0.001)
        futures[0].result()

    with world() as w:
        w.start("loop", lambda: asyncio.run(main()))
        w.cleaning.append(lambda: futures[0].cancel())
        seen = w.settled("loop")
        (future,) = seen.needed("loop")
        (holder,) = seen.edges(future, EdgeKind.HELD_BY)
        assert seen.nodes[holder.dst].kind is NodeKind.TASK
        assert "slow" in seen.nodes[holder.dst].name
        assert future.providers is Providers.CLOSED


def test_a_pool_that_waits_for_work_queued_behind_it() -> None:
    with world() as w:
        pool = concurrent.futures.ThreadPoolExecutor(1, "pool")
        queued: list[concurrent.futures.Future[int]] = []

        def inner() -> int:
            return 1

        def outer() -> int:
            queued.append(pool.submit(int))
            queued.append(pool.submit(inner))
            return queued[1].result()  # <starved>

        running = pool.submit(outer)
        w.start("client", lambda: running.result())
        w.cleaning += [lambda: pool.shutdown(), lambda: queued[1].cancel()]
        seen = w.settled("client", "pool_0")
        (wanted,), (behind,) = seen.needed("client"), seen.needed("pool_0")
        assert wanted.name.endswith("outer")
        assert seen.holders(wanted) == ["thread pool_0"]
        assert behind.name.endswith("inner")
        assert seen.holders(behind) == ["executor pool"]
        assert behind.attributes[semconv.EXECUTOR_POSITION] == 1
        assert semconv.EXECUTOR_POSITION not in wanted.attributes
        (executor,) = [node for node in seen.nodes.values() if node.kind is NodeKind.EXECUTOR]
        assert seen.holders(executor) == ["thread pool_0"]
        assert executor.providers is Providers.CLOSED
        assert executor.attributes[semconv.EXECUTOR_QUEUED] == 2
        assert behind.providers is wanted.providers is Providers.CLOSED


def test_what_runs_in_an_executor_for_a_task() -> None:
    started, done = threading.Event(), threading.Event()

    def blocking() -> None:
        started.set()
        done.wait()

    async def main() -> None:
        await asyncio.create_task(asyncio.to_thread(blocking), name="asks")

    with world() as w:
        w.start("loop", lambda: asyncio.run(main()))
        w.cleaning.append(done.set)
        assert started.wait(10)
        seen = w.settled("loop", state="idle")
        worker = next(node for node in seen.nodes.values() if node.kind is NodeKind.THREAD and "asyncio_0" in node.name)
        assert worker.state == "waiting"
        assert [node.name for node in seen.needed(worker.name)] == ["done"]
        seen = w.until(lambda s: any(node.kind is NodeKind.FUTURE for node in s.nodes.values()))
        task = next(node for node in seen.nodes.values() if node.name == "asks")
        (future,) = [seen.nodes[edge.dst] for edge in seen.edges(task, EdgeKind.NEEDS)]
        assert future.name.endswith("blocking")
        assert future.providers is Providers.CLOSED
        assert seen.holders(future) == [f"thread {worker.name}"]


@pytest.mark.skipif(sys.platform != "linux", reason="spawns by fork server")
def test_a_process_pool_shows_its_queue() -> None:
    with world() as w:
        context = __import__("multiprocessing").get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            future = pool.submit(time.sleep, 3)
            w.start("client", lambda: future.result())
            seen = w.until(lambda s: bool(s.needed("client")) and bool(s.holders(s.needed("client")[0])))
            (wanted,) = seen.needed("client")
            assert seen.holders(wanted) == ["executor ProcessPoolExecutor"]
            (executor,) = [node for node in seen.nodes.values() if node.kind is NodeKind.EXECUTOR]
            assert executor.providers is Providers.OPEN
            assert executor.attributes[semconv.EXECUTOR_WORKER_LIMIT] == 1


def test_the_c_function_that_a_blocked_thread_is_in_is_told() -> None:
    with world() as w:
        source, fill = os.pipe()
        drain, target = os.pipe()
        w.start("in C", lambda: os.splice(source, target, 10))
        w.cleaning.append(lambda: [os.close(fd) for fd in (drain, target, source)])
        w.cleaning.append(lambda: os.close(fill))
        seen = w.until(lambda seen: semconv.THREAD_CALL in seen.thread("in C").attributes)
        node = seen.thread("in C")
        assert (node.state, node.wait, node.attributes[semconv.THREAD_CALL]) == ("blocked", None, "posix.splice")
