# SPDX-License-Identifier: Apache-2.0
"""Threads as nodes: what is known of each, and that looking at them leaves nothing behind."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from peeps_otel import semconv
from peeps_otel.model import NodeKind, Providers
from peeps_otel.probes.internals import thread as thread_internals
from tests.probes.program import here
from tests.probes.threads_world import world


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


def test_a_thread_that_ends_while_it_is_read_is_left_out_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Thread(target=int)
    ended.start()
    ended.join()
    of_a_thread = thread_internals.cpu_clock
    with world() as w, monkeypatch.context() as patched:
        done = threading.Event()
        ends = w.start("ends", done.wait)
        w.start("other", done.wait)
        w.cleaning.append(done.set)

        def cpu_clock(native_id: int) -> Iterator[int]:
            return of_a_thread(ended.native_id or 0 if native_id == ends.native_id else native_id)

        patched.setattr(thread_internals, "cpu_clock", cpu_clock)
        names = {node.name for node in w.settled("other").nodes.values() if node.kind is NodeKind.THREAD}
        assert "other" in names
        assert "ends" not in names
        patched.undo()
        assert w.settled("ends").thread("ends").wait is not None
