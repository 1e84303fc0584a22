# SPDX-License-Identifier: Apache-2.0
"""A clock that stands until a test steps it: what lasts for seconds is seen in as many steps as by the real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from peeps_otel import native
from tests.support.waiting import PATIENCE_S

T = TypeVar("T")
_STEP_S = 0.05
_TURN_S = 0.001
_EVENT_EVERY_S = 0.002  # an event that is set tells no clock


class SteppedClock:
    """Begins now. A watcher that waits for it goes on when `step` has brought it to its time; `step` returns when it
    waits again."""

    def __init__(self) -> None:
        self._began_ns = time.time_ns()
        self._now_ns = 1_000_000_000
        self._changed = threading.Condition()
        self._waited_for = False
        self._due_ns: int | None = None

    def time_ns(self) -> int:
        return self._began_ns + self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def wait(self, event: native.Event, timeout_s: float) -> bool:
        with self._changed:
            self._waited_for = True
            due_ns = self._due_ns = self._now_ns + round(timeout_s * 1e9)
            self._changed.notify_all()
            while not event.is_set() and self._now_ns < due_ns:
                self._changed.wait(_EVENT_EVERY_S)
            self._due_ns = None
            return event.is_set()

    def until_waited_for(self) -> None:
        """Until a watcher waits for this clock."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._due_ns is not None, PATIENCE_S), "the watcher does not wait"

    def step(self, seconds: float) -> None:
        """So much time passes."""
        end_ns = self._now_ns + round(seconds * 1e9)
        with self._changed:
            while self._waited_for and self._now_ns < end_ns:
                self.until_waited_for()
                assert self._due_ns is not None
                self._now_ns = max(self._now_ns, min(end_ns, self._due_ns))
                if self._now_ns >= self._due_ns:
                    self._due_ns = None
                    self._changed.notify_all()
            self._now_ns = end_ns
            if self._waited_for:
                self.until_waited_for()

    def step_until(self, check: Callable[[], T | None], seconds: float) -> T:
        """Steps until `check` is true and returns its value. Each time the program gets a turn of real time. For
        `seconds` at most: AssertionError."""
        end_ns = self._now_ns + round(seconds * 1e9)
        while not (value := check()):
            assert self._now_ns < end_ns, f"not within {seconds} s"
            self.step(_STEP_S)
            time.sleep(_TURN_S)
        return value
