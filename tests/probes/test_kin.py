# SPDX-License-Identifier: Apache-2.0
"""Who shares what `multiprocessing` made: a process that lives may end a wait, one that died may have had the thing."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from peeps_otel import semconv
from peeps_otel.probes.internals import sharing
from peeps_otel.probes.kin import Kin
from tests.probes.program import SECOND
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are seen through /proc")

_FORK = multiprocessing.get_context("fork")
_QUEUE = type(_FORK.Queue())


@pytest.fixture(autouse=True)
def _children_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran in this process before may have a helper that lives on: it is none of the program's family."""
    before, sharers, family_of = set(sharing.sharers() or []), sharing.sharers, sharing.family_of

    def sharers_now() -> list[int]:
        return [pid for pid in sharers() or [] if pid not in before]

    def family_now(forked: bool) -> list[int]:
        return [pid for pid in family_of(forked) if pid not in before]

    monkeypatch.setattr(sharing, "sharers", sharers_now)
    monkeypatch.setattr(sharing, "family_of", family_now)


def _wait(end: int) -> None:
    os.read(end, 1)


def _die(_end: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Worker:
    """A child that does something and the pipe by which it is told to end."""

    def __init__(self, does: Callable[[int], object]) -> None:
        self._read, self._write = os.pipe()
        self.process = _FORK.Process(target=does, args=(self._read,), name="worker-1")
        self.process.start()

    def end(self) -> None:
        os.write(self._write, b"x")
        self.process.join()
        os.close(self._read)
        os.close(self._write)


def _said(kin: Kin, second: int) -> dict[str, object]:
    kin.note(second * SECOND)
    return dict(kin.of(_QUEUE, 0))


def test_a_living_child_may_end_what_it_shares_and_nothing_else() -> None:
    worker = _Worker(_wait)
    try:
        kin = Kin(forked=False)
        assert _said(kin, 100) == {
            semconv.COULD_END_OUTSIDE: f"worker-1 (pid {worker.process.pid})",
            semconv.RESOURCE_SHARED_WITH: ", ".join(map(str, sorted([os.getpid(), worker.process.pid or 0]))),
        }
        assert kin.of(queue.Queue, 0) == {}
    finally:
        worker.end()


def test_a_child_that_was_killed_is_remembered_after_it_was_joined() -> None:
    worker = _Worker(_die)
    kin = Kin(forked=False)
    kin.note(100 * SECOND)
    worker.process.join()
    died = f"worker-1 (pid {worker.process.pid}), which died of SIGKILL"
    assert _said(kin, 102) == {semconv.RESOURCE_LOST_WITH: died}


def test_a_child_that_ended_well_is_no_loss() -> None:
    worker = _Worker(_wait)
    kin = Kin(forked=False)
    kin.note(100 * SECOND)
    worker.end()
    assert _said(kin, 102) == {}


def test_in_a_fork_the_parent_and_its_other_children_may_share() -> None:
    assert semconv.COULD_END_OUTSIDE in _said(Kin(forked=True), 100)


def test_programs_of_another_kind_share_nothing() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    try:
        eventually(lambda: os.readlink(f"/proc/{child.pid}/exe") != os.readlink("/proc/self/exe"))
        assert child.pid not in (sharing.sharers() or [])
    finally:
        child.kill()
        child.wait()


def test_a_dead_child_that_nobody_has_waited_for_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    eventually(lambda: not sharing.is_alive(child.pid))
    assert sharing.is_alive(os.getpid())
    child.wait()
    assert not sharing.is_alive(child.pid)


def test_a_child_that_ended_with_an_error_and_that_nobody_has_waited_for() -> None:
    worker = _Worker(lambda _end: os._exit(3))
    kin = Kin(forked=False)
    seconds = iter(range(100, 1000))
    try:
        kin.note(99 * SECOND)
        told = f"worker-1 (pid {worker.process.pid}), which ended with exit code 3"
        eventually(lambda: _said(kin, next(seconds)) == {semconv.RESOURCE_LOST_WITH: told})
    finally:
        worker.end()


class _Pool:
    """As much of a `multiprocessing.Pool` as is read."""

    def __init__(self, numbers: list[int], tasks_most: int | None = None) -> None:
        self._pool = [_Numbered(number) for number in numbers]
        self._maxtasksperchild = tasks_most


class _Numbered:
    def __init__(self, number: int) -> None:
        self._identity = (number,)


class _Result:
    def __init__(self, pool: object) -> None:
        self._pool = pool


@pytest.mark.parametrize(
    ("pool", "said"),
    [(_Pool([1, 2]), False), (_Pool([1, 3]), True), (_Pool([1, 3], 5), False), (_Pool([]), False), (None, False)],
)
def test_a_gap_in_the_numbers_of_a_pools_workers_is_one_that_was_lost(pool: object, said: bool) -> None:
    assert sharing.has_replaced_a_worker(_Result(pool)) is said
    assert sharing.has_replaced_a_worker(pool) is said


def test_a_queue_of_a_process_pool_is_shared_too() -> None:
    worker = _Worker(_wait)
    try:
        kin = Kin(forked=False)
        kin.note(100 * SECOND)
        kind = type("_SafeQueue", (_QUEUE,), {"__module__": "concurrent.futures.process"})
        assert dict(kin.of(kind, 0)) == _said(kin, 100) != {}
        assert dict(kin.of(queue.Queue, 0)) == {}
    finally:
        worker.end()
