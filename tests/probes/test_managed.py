# SPDX-License-Identifier: Apache-2.0
"""What a `multiprocessing.Manager` has: who calls a proxy waits for the thing itself, not for a socket."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import NodeKind, Providers
from peeps_otel.probes.internals import sharing
from peeps_otel.probes.internals.managed import Managed, ManagedThings, of_the_program
from peeps_otel.probes.kin import Kin
from tests.probes.program import SECOND
from tests.probes.threads_world import world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are seen through /proc")

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def manager() -> Generator[SyncManager]:
    with _FORK.Manager() as made:
        yield made


@contextmanager
def _waiting(wait: Callable[[], object], release: Callable[[], object]) -> Generator[tuple[Any, Any]]:
    """A thread in such a call, and what it waits for."""
    with world() as here:
        here.cleaning.append(release)
        here.start("client", wait)
        seen = here.settled("client")
        (thing,) = seen.needed("client")
        yield seen.thread("client"), thing


def test_a_lock_by_a_block_and_at_its_line(manager: SyncManager) -> None:
    lock: Any = manager.Lock()
    lock.acquire()

    def take() -> None:
        with lock:
            pass

    with _waiting(take, lock.release) as (thread, thing):
        assert (thread.wait.operation, thing.kind, thing.name) == ("lock.acquire", NodeKind.LOCK, "lock")
        assert thing.attributes[semconv.RESOURCE_TYPE] == "multiprocessing.managers.Lock"
        assert Path(thread.wait.source.rpartition(":")[0]).name == "test_managed.py"


def test_an_item_of_a_queue_whose_proxy_was_made_at_run_time(manager: SyncManager) -> None:
    jobs: Any = manager.Queue()
    with _waiting(lambda: jobs.get(), lambda: jobs.put(1)) as (thread, thing):
        assert (thread.wait.operation, thing.kind, thing.name) == ("queue.get", NodeKind.RX, "jobs")
        assert Path(thread.wait.source.rpartition(":")[0]).name == "test_managed.py"
        assert thread.wait.deadline_ns is None


def test_room_in_a_queue_with_a_deadline(manager: SyncManager) -> None:
    jobs: Any = manager.Queue(1)
    jobs.put(7)
    with _waiting(lambda: jobs.put(8, timeout=60), lambda: jobs.get()) as (thread, thing):
        assert (thread.wait.operation, thing.kind) == ("queue.put", NodeKind.TX)
        assert 0 < thread.wait.deadline_ns - time.time_ns() < 61 * SECOND


def test_an_event(manager: SyncManager) -> None:
    ready = manager.Event()
    with _waiting(ready.wait, ready.set) as (thread, thing):
        assert (thread.wait.operation, thing.kind, thing.name) == ("event.wait", NodeKind.EVENT, "")


def _thing(proxy: Any) -> Managed:
    call = ManagedThings().call(proxy, "get", (), {})
    assert call is not None
    return call.thing


def test_the_same_thing_is_one_whatever_proxy_calls_it(manager: SyncManager) -> None:
    things, jobs, other = ManagedThings(), manager.Queue(), manager.Queue()
    first, again, another = (things.call(one, "get", (True, 5), {}) for one in (jobs, jobs, other))
    assert first is not None
    assert again is not None
    assert another is not None
    assert (first.operation, first.timeout_s) == ("queue.get", 5.0)
    assert first.thing is again.thing is not another.thing
    assert of_the_program(first.thing) is jobs
    assert things.call(jobs, "qsize", (), {}) is None
    assert things.call(manager.dict(), "get", ("key",), {}) is None


def test_the_server_ends_nothing_by_itself(manager: SyncManager) -> None:
    thing = _thing(manager.Queue())
    server: int = vars(manager)["_process"].pid
    assert thing.server() == server
    kin = Kin(forked=False)
    kin.note(100 * SECOND)
    said = kin.of(type(thing), 0, thing)
    assert str(server) not in str(said.get(semconv.RESOURCE_SHARED_WITH, "")).split(", ")


def test_what_other_hosts_can_reach_may_be_ended_by_anybody() -> None:
    server = SyncManager(("127.0.0.1", 0), ctx=_FORK)
    with server:
        kin = Kin(forked=False)
        thing = _thing(server.Queue())
        kin.note(100 * SECOND)
        assert kin.of(type(thing), 0, thing) == {semconv.COULD_END_OUTSIDE: "whoever can reach the manager's address"}


def _die(lock: Any) -> None:
    lock.acquire()
    os._exit(3)


def test_it_is_lost_with_the_last_one_that_died(manager: SyncManager, monkeypatch: pytest.MonkeyPatch) -> None:
    before, family_of = set(sharing.sharers() or []), sharing.family_of

    def family_now(forked: bool) -> list[int]:
        return [pid for pid in family_of(forked) if pid not in before]

    monkeypatch.setattr(sharing, "family_of", family_now)
    lock: Any = manager.Lock()
    call = ManagedThings().call(lock, "acquire", (), {})
    assert call is not None
    kin = Kin(forked=False)
    child = _FORK.Process(target=_die, args=(lock,), name="importer")
    child.start()
    kin.note(100 * SECOND)
    assert semconv.RESOURCE_LOST_WITH not in kin.of(Managed, 0, call.thing)
    child.join()
    kin.note(102 * SECOND)
    said = kin.of(Managed, 0, call.thing)
    assert said == {semconv.RESOURCE_LOST_WITH: f"importer (pid {child.pid}), which ended with exit code 3"}


def test_who_is_in_the_block_of_a_lock_has_it_by_whatever_proxy(manager: SyncManager) -> None:
    lock: Any = manager.Lock()
    with world() as here:
        done = threading.Event()
        here.cleaning.append(done.set)

        def has() -> None:
            with lock:
                done.wait()

        def wants() -> None:
            with lock:
                pass

        here.start("has", has)
        here.settled("has")
        here.start("wants", wants)
        seen = here.settled("wants")
        (thing,) = seen.needed("wants")
        assert seen.holders(thing) == ["thread has"]
        assert thing.providers is Providers.ESTIMATED
        assert semconv.COULD_END_OUTSIDE not in thing.attributes
        assert str(thing.attributes[semconv.RESOURCE_KEY]).startswith("host:")


def test_only_a_lock_is_held_by_a_block(manager: SyncManager) -> None:
    things = ManagedThings()
    lock, again = manager.Lock(), manager.Lock()
    assert things.lock(lock) is things.lock(lock) is not things.lock(again)
    assert things.lock(manager.Semaphore(1)) is None
    assert things.lock(object()) is None
