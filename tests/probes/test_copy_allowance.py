# SPDX-License-Identifier: Apache-2.0
"""What a copy of the process may use: handed out by the process, kept to by the copy."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from peeps_otel.probes.heap.copy_allowance import CopyAllowance

if sys.platform != "linux":
    pytest.skip("copies of a process are only made on Linux", allow_module_level=True)

from peeps_otel.probes.heap import fork

MS = 1_000_000


class _Copy:
    """A copy of which each pause comes after some work, and to which the process hands out some while it sleeps."""

    def __init__(self, handed_out_ns: int) -> None:
        self.used_ns = self.sleeps = 0
        self.allowance = CopyAllowance(lambda: self.used_ns, self._sleep)
        self._each_ns = handed_out_ns
        self._allowed_ns = 0

    def allow(self, ns: int) -> None:
        self._allowed_ns = ns
        self.allowance.allow(ns)

    def _sleep(self, _: int) -> None:
        assert self.allowance.is_spent
        assert self.allowance.used_ns == self.used_ns  # the process sees what it has to pay
        self.sleeps += 1
        self.allow(self._allowed_ns + self._each_ns)

    def works(self, ns: int, step_ns: int = MS) -> None:
        until_ns = self.used_ns + ns
        while self.used_ns < until_ns:
            self.used_ns += step_ns
            self.allowance.pause()


def test_a_copy_sleeps_until_it_may_use_more() -> None:
    copy = _Copy(handed_out_ns=10 * MS)
    copy.allow(50 * MS)
    copy.works(49 * MS)
    assert copy.sleeps == 0
    copy.works(200 * MS)
    assert copy.sleeps in range(19, 24)
    assert not copy.allowance.is_spent
    assert copy.allowance.used_ns == 249 * MS


def test_small_pieces_are_saved_up() -> None:
    """Each turn of a copy that wakes for nothing costs something."""
    copy = _Copy(handed_out_ns=MS // 10)
    copy.allow(10 * MS)
    copy.works(11 * MS)
    assert copy.sleeps >= 10


def test_without_a_word_it_may_use_anything() -> None:
    copy = _Copy(0)
    copy.works(10_000 * MS, 100 * MS)
    assert copy.sleeps == 0


def _turns(allowance: CopyAllowance) -> bytes:
    for _ in range(20):
        until_ns = time.process_time_ns() + 2 * MS
        while time.process_time_ns() < until_ns:
            pass
        allowance.pause()
    return b"done"


def test_a_real_copy_waits_for_what_the_process_hands_out() -> None:
    """Longer than it may take to be answered: what it must wait for its allowance is no part of that."""
    allowance = CopyAllowance()
    allowance.allow(10 * MS)
    said: list[bytes] = []
    asks = threading.Thread(
        target=lambda: said.append(fork.on_a_copy(lambda _: _turns(allowance), 1.5, allowance=allowance).answer)
    )
    asks.start()
    asks.join(4)
    assert not said
    assert allowance.is_spent
    assert 10 * MS <= allowance.used_ns < 30 * MS
    allowance.allow(10_000 * MS)
    asks.join(30)
    assert said == [b"done"]


def test_who_wants_a_copy_does_not_wait_for_one_that_is_slow() -> None:
    allowance = CopyAllowance()
    allowance.allow(MS)
    said: list[bytes] = []
    slow = threading.Thread(
        target=lambda: said.append(fork.on_a_copy(lambda _: _turns(allowance), 30, allowance=allowance).answer)
    )
    slow.start()
    while not allowance.is_spent:
        time.sleep(0.01)
    assert fork.on_a_copy(lambda _: b"mine", 30).answer == b"mine"
    slow.join(30)
    assert said == [b"done"]
