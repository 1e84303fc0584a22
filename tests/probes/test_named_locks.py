# SPDX-License-Identifier: Apache-2.0
"""Locks that have a name outside of the process: one thing for all who want or have them, however they are taken."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any

import filelock
import pytest
import redis as redis_py
from redis.asyncio import Redis as AsyncRedis

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, Providers, Wait
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes import program as tasks
from tests.probes.threads_world import Seen, World, cpu_ns, world
from tests.support.databases import redis

Lock = Callable[[], AbstractContextManager[object]]


def _wait(seen: Seen, name: str) -> Wait:
    found = seen.thread(name).wait
    assert found is not None
    return found


def _held_by_another_object(made: World, lock: Lock, name: str) -> None:
    """One has the lock by an object of its own until the test ends; the other polls for it by a second one."""
    done = threading.Event()
    made.cleaning.append(done.set)

    def has() -> None:
        with lock():
            done.wait()

    def wants() -> None:
        with lock():
            pass

    made.start("has", has)
    made.settled("has")
    made.start("wants", wants)
    seen = made.until(lambda seen: bool(seen.needed("wants")))
    (thing,) = seen.needed("wants")
    assert (_wait(seen, "wants").operation, thing.kind, thing.name) == ("lock.poll", "lock", name)
    assert thing.providers is Providers.ESTIMATED
    assert seen.holders(thing) == ["thread has"]
    used_ns = cpu_ns(made.threads["wants"])
    made.until(lambda _: cpu_ns(made.threads["wants"]) > used_ns)  # it has looked round once more
    later = made.until(lambda seen: bool(seen.needed("wants")))
    assert _wait(later, "wants").since_ns == _wait(seen, "wants").since_ns
    assert later.thread("wants").steps == seen.thread("wants").steps
    assert later.needed("wants")[0].id == thing.id


def _wants_for_a_minute(made: World, path: str) -> None:
    """A thread that gives up then, if the test has not ended before."""

    def wants() -> None:
        with filelock.FileLock(path, timeout=60):
            pass

    made.start("wants", wants)


def test_a_lock_on_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "cache.lock")
    with world() as made:
        _held_by_another_object(made, lambda: filelock.FileLock(path), "cache.lock")


def test_one_that_gives_up_has_a_deadline(tmp_path: Path) -> None:
    path = str(tmp_path / "cache.lock")
    with world() as made, filelock.FileLock(path):
        _wants_for_a_minute(made, path)
        seen = made.until(lambda seen: bool(seen.needed("wants")))
        wait = _wait(seen, "wants")
        assert wait.deadline_ns is not None
        assert 0 < wait.deadline_ns - wait.since_ns <= 60_000_000_000
        made.cleaning.clear()


@pytest.fixture(scope="module")
def port() -> object:
    with redis() as found:
        if found is None:
            pytest.skip("no redis-server")
        yield found


def test_a_lock_in_redis(port: int) -> None:
    client = redis_py.Redis(port=port)
    with world() as made:
        _held_by_another_object(made, lambda: client.lock("nightly"), "nightly")


def test_one_whom_nobody_here_has_may_be_released_elsewhere(port: int) -> None:
    client = redis_py.Redis(port=port)
    client.set("lost", "somebody")
    with world() as made:
        made.cleaning.append(lambda: client.delete("lost"))

        def wants() -> None:
            with client.lock("lost"):
                pass

        made.start("wants", wants)
        seen = made.until(lambda seen: bool(seen.needed("wants")))
        (thing,) = seen.needed("wants")
        assert seen.holders(thing) == []
        assert thing.attributes[semconv.COULD_END_OUTSIDE] == "whoever has taken it elsewhere"


def test_one_that_expires_ends_by_itself(port: int) -> None:
    client = redis_py.Redis(port=port)
    with world() as made, client.lock("short", timeout=600):

        def wants() -> None:
            with client.lock("short", timeout=600):
                pass

        made.start("wants", wants)
        seen = made.until(lambda seen: bool(seen.needed("wants")))
        (thing,) = seen.needed("wants")
        assert thing.attributes[semconv.COULD_END_OUTSIDE] == "its time to live"


def test_another_name_is_another_lock(port: int) -> None:
    client = redis_py.Redis(port=port)
    client.set("one", "somebody")
    client.set("other", "somebody")
    with world() as made:
        made.cleaning.append(lambda: client.delete("one", "other"))
        for name in ("one", "other"):
            made.start(name, lambda name=name: client.lock(name).acquire())
        seen = made.until(lambda seen: bool(seen.needed("one")) and bool(seen.needed("other")))
        assert seen.needed("one")[0].id != seen.needed("other")[0].id


def test_a_key_is_the_same_in_each_process_and_tells_no_path(tmp_path: Path) -> None:
    path = str(tmp_path / "cache.lock")
    with world() as made, filelock.FileLock(path):
        _wants_for_a_minute(made, path)
        (thing,) = made.until(lambda seen: bool(seen.needed("wants"))).needed("wants")
        key = str(thing.attributes[semconv.RESOURCE_KEY])
        assert key.startswith("host:")
        code = (
            "import sys; from peeps_otel.probes.namespaces import namespaces as n; "
            "from peeps_otel.model.shared_key import shared_key; "
            "print(shared_key(('file', sys.argv[1], *n()), True))"
        )
        told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        assert told.strip() == key
        made.cleaning.clear()


AsyncLock = Callable[[], AbstractAsyncContextManager[object]]
_Has = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def _running_in_turn(
    has: _Has, wants: Callable[[], Coroutine[Any, Any, None]]
) -> AbstractContextManager[tasks.Program]:
    """The task `wants` begins once `has` has set its event."""

    async def main() -> None:
        taken = asyncio.Event()
        tasks.started(has(taken), "has")
        await taken.wait()
        tasks.started(wants(), "wants")

    return tasks.running(AsyncioProbe(Recorder(1 << 62)), main)


def _held_by_another_object_of_a_task(lock: AsyncLock, name: str) -> None:
    """As with threads: one task has the lock, the other polls for it by an object of its own."""

    async def has(taken: asyncio.Event) -> None:
        async with lock():
            taken.set()
            await asyncio.Event().wait()

    async def wants() -> None:
        async with lock():
            pass

    with _running_in_turn(has, wants) as program:
        seen = program.until(lambda seen: seen.needs("wants") == [f"lock {name}"])
        assert seen.operation("wants") == "lock.poll"
        seen = program.until(lambda seen: seen.holders(f"lock {name}") == ["task has"])
        thing, before = seen.node(f"lock {name}"), seen.task("wants")
        assert thing.providers is Providers.ESTIMATED
        assert before.wait is not None
        assert before.wait.deadline_ns is None
        for _ in range(60):  # half a dozen tries, looked at in whatever each of them is in
            task = program.look().task("wants")
            assert task.wait is not None
            assert (task.steps, task.wait.since_ns, task.stack) == (before.steps, before.wait.since_ns, before.stack)
            time.sleep(0.01)


def test_a_lock_on_a_file_between_tasks(tmp_path: Path) -> None:
    path = str(tmp_path / "cache.lock")
    _held_by_another_object_of_a_task(lambda: filelock.AsyncFileLock(path), "cache.lock")


def test_a_lock_in_redis_between_tasks(port: int) -> None:
    _held_by_another_object_of_a_task(lambda: AsyncRedis(port=port).lock("hourly"), "hourly")


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_a_task_that_gives_up_has_a_deadline(kind: str, tmp_path: Path, port: int) -> None:
    def lock() -> AbstractAsyncContextManager[object]:
        if kind == "file":
            return filelock.AsyncFileLock(str(tmp_path / "cache.lock"), timeout=60)
        return AsyncRedis(port=port).lock("weekly", blocking_timeout=60)

    async def has(taken: asyncio.Event) -> None:
        async with lock():
            taken.set()
            await asyncio.Event().wait()

    async def wants() -> None:
        async with lock():
            pass

    with _running_in_turn(has, wants) as program:
        wait = program.until(lambda seen: seen.operation("wants") == "lock.poll").task("wants").wait
        assert wait is not None
        assert wait.deadline_ns is not None
        assert 0 < wait.deadline_ns - wait.since_ns <= 61_000_000_000


def test_one_that_no_task_here_has_may_be_released_elsewhere(port: int) -> None:
    async def wants() -> None:
        async with AsyncRedis(port=port).lock("missing"):
            pass

    async def main() -> None:
        await AsyncRedis(port=port).set("missing", "somebody")
        tasks.started(wants(), "wants")

    with tasks.running(AsyncioProbe(Recorder(1 << 62)), main) as program:
        program.until(lambda seen: seen.needs("wants") == ["lock missing"])
        for _ in range(30):  # also in looks that find it within a try
            thing = program.look().node("lock missing")
            assert thing.attributes[semconv.COULD_END_OUTSIDE] == "whoever has taken it elsewhere"
            time.sleep(0.01)


@pytest.mark.parametrize("thread_local", [True, False])
def test_a_task_that_took_one_in_redis_without_a_block(port: int, thread_local: bool) -> None:
    """By the object in its variable, which has the token."""

    def lock() -> Any:
        return AsyncRedis(port=port).lock(f"bare {thread_local}", thread_local=thread_local)

    async def has(taken: asyncio.Event) -> None:
        mine = lock()
        await mine.acquire()
        taken.set()
        await asyncio.Event().wait()

    async def wants() -> None:
        other = lock()
        await other.acquire()

    with _running_in_turn(has, wants) as program:
        name = f"lock bare {thread_local}"
        seen = program.until(lambda seen: seen.holders(name) == ["task has"])
        assert (seen.needs("wants"), seen.node(name).providers) == ([name], Providers.ESTIMATED)
        first = has.__code__.co_firstlineno
        (edge,) = [edge for edge in seen.edges if edge.src == seen.node(name).id and edge.kind is EdgeKind.HELD_BY]
        assert str(edge.source).endswith(f":{first + 2}")


def test_who_waits_by_the_object_of_another_says_nothing_of_who_has_it(port: int) -> None:
    shared = AsyncRedis(port=port).lock("shared", thread_local=False)

    async def takes_and_leaves() -> None:
        await shared.acquire()

    async def wants(mine: Any) -> None:
        await mine.acquire()

    async def main() -> None:
        await takes_and_leaves()
        tasks.started(wants(shared), "wants")

    with tasks.running(AsyncioProbe(Recorder(1 << 62)), main) as program:
        program.until(lambda seen: seen.needs("wants") == ["lock shared"])
        for _ in range(30):
            assert program.look().holders("lock shared") == []
            time.sleep(0.01)


def test_a_thread_that_took_one_in_redis_without_a_block(port: int) -> None:
    client = redis_py.Redis(port=port)
    done = threading.Event()
    with world() as made:
        made.cleaning.append(done.set)

        def has() -> None:
            mine = client.lock("bare")
            mine.acquire()
            done.wait()
            mine.release()

        def wants() -> None:
            other = client.lock("bare")
            other.acquire()
            other.release()

        made.start("has", has)
        made.settled("has")
        made.start("wants", wants)
        seen = made.until(lambda seen: bool(seen.needed("wants")) and bool(seen.holders(seen.needed("wants")[0])))
        assert seen.holders(seen.needed("wants")[0]) == ["thread has"]
