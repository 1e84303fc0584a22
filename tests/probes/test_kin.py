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
        assert _said(kin, 100) == {semconv.COULD_END_OUTSIDE: f"worker-1 (pid {worker.process.pid})"}
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
