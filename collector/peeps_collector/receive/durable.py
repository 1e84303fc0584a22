# SPDX-License-Identifier: Apache-2.0
"""Makes what was received durable before it is decoded and answered: one write and one sync for all that wait.

There is no timer: while the disk is busy with one group the next one gathers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .journal import Entry, Journal, JournalError
from .request import Budget, Outcome, Request
from .turns import Turns

_GROUP_BYTES = 8 << 20


class Durable:
    """`offer` from any thread; a thread of its own writes. `failure`: why the last group was refused, empty where it
    was not."""

    def __init__(self, journal: Journal, turns: Turns, budget: Budget, clock: Callable[[], int] = time.time_ns) -> None:
        self._journal = journal
        self._turns = turns
        self._budget = budget
        self._clock = clock
        self._waiting: list[Request] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="peeps-journal", daemon=True)
        self.failure = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was offered is still written; nothing more is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(30)

    def offer(self, request: Request) -> bool:
        """False once stopped. The bytes of the request are of the budget until it is answered."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(request)
            self._changed.notify()
            return True

    def _run(self) -> None:
        while group := self._group():
            self._write(group)

    def _group(self) -> list[Request]:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            size = count = 0
            while count < len(self._waiting) and (not count or size < _GROUP_BYTES):
                size += len(self._waiting[count].body)
                count += 1
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            return group

    def _write(self, group: list[Request]) -> None:
        for number, request in enumerate(group, self._journal.last + 1):
            request.number, request.received_ns = number, self._clock()
        try:
            self._journal.append([Entry(r.number, r.received_ns, r.signal, r.encoding, r.body) for r in group])
        except JournalError as error:
            if len(group) > 1:  # what is too large together may fit one by one
                for request in group:
                    self._write([request])
                return
            self.failure = str(error)
            for request in group:
                self._budget.give(len(request.body))
                request.answer(Outcome(retry=True, message=self.failure))
        else:
            self.failure = ""
            for request in group:
                self._turns.put(request)
