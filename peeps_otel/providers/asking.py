# SPDX-License-Identifier: Apache-2.0
"""Asking the providers, on a thread of ours that nobody waits for longer than a moment.

A provider is code of the program: it may take a lock that is never released, or compute for a second. So it runs on one
thread for all of them; whoever keeps that thread too long keeps it for itself, and the others get another. One that is
slow is asked less often, so that all it takes is a hundredth of one processor.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import native
from ..model.change import Change
from .registered import Entry, Report

CHANGES = (
    Change(
        "a daemon thread `peeps-providers`",
        "calls the functions that the program itself has given to `peeps_otel.register_provider`",
        "while there is such a function; a second one while a function does not come back",
        "ends with the last of them",
        "`PEEPS_PROVIDERS`",
    ),
)

THREAD_NAME = "peeps-providers"
BUDGET_S = 0.25
"""For one provider to answer, before the look goes on without it: long enough for a busy interpreter."""
_ALL_S = 0.5  # for all of them
_SHARE = 100  # of the processor time that it took, until it is asked again
_SHARE_OURS = 1000
_SHARE_LATE, _REST_MOST_NS = 20, 10_000_000_000  # of the time that one took who came too late


@dataclass(slots=True)
class Call:
    """One question to one provider. Times: of the monotonic clock. `value`: to be taken out once."""

    entry: Entry
    began_ns: int = 0
    took_ns: int = 0
    cpu_ns: int = 0
    value: object = None
    error: str = ""
    dropped: bool = False
    done: native.Event = field(default_factory=native.Event)

    def run(self) -> None:
        function: Report | None = self.entry.function()
        self.began_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        try:
            if function is not None:
                self.value = function()
        except BaseException as error:  # whatever it raises, this thread is not its to end
            self.error = type(error).__name__
        finally:
            del function
            self.took_ns = time.monotonic_ns() - self.began_ns
            self.cpu_ns = time.thread_time_ns() - cpu_ns
            self.done.set()


class Asker:
    """For the watcher thread only.

    `begin` at the start of a look, `take` when the answers are wanted.
    """

    def __init__(self, budget_s: float = BUDGET_S) -> None:
        self._budget_ns = int(budget_s * 1e9)
        self._worker: _Worker | None = None
        self._out: dict[int, Call] = {}  # by number: those that have not come back
        self._due_ns: dict[int, int] = {}
        self._asked: list[Call] = []

    def begin(self, entries: Sequence[Entry]) -> list[Entry]:
        """Asks those whose turn it is, and returns them."""
        now_ns = time.monotonic_ns()
        numbers = {entry.number for entry in entries}
        self._due_ns = {number: due for number, due in self._due_ns.items() if number in numbers}
        for number, call in list(self._out.items()):
            if call.done.is_set():
                del self._out[number]
                call.value = None
                self._rest(call)
        turn = [one for one in entries if one.number not in self._out and self._due_ns.get(one.number, 0) <= now_ns]
        self._asked = [Call(entry) for entry in turn]
        if not entries:
            self.stop()
        elif self._asked:
            self._start(self._asked)
        return turn

    def overdue(self, entry: Entry) -> int | None:
        """For how many nanoseconds it has not come back; None where it has."""
        call = self._out.get(entry.number)
        return None if call is None else max(0, time.monotonic_ns() - (call.began_ns or time.monotonic_ns()))

    def rests(self, entry: Entry) -> int:
        """How many nanoseconds it is left alone for what it took the last time; 0 for none."""
        return max(0, self._due_ns.get(entry.number, 0) - time.monotonic_ns())

    def take(self) -> list[Call]:
        """All that were asked, those that have not answered with an `error`. Waits a little."""
        asked, self._asked = self._asked, []
        end_ns = time.monotonic_ns() + int(_ALL_S * 1e9)
        for number, call in enumerate(asked):
            if self._await(call, end_ns):
                self._rest(call)
                continue
            if not call.began_ns:
                call.dropped = True
                call.error = "was not asked: " + ("no thread" if self._worker is None else "others took too long")
                continue
            call.error = f"has not answered within {self._budget_ns // 1_000_000} ms"
            self._out[call.entry.number] = call
            assert self._worker is not None
            self._worker.abandon()
            self._worker = None
            rest = asked[number + 1 :]
            if rest:
                self._start(rest)
        return asked

    def stop(self) -> None:
        """Nobody is to be asked any more. A call that does not come back keeps its thread."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.abandon()

    def _start(self, calls: list[Call]) -> None:
        try:
            if self._worker is None:
                self._worker = _Worker()
            self._worker.give(calls)
        except RuntimeError:  # no more threads
            self._worker = None

    def _await(self, call: Call, end_ns: int) -> bool:
        while not call.done.is_set():
            now_ns = time.monotonic_ns()
            until_ns = call.began_ns + self._budget_ns if call.began_ns else end_ns
            if now_ns >= until_ns or self._worker is None:
                return call.done.is_set()
            call.done.wait(min(until_ns - now_ns, 5_000_000) / 1e9)
        return True

    def _rest(self, call: Call) -> None:
        rest_ns = call.cpu_ns * (_SHARE_OURS if call.entry.ready_made else _SHARE)
        if call.took_ns > self._budget_ns:
            rest_ns = max(rest_ns, min(call.took_ns * _SHARE_LATE, _REST_MOST_NS))
        self._due_ns[call.entry.number] = call.began_ns + rest_ns


class _Worker:
    """A thread that makes calls until it is abandoned."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._given = native.Event()
        self._abandoned = False
        native.Thread(self._run, THREAD_NAME).start()

    def give(self, calls: list[Call]) -> None:
        self._calls = calls
        self._given.set()

    def abandon(self) -> None:
        """It ends when the call at hand has come back."""
        self._abandoned = True
        self._given.set()

    def _run(self) -> None:
        while True:
            self._given.wait()
            self._given.clear()
            calls, self._calls = self._calls, []
            for call in calls:
                if self._abandoned:
                    return
                if not call.dropped:
                    call.run()
            del calls
            if self._abandoned:
                return
