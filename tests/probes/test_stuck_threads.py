# SPDX-License-Identifier: Apache-2.0
"""The ways in which whole programs of threads get stuck, and what is said then."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys
import threading
import time
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, Graph, Level, NodeKind, Providers
from tests.probes.program import here
from tests.probes.threads_world import World, release, world


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
