# SPDX-License-Identifier: Apache-2.0
"""Where there can be no sidecar, the program goes on and the snapshots say so."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from peeps_otel.probes.probe import Observation
from peeps_otel.watchdog import guard
from peeps_otel.watchdog.guard import Watchdog
from peeps_otel.watchdog.page import ANNOUNCEMENT_MOST
from tests.support.waiting import eventually


def _coverage(announcement: Callable[[], bytes]) -> list[str]:
    watchdog = Watchdog(announcement)
    watchdog.install()
    try:
        eventually(lambda: watchdog.coverage, "it says why")
        observation = Observation()
        watchdog.observe(observation, 0, lambda: None)
        assert observation.coverage == watchdog.coverage
        return watchdog.coverage
    finally:
        watchdog.uninstall()
        eventually(lambda: guard.THREAD_NAME not in {t.name for t in threading.enumerate()}, "its thread ends")


def test_a_program_that_is_not_run_by_a_python_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/orders/orders-server")
    before = set(os.listdir("/proc/self/fd"))
    assert _coverage(lambda: b"{}") == [
        "not watched from outside: /opt/orders/orders-server is not a Python interpreter"
    ]
    assert set(os.listdir("/proc/self/fd")) == before


def test_an_announcement_that_is_too_long() -> None:
    (said,) = _coverage(lambda: b"x" * (ANNOUNCEMENT_MOST + 1))
    assert said.startswith("not watched from outside: ")
    assert "is the most" in said


def test_a_sidecar_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peeps_otel.watchdog.launch._FOLDER", "/nowhere")
    assert _coverage(lambda: b"{}") == ["not watched from outside: the sidecar ended at once (1)"]


def test_install_costs_the_caller_nothing() -> None:
    def slow() -> bytes:
        time.sleep(0.5)
        return b"x" * (ANNOUNCEMENT_MOST + 1)

    watchdog = Watchdog(slow)
    began = time.perf_counter()
    watchdog.install()
    watchdog.install()
    watchdog.uninstall()
    assert time.perf_counter() - began < 0.4
