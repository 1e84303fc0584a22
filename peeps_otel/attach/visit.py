# SPDX-License-Identifier: Apache-2.0
"""One copy of the process: made, asked, and gone."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, cast

from . import bootstrap, descriptors, kernel_view, parked, parked_calls, processes
from .carried import carried
from .chain import QUIET
from .channel import Channel
from .kernel_view import ThreadMoment, moments
from .refused import NotNow, Refused
from .signal_frame import ExtendedStateLayout, extended_state_layout
from .strike import Struck, strike
from .target import Target

_BETWEEN_S = 0.002
_SETTLE_S = 0.025  # a thread that waits for the interpreter wakes every 5 ms
_START_S = 10.0
_CODE_S = 5.0
_ANSWER_S = 45.0
_BACK_S = 2.0
_PARKED_S = 0.3
_COPIES_MOST = 3
_READ_MOST = 20
_POLLS_PART = 50  # of the time, at most, a thread computes that polls inside a call


class Visit(NamedTuple):
    """`answer`: of the copy. `after`: of each thread by the id its process knows it by, once it was parked again.
    `at_ns`: when the copy was made, Unix epoch. `away_ms`: how long the borrowed thread was gone; None: not known."""

    answer: dict[str, object]
    after: dict[int, ThreadMoment]
    at_ns: int
    away_ms: float | None
    tries: int


class Visitor:
    """Visits one process, again and again. On one thread. `stage`: told how far an attempt is, for tests."""

    def __init__(self, pid: int, stage: Callable[[str], None] = lambda _: None) -> None:
        self._pid, self._stage = pid, stage
        self._layout: ExtendedStateLayout = extended_state_layout()
        self._came_ns = 0
        self._last: Visit | None = None
        self._since_first: dict[str, str] = {}
        self._first_ns = 0
        self._came_parked: tuple[dict[int, ThreadMoment], int, dict[int, int]] = {}, 0, {}
        self._parked: dict[int, int] = {}  # since when, Unix epoch, by the id that the process knows a thread by
        self.loader = bootstrap.LOADER
        """What the copy runs first. Another only for tests."""

    def visit(self, patience_s: float) -> Visit:
        """Looks for a moment to come in for `patience_s` seconds. Raises Refused."""
        for left in reversed(range(_COPIES_MOST)):
            try:
                with Target(self._pid) as target:
                    visit = self._once(target, patience_s)
                self._remember(visit)
                return visit
            except _Hung as hung:
                _end_copies(self._pid, hung.since_ticks)
                if not left:
                    raise
        raise AssertionError

    def _once(self, target: Target, patience_s: float) -> Visit:
        if self._last is None:  # before anybody is disturbed
            self._came_parked = moments(self._pid), time.time_ns(), parked.ages_ns(self._pid)
        with Channel(self._pid, target.status) as channel:
            before, struck, tries = self._strike(target, channel, patience_s)
            at_ns = time.time_ns()
            self._came_ns = self._came_ns or at_ns
            since_ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")) - 2
            away_ms = _away_ms(target, struck)
            after = {one.id: one for one in moments(self._pid).values()}
            standing = descriptors.of_process(self._pid)
            try:
                channel.accept(int(target.status["Uid"].split()[1]), _START_S)
                again = _once_parked(self._pid, struck.thread)
                after |= {} if again is None else {again.id: again}
                request = self._request(target, struck, before, after, at_ns)
                request["descriptors"] = {fd: tuple(one) for fd, one in standing.items()}
                answer = channel.ask(request, _ANSWER_S)
            except NotNow as error:
                raise _Hung(str(error), since_ticks) from None
        if error := answer.get("error"):
            raise Refused(f"looking failed in the copy, which is gone: {str(error).strip().splitlines()[-1]}")
        return Visit(answer, after, at_ns, away_ms, tries)

    def _remember(self, visit: Visit) -> None:
        """Who has been in the same wait at every visit: the copy has left out who has run since the one before."""
        states = cast("dict[str, str]", visit.answer["states"])
        if self._last is None:
            self._since_first, self._first_ns = states, visit.at_ns
        else:
            known = self._since_first
            self._since_first = {key: state for key, state in states.items() if known.get(key) == state}
        self._last = visit

    def _bases(self, at_ns: int) -> list[tuple[dict[str, str], int, list[int] | None]]:
        """What there is to compare with, how long ago that was, and of which threads alone it is known: since before
        the first visit, since that, and since the last."""
        if self._last is None:
            return []
        ages = {known_as: at_ns - since_ns for known_as, since_ns in self._parked.items()}
        watched_ns = at_ns - self._first_ns
        found: list[tuple[dict[str, str], int, list[int] | None]] = [
            (self._since_first, age_ns, threads) for age_ns, threads in parked.bases(ages, watched_ns)
        ]
        found.append((self._since_first, watched_ns, None))
        if self._last.at_ns != self._first_ns:
            found.append((cast("dict[str, str]", self._last.answer["states"]), at_ns - self._last.at_ns, None))
        return found

    def _still_parked(self, struck: Struck, after: dict[int, ThreadMoment], moved: list[int]) -> None:
        """Since when the threads have not run that have not since we came either."""
        if self._last is not None:
            self._parked = parked.without(self._parked, moved)
            return
        came, came_ns, ages = self._came_parked
        seen = {one.id: one for one in came.values()}
        now = after | {struck.before.id: struck.before}
        self._parked = {one: came_ns - ages[one] for one in ages if _same(seen.get(one), now.get(one))}

    def _strike(
        self, target: Target, channel: Channel, patience_s: float
    ) -> tuple[dict[int, ThreadMoment], Struck, int]:
        reason, end_s, tries = "no moment came", time.monotonic() + patience_s, 0
        while True:
            before = {one.id: one for one in moments(self._pid).values()}
            time.sleep(_SETTLE_S)
            thread = 0
            try:
                thread = target.candidates()[0]
                tries += 1
                before |= {one.id: one for one in moments(self._pid).values() if parked_calls.sleeps_by_itself(one)}
                code = bootstrap.code(channel.address, channel.secret, time.monotonic() + _CODE_S)
                return before, strike(target, thread, code, self._layout, self._stage), tries
            except NotNow as error:
                reason = str(error)
            except OSError as error:
                if not kernel_view.threads(self._pid):
                    raise Refused("it has ended") from None
                reason = error.strerror or str(error)
            self._disturbed(thread, before)
            if time.monotonic() >= end_s:
                raise Refused(f"{reason} (tried for {patience_s:g} s; nothing was touched)")
            time.sleep(_BETWEEN_S)

    def _disturbed(self, thread: int, before: dict[int, ThreadMoment]) -> None:
        """An attempt that came to nothing has stopped a thread for a moment. If it had not moved since the last visit
        before that, it has not moved now."""
        if not thread or self._last is None:
            return
        last, inner = self._last.after, kernel_view.inner_id(kernel_view.status(self._pid, thread), thread)
        if _same(last.get(inner), before.get(inner)):
            parked = _once_parked(self._pid, thread)
            if parked is not None:
                last[inner] = parked

    def _request(
        self,
        target: Target,
        struck: Struck,
        before: dict[int, ThreadMoment],
        after: dict[int, ThreadMoment],
        at_ns: int,
    ) -> dict[str, object]:
        last = self._last
        own = target.version[:2] == sys.version_info[:2]
        seen = _seen(struck, before, after, at_ns)
        now = after | {struck.before.id: struck.before}
        moved, polls = list[int](), list[int]()
        for known_as, moment in now.items():
            was = None if last is None else last.after.get(known_as)
            if last is not None and not _same(was, moment):
                moved.append(known_as)
            if moment.sleeps and (last is None or (was and _next_to_nothing(was, moment, at_ns - last.at_ns))):
                polls.append(known_as)
        self._still_parked(struck, after, moved)
        return {
            "loader": self.loader,
            "modules": carried(importlib.util.MAGIC_NUMBER if own else None),
            "pid": self._pid,
            "inner_pid": target.inner_pid,
            "inner_parent": kernel_view.inner_parent(target.status),
            "service": processes.name(self._pid),
            "seen": seen,
            "inherited": kernel_view.sockets_of_ancestors(self._pid),
            "native_ids": _native_ids(target),
            "moved": moved,
            "polls": polls,
            "bases": self._bases(at_ns),
            "came_ns": self._came_ns,
        }


def _native_ids(target: Target) -> dict[int, int]:
    """By ident. In a process that was forked Python itself may have those of the parent."""
    for _ in range(_READ_MOST):
        with suppress(OSError, NotNow):
            return target.interpreter().idents
    return {}


class _Hung(NotNow):
    def __init__(self, message: str, since_ticks: int) -> None:
        super().__init__(message)
        self.since_ticks = since_ticks


def _away_ms(target: Target, struck: Struck) -> float | None:
    """Waits until the borrowed thread is itself again, a moment at most."""
    end_s = time.monotonic() + _BACK_S
    while time.monotonic() < end_s:
        try:
            now = target.read(struck.chain.done_at, 16)
        except OSError:
            return None
        if now != struck.chain.filler:
            ended_s = int.from_bytes(now[:8], "little") + int.from_bytes(now[8:], "little") / 1e9
            return (ended_s - struck.stopped_s) * 1e3 if 0 <= ended_s - struck.stopped_s < _BACK_S else None
        time.sleep(0.0003)
    return None


def _once_parked(pid: int, thread: int) -> ThreadMoment | None:
    """A thread that we have stopped, once it sleeps again, or after a moment."""
    end_s = time.monotonic() + _PARKED_S
    before = kernel_view.moment(pid, thread)
    while time.monotonic() < end_s:
        time.sleep(_BETWEEN_S)
        now = kernel_view.moment(pid, thread)
        if now is None or _same(before, now):
            return now
        before = now
    return before


def _same(one: ThreadMoment | None, other: ThreadMoment | None) -> bool:
    """Whether a thread has not run between two moments."""
    if one is None or other is None or not (one.sleeps and other.sleeps):
        return False
    return (one.switches, one.cpu_ns, one.call) == (other.switches, other.cpu_ns, other.call)


def _next_to_nothing(was: ThreadMoment, now: ThreadMoment, between_ns: int) -> bool:
    """Whether a thread has all but slept between two moments."""
    return (now.cpu_ns - was.cpu_ns) * _POLLS_PART < between_ns


def _seen(
    struck: Struck, before: dict[int, ThreadMoment], after: dict[int, ThreadMoment], now_ns: int
) -> dict[int, tuple[bool, int, tuple[int, int] | None, int]]:
    """As `SeenThread`, by the id that their process knows them by: who slept before the copy was made and has not run
    until after it, slept when it was made. The borrowed thread was stopped in the call it slept in."""
    booted_ns = now_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    found: dict[int, tuple[bool, int, tuple[int, int] | None, int]] = {}
    for known_as, now in after.items():
        was = struck.before if known_as == struck.before.id else now
        words = was.call.split()
        call = (int(words[0]), int(words[1], 16)) if len(words) > 1 else None
        started_ns = min(now_ns, booted_ns + was.started_ticks * tick_ns)
        found[known_as] = _same(before.get(known_as), was), was.cpu_ns, call, started_ns
    return found


def _end_copies(pid: int, since_ticks: int) -> None:
    """Kills what is left of copies that have not come to life: they alone have our signal mask."""
    executable = os.readlink(f"/proc/{pid}/exe")
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == pid:
            continue
        try:
            descriptor = os.pidfd_open(int(name))
        except OSError:
            continue
        try:
            facts = kernel_view.moment(int(name), int(name))
            quiet = int(kernel_view.status(int(name)).get("SigBlk", "0"), 16) == QUIET
            late = facts is not None and facts.started_ticks >= since_ticks
            if quiet and late and os.readlink(f"/proc/{name}/exe") == executable:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except OSError:
            continue
        finally:
            os.close(descriptor)
