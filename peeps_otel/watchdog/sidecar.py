# SPDX-License-Identifier: Apache-2.0
"""The process beside the program. It sleeps, compares a number twice a second, and reports when it stands still.

It takes nothing from the program but the shared page, a pipe that tells when the program's image is gone, and a
handle on the process. It says nothing on any terminal, is in a session of its own (Ctrl-C and Ctrl-Z are for the
program), is nobody's child that the program could find in a `wait`, and ends with the program.

Reports are made by a forked copy, so that what they need is not kept in memory and a slow network stops nothing.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from .outcome import FAILED, TAKEN, WITHOUT_STACKS
from .page import BYE, DONE, Page
from .proc import oom_kills

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PAGE_FD, LIFE_FD = 3, 4
SILENT_S = 5.0
REPEAT_S = 10.0
_RETRY_S = 2.0
_TICK_S = 0.5
_REPORT_MOST_S = 20
_LAST_WORDS = 3  # attempts
_WITHOUT_STACKS_MOST = 4  # in a row, before it is no longer worth a hurry
_DEATH_S = 2.0


def main() -> None:
    """`python -c … PID TID SIGNAL`: watches process PID; thread TID of it writes the stacks on SIGNAL."""
    pid, tid, signum = map(int, sys.argv[1:4])
    _close_others()
    try:
        process = os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel: the pipe alone must do
        process = None
    page = Page(PAGE_FD)
    if not page.is_ours:
        os._exit(1)
    if os.fork():
        os._exit(0)  # the program waits for this one only, so the other is not its child
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the program, which takes us along when it ends
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir("/")
    _name("peeps-sidecar")
    try:
        Sidecar(page, pid, tid, signum, process).run()
    finally:
        os._exit(0)


class Sidecar:
    """One program's. Single-threaded."""

    def __init__(self, page: Page, pid: int, tid: int, signum: int, process: int | None) -> None:
        self._page = page
        self._pid, self._tid, self._signum = pid, tid, signum
        self._process = process
        self._poll = select.poll()
        self._poll.register(LIFE_FD, 0)
        if process is not None:
            self._poll.register(process, select.POLLIN)
        self._reporter: int | None = None
        self._reporting = ""
        self._reporter_until = 0.0
        self._due = 0.0
        self._without_stacks = 0
        self._told = False  # a silence that somebody knows of
        self._since_ns = page.beat_ns
        self._oom_kills = oom_kills()

    def run(self) -> None:
        """Returns when there is nothing left to watch."""
        page = self._page
        beats, beat_ns = page.beats, page.beat_ns
        quiet, last, looked = 0.0, time.monotonic(), 0.0
        while True:
            over = self._wait()
            if page.has(BYE):
                self._end_reporter()
                page.raise_flag(DONE)
                return
            if over:
                self._end_reporter()
                if over != "left":
                    self._last_words("gone" if over == "died" else over, beat_ns)
                return
            now = time.monotonic()
            self._collect(now)
            ready = self._reporter is None and now >= self._due
            if page.beats != beats:
                if quiet >= SILENT_S:
                    self._due = 0.0
                beats, beat_ns, quiet = page.beats, page.beat_ns, 0.0
                if not self._told:
                    self._since_ns = beat_ns
                elif ready:
                    self._report("resumed", beat_ns)
            else:
                # Not the clock's difference: while we were stopped as well (a frozen container), nobody was silent.
                quiet += min(now - last, 2 * _TICK_S)
                if quiet >= SILENT_S and ready:
                    self._since_ns = beat_ns
                    self._report("silent", beat_ns)
            if now - looked > REPEAT_S:
                looked, self._oom_kills = now, oom_kills()
            last = now

    def _wait(self) -> str:
        """Sleeps for a tick. `died`, `replaced` (by another program, by `exec`), `left` (the program closed what is not
        its own), or nothing."""
        events = {fd for fd, _ in self._poll.poll(_TICK_S * 1000)}
        if not events:
            return ""
        if self._process is None:
            return self._why_left() if os.path.exists(f"/proc/{self._pid}") else "died"
        if self._process in events:
            return "died"
        ending = select.poll()  # a dying process closes its files first
        ending.register(self._process, select.POLLIN)
        return "died" if ending.poll(_DEATH_S * 1000) else self._why_left()

    def _why_left(self) -> str:
        """`exec` ends all threads but one before it closes files, and the one is not ours."""
        return "left" if os.path.exists(f"/proc/{self._pid}/task/{self._tid}") else "replaced"

    def _report(self, what: str, beat_ns: int) -> int:
        """Begins a report, in a process whose id is returned; `_collect` learns whether it was taken."""
        child = os.fork()
        if not child:
            self._in_reporter(what, beat_ns)
        self._reporter, self._reporting = child, what
        self._reporter_until = time.monotonic() + _REPORT_MOST_S
        return child

    def _in_reporter(self, what: str, beat_ns: int) -> None:
        """In the forked copy; does not return."""
        outcome = FAILED
        try:
            signal.alarm(_REPORT_MOST_S)
            sys.path.append(_ROOT)  # the package as a whole: the report asks the same as the program whose a line is
            from peeps_otel.watchdog import report

            facts = report.Facts(self._pid, self._tid, self._signum, PAGE_FD, self._since_ns, beat_ns, self._oom_kills)
            outcome = report.tell(self._page, what, facts)
        finally:
            os._exit(outcome)

    def _collect(self, now: float) -> None:
        """Takes note of a report that was made, or was not."""
        if self._reporter is None:
            return
        ended, status = os.waitpid(self._reporter, os.WNOHANG)
        if ended:
            self._reporter = None
            outcome = os.waitstatus_to_exitcode(status)
            if outcome in (TAKEN, WITHOUT_STACKS):
                self._told = self._reporting == "silent"
            again = outcome == WITHOUT_STACKS and self._without_stacks < _WITHOUT_STACKS_MOST
            self._without_stacks = self._without_stacks + 1 if outcome == WITHOUT_STACKS else 0
            self._due = now + (REPEAT_S if outcome != FAILED and not again else _RETRY_S)
        elif now > self._reporter_until:
            self._end_reporter()

    def _end_reporter(self) -> None:
        if self._reporter is not None:
            os.kill(self._reporter, signal.SIGKILL)
            os.waitpid(self._reporter, 0)
            self._reporter = None

    def _last_words(self, what: str, beat_ns: int) -> None:
        """The program ended without a goodbye."""
        for _ in range(_LAST_WORDS):
            _, status = os.waitpid(self._report(what, beat_ns), 0)
            if os.waitstatus_to_exitcode(status) == TAKEN:
                return
            time.sleep(_RETRY_S)


def _close_others() -> None:
    """What the program made inheritable is not ours: a connection would stay open with us."""
    os.closerange(LIFE_FD + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def _name(text: str) -> None:
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(text)
    except OSError:
        pass
