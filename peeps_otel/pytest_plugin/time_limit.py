# SPDX-License-Identifier: Apache-2.0
"""Ends a test in the middle of whatever it waits for: an exception, raised by a signal on its own thread.

The signal is one that nobody uses, so that neither pytest-timeout's nor the program's is in the way. Where there are
no such signals (Windows) the main thread is interrupted at its next bytecode.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from types import FrameType
from typing import Any

import pytest

from ..model.change import Change

CHANGES = (
    Change(
        "one free real-time signal",
        "its handler ends a test that has run out of time",
        "while a test runs with `--peeps-timeout`",
        "the handler of before is put back",
        "`--peeps-timeout`",
    ),
)


class TimeLimit:
    """`arm` and `disarm` on the main thread, round each phase of a test; `strike` from any thread. Only between the
    two does it raise: pytest's own failure, which is no Exception, so that the code under test does not catch it."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._armed = False
        self._struck = False
        self._signum = _free_signal()
        self._before: Any = None

    def arm(self) -> None:
        self._armed = True
        if self._signum and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(self._signum, self._handle)

    def disarm(self) -> None:
        self._armed = False
        if self._before is not None:
            signal.signal(self._signum, self._before)
            self._before = None

    def strike(self) -> None:
        """Raises on the main thread, once."""
        if not self._armed or self._struck:
            return
        self._struck = True
        ident = threading.main_thread().ident
        if self._before is None or ident is None:
            _thread.interrupt_main()
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pthread_kill(ident, self._signum)

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            pytest.fail(f"Timeout: the test took more than {self._limit_s:g} s")


def _free_signal() -> int:
    """0 where there is none."""
    first, last = getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", 0)
    free = (number for number in range(first + 2, last) if signal.getsignal(number) is signal.SIG_DFL)
    return next(free, 0) if first else 0
