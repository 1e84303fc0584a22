# SPDX-License-Identifier: Apache-2.0
"""The program's side: a thread that counts once a second, and a signal handler in C that writes all stacks.

The handler is `faulthandler.register`'s, on a real-time signal that nobody uses. It runs only when the sidecar asks
for it, on our own thread, and needs no interpreter. Not `faulthandler.dump_traceback_later`: there is one of those in
a process, it may be the program's, and after a pause of the whole process it fires while the threads run.

The file descriptors have high numbers and are looked at before each use: a program that closes all it knows of and
opens others must not find our text in them.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from .. import native
from ..model.change import Change
from ..probes import runtime
from ..probes.probe import Observation, Yield
from .launch import CannotLaunch, launch
from .own_descriptor import OwnDescriptor
from .page import BYE, BYTES, DONE, NO_DUMP, Page
from .proc import used_signals

CHANGES = (
    Change(
        "a child process",
        "the sidecar that reports when no Python of the program can run; it has none of the program's files",
        "some seconds after the start",
        "it ends with the program",
        "`PEEPS_WATCHDOG`, and only with a collector",
    ),
    Change(
        "one free real-time signal",
        "`faulthandler` writes all stacks to a file in memory; unblocked on our own thread",
        "with the sidecar",
        "unregistered when the sidecar has ended",
        "`PEEPS_WATCHDOG`",
    ),
    Change(
        "a daemon thread `peeps-watchdog`, a file in memory, a pipe",
        "counts once a second",
        "with the sidecar",
        "closed at the end",
        "`PEEPS_WATCHDOG`",
    ),
)

THREAD_NAME = "peeps-watchdog"
_BEAT_S = 1.0
_DONE_S = 3.0
_LAUNCHES_MOST = 3
_AFTER_FORK_S = 3.0


class Watchdog:
    """One process's. A `Probe` that sees nothing itself; what is not watched, and why, is in `coverage`.

    `announcement` gives what the sidecar is told; called at each launch, on a thread of ours. No method waits.
    """

    name = "watchdog"

    def __init__(self, announcement: Callable[[], bytes]) -> None:
        self._announcement = announcement
        self.coverage: list[str] = []
        self._post: _Post | None = None

    def install(self) -> None:
        """Begins to count, and launches the sidecar."""
        self._begin(0.0)

    def uninstall(self) -> None:
        """Says goodbye. The sidecar ends within a second, later than this call."""
        post, self._post = self._post, None
        if post is not None:
            post.stop()

    def abandon(self) -> bool:
        """In a forked child, from the fork hook: nothing of the parent's is left open here, and its sidecar is not
        asked. Returns whether this process was watched from outside."""
        post, self._post = self._post, None
        if post is not None:
            post.abandon()
        return post is not None

    def install_in_child(self) -> None:
        """As `install`; but only a child that lives for a while gets a sidecar."""
        self._begin(_AFTER_FORK_S)

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        observation.coverage += self.coverage

    def announce(self) -> bytes:
        return self._announcement()

    def _begin(self, delay_s: float) -> None:
        if self._post is not None:
            return
        missing = _unsupported()
        self.coverage = [f"not watched from outside: {missing}"] if missing else []
        if not missing:
            self._post = _Post(self)
            self._post.start(delay_s)


class _Post:
    """One thread with its page, and the sidecars launched for it."""

    def __init__(self, owner: Watchdog) -> None:
        self._owner = owner
        self._stopping = native.Event()
        self._page: Page | None = None
        self._page_fd = self._life_fd = _NONE
        self._signum = 0
        self._idents: tuple[int, ...] = ()
        self._launched = False

    def start(self, delay_s: float) -> None:
        native.Thread(self._run, THREAD_NAME, delay_s).start()

    def stop(self) -> None:
        self._stopping.set()
        if self._page is not None:
            self._page.raise_flag(BYE | NO_DUMP)

    def abandon(self) -> None:
        """In a forked child: nothing of the parent's is left open here."""
        self._unregister()
        self._page_fd.close()
        self._life_fd.close()

    def _run(self, delay_s: float) -> None:
        if delay_s and self._stopping.wait(delay_s):
            return
        try:
            for _ in range(_LAUNCHES_MOST):
                self._open()
                if not self._beat():
                    break
                self._life_fd.close()  # the program closed our files: the sidecar has gone
        except (CannotLaunch, OSError, ValueError, NotImplementedError, RuntimeError) as reason:
            self._owner.coverage = [f"not watched from outside: {reason}"]
            self._clear_up()
            return
        self._say_goodbye()

    def _open(self) -> None:
        announcement = self._owner.announce()
        page_fd = os.memfd_create("peeps", os.MFD_CLOEXEC)
        try:
            os.ftruncate(page_fd, BYTES)
            os.lseek(page_fd, BYTES, os.SEEK_SET)
            page = Page(page_fd)
            page.announce(announcement)
        finally:
            self._page_fd = OwnDescriptor.high(page_fd)
        self._register(page)
        ends = os.pipe()
        reading, self._life_fd = map(OwnDescriptor.high, ends)
        try:
            self._page, self._idents = page, ()
            page.beat(time.time_ns())
            self._name_threads(page)
            launch(self._page_fd.number, reading.number, threading.get_native_id(), self._signum)
            self._launched = True
        finally:
            reading.close()

    def _register(self, page: Page) -> None:
        """Gives the signal a handler that writes to the page's file; without one there are no stacks, but the rest."""
        used = used_signals()
        free = [n for n in range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1) if not used >> (n - 1) & 1]
        # Without the GIL the threads would run on while their stacks are read.
        if not free or not getattr(sys, "_is_gil_enabled", lambda: True)():
            page.raise_flag(NO_DUMP)
            self._owner.coverage = ["no stacks from outside: no free signal, or a Python without the GIL"]
            return
        self._signum = free[0]
        faulthandler.register(self._signum, file=self._page_fd.number, all_threads=True, chain=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {self._signum})

    def _beat(self) -> bool:
        """Counts until the end. True where the program has closed our files, and it must begin anew."""
        page = self._page
        assert page is not None
        while not self._stopping.wait(_BEAT_S):
            page.beat(time.time_ns())
            self._name_threads(page)
            taken = self._signum and signal.getsignal(self._signum) is not signal.SIG_DFL
            if taken or not self._page_fd.is_ours():
                page.raise_flag(NO_DUMP)
            if not self._life_fd.is_ours():
                self._unregister()
                return True
        return False

    def _name_threads(self, page: Page) -> None:
        threads = [runtime.facts(ident, one) for ident, one in runtime.known_threads().items()]
        idents = tuple(thread.ident for thread in threads)
        if idents != self._idents:
            self._idents = idents
            lines = (
                f"{t.ident} {t.native_id} {' '.join(t.name.split())}\n" for t in threads if t.ident and t.native_id
            )
            page.name_threads("".join(lines).encode(errors="replace"))

    def _say_goodbye(self) -> None:
        """Gives the signal back when the sidecar has promised not to send it. At the end of the program nobody waits
        for that: this thread is gone then."""
        page = self._page
        assert page is not None
        page.raise_flag(BYE | NO_DUMP)
        end = time.monotonic() + _DONE_S
        while not page.has(DONE) and time.monotonic() < end:
            native.sleep(0.1)
        self._clear_up()

    def _clear_up(self) -> None:
        self._unregister()
        self._page_fd.close()
        self._life_fd.close()

    def _unregister(self) -> None:
        if self._signum:
            faulthandler.unregister(self._signum)
            self._signum = 0


_NONE = OwnDescriptor(-1)


def _unsupported() -> str:
    """What this platform lacks; empty where nothing."""
    if sys.platform != "linux":
        return f"only on Linux, not on {sys.platform}"
    if not hasattr(os, "memfd_create") or not hasattr(os, "posix_spawn"):
        return "this Python has no memfd_create or posix_spawn"
    return ""
