# SPDX-License-Identifier: Apache-2.0
"""What threads of ours log reaches the program's handlers, and no lock of those can stop them."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

import pytest

from peeps_otel.own_log import OwnLog
from tests.support.waiting import eventually


@contextmanager
def _held_by_another(lock: AbstractContextManager[object]) -> Generator[None]:
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    try:
        yield
    finally:
        release.set()
        holder.join()


def test_what_is_said_is_logged_by_the_time_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    log = OwnLog()
    try:
        raise ValueError("broken")
    except ValueError:
        log.warning("peeps: %s failed", "a probe", exc_info=True)
    log.info("peeps: not wanted")
    log.warning("peeps: later", exc_info=KeyError("raised before"))
    record, later = caplog.records
    assert later.exc_info is not None
    assert later.exc_info[0] is KeyError
    assert (record.name, record.getMessage(), record.exc_info is not None) == (
        "peeps_otel",
        "peeps: a probe failed",
        True,
    )


def test_nobody_waits_long_for_a_handler_that_is_stuck(caplog: pytest.LogCaptureFixture) -> None:
    log = OwnLog()
    lock = caplog.handler.lock
    assert lock is not None
    before = time.monotonic()
    with _held_by_another(lock):
        log.warning("peeps: first")
        log.warning("peeps: second, while the first is not through")
        assert (caplog.messages, time.monotonic() - before < 5) == ([], True)
    eventually(lambda: caplog.messages == ["peeps: first"])
    log.warning("peeps: third")
    assert caplog.messages == ["peeps: first", "peeps: third"]
