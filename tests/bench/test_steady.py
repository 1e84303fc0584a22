# SPDX-License-Identifier: Apache-2.0
"""The processor time that figures are made of."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from bench.steady import cpu_ns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _compute(cpu_s: float) -> None:
    while sum(os.times()[:2]) < cpu_s:
        pass


def test_a_child_that_has_ended_stays_in_the_sum() -> None:
    before = cpu_ns(os.getpid())
    child = os.fork()
    if child == 0:
        _compute(0.2)
        os._exit(0)
    os.waitpid(child, 0)
    assert cpu_ns(os.getpid()) - before >= 170_000_000, "0.2 s less the ticks of 10 ms"


def test_a_thread_that_has_ended_stays_in_the_sum() -> None:
    before = cpu_ns(os.getpid())
    thread = threading.Thread(target=_compute, args=(sum(os.times()[:2]) + 0.2,))
    thread.start()
    thread.join()
    assert cpu_ns(os.getpid()) - before >= 170_000_000
