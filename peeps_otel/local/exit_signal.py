# SPDX-License-Identifier: Apache-2.0
"""A SIGTERM that would end the program at once has the verdict of now written first, and then ends it.

The handler is in C, as that of `dump_signal`, and writes to a socket of ours. Where no Python can run any more, another
process ends the program when its time is up (`watchdog/exit_guard`). A program that handles SIGTERM itself, before or
after, is left alone.

The handler writes nothing on a thread that Python does not know, which the only thread of a forked child is for a
moment: so SIGTERM is blocked around a fork, and comes when the child has the default again. What was forked without
Python's knowledge has the handler too, so the kernel adds which process it was that wrote.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable

from .. import native
from ..model.change import Change
from ..watchdog.launch import CannotLaunch, launch_exit_guard
from ..watchdog.own_descriptor import OwnDescriptor
from .dump_signal import is_free

CHANGES = (
    Change(
        "SIGTERM, where the program does not handle it",
        "`faulthandler` writes to a socket; the verdict is written, then SIGTERM ends the program as ever",
        "at the start, not under `peeps run`, which has a process of its own for it",
        "unregistered at the end, unless the program has taken it",
        "`PEEPS_DUMP_ON_EXIT`",
    ),
    Change(
        "`os.register_at_fork`, and SIGTERM blocked on the forking thread",
        "in a forked child SIGTERM ends it at once, until it is watched itself",
        "around a fork",
        "the functions stay (Python has no way back) and do nothing once we have ended",
        "`PEEPS_DUMP_ON_EXIT`",
    ),
    Change(
        "a daemon thread `peeps-exit`, two sockets, a child process",
        "the process ends the program if no Python of it can run after a SIGTERM",
        "at the start",
        "they end with the program",
        "`PEEPS_DUMP_ON_EXIT`",
    ),
)

THREAD_NAME = "peeps-exit"
_LOOKS_AFTER_S = 1.0
_BYTES = 65536
_CREDENTIALS = struct.Struct("iii")

_installed: list[ExitSignal] = []
"""One at most."""
_masks: dict[int, set[int]] = {}
"""By thread that forks: what it had blocked before."""
_follows_forks = False


class ExitSignal:
    """Of one process. `asked` writes the verdict, on a thread of ours, for `seconds` at most. `install` once."""

    def __init__(self, seconds: float, asked: Callable[[], None]) -> None:
        self._seconds = seconds
        self._asked = asked
        self._reading: socket.socket | None = None
        self._writing: OwnDescriptor | None = None
        self._ended = False

    def install(self) -> str:
        """Why a SIGTERM is left as it is, in words; empty where it is not."""
        if sys.platform != "linux":
            return f"only on Linux, not on {sys.platform}"
        if not is_free(signal.SIGTERM) or signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
            return ""  # the program's own
        reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            reading.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            reading.settimeout(_LOOKS_AFTER_S)
            launch_exit_guard(reading.fileno(), self._seconds)
            writing.setblocking(False)
            self._reading, self._writing = reading, OwnDescriptor.high(writing.detach())
            native.Thread(self._run, THREAD_NAME, reading, listed=False).start()
        except (CannotLaunch, OSError, RuntimeError) as error:
            reading.close()
            self._close()
            return str(error)
        _follow_forks()
        _installed[:] = [self]
        faulthandler.register(signal.SIGTERM, file=self._writing.number, all_threads=False, chain=False)
        return ""

    def uninstall(self) -> None:
        """Gives the signal back where it is still ours. The thread and the process end by themselves."""
        self._ended = True
        if self in _installed:
            _installed.clear()
            self._give_back()
            self._close()

    def abandon(self) -> None:
        """In a forked child, from the fork hook: what is open here is the parent's."""
        self.uninstall()
        if self._reading is not None:
            self._reading.close()

    def _give_back(self) -> None:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            faulthandler.unregister(signal.SIGTERM)

    def _close(self) -> None:
        if self._writing is not None:
            self._writing.close()

    def _run(self, reading: socket.socket) -> None:
        with contextlib.suppress(OSError), reading:  # a program that closes all it knows of
            while not self._ended:
                if self._told(reading) == os.getpid():
                    self._end()
                    return
                if self._writing is None or not self._writing.is_ours():
                    break
        if not self._ended:
            self._give_back()

    def _told(self, reading: socket.socket) -> int:
        """Which process has had a SIGTERM; 0 where none has for a while. OSError where nobody could tell any more."""
        try:
            # What is for this process stays unread: it may never get the interpreter back, and then the process beside
            # it sees that nobody has ended it.
            data, ancillary, _, _ = reading.recvmsg(_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK)
        except TimeoutError:
            return 0
        if not data:
            raise ConnectionResetError
        told = next((_CREDENTIALS.unpack(told)[0] for _, kind, told in ancillary if kind == socket.SCM_CREDENTIALS), 0)
        if told != os.getpid():
            reading.recv(_BYTES)
        return told

    def _end(self) -> None:
        done = native.Event()

        def ask() -> None:
            try:
                self._asked()
            finally:
                done.set()

        with contextlib.suppress(RuntimeError):  # no more threads
            native.Thread(ask, THREAD_NAME, listed=False).start()
            done.wait(self._seconds)
        self._ended = True
        self._give_back()
        os.kill(os.getpid(), signal.SIGTERM)


def _follow_forks() -> None:
    global _follows_forks
    if not _follows_forks:
        _follows_forks = True
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def _before_fork() -> None:
    if _installed:
        _masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _after_fork() -> None:
    mask = _masks.pop(threading.get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _after_fork_in_child() -> None:
    if _installed:
        _installed[0].abandon()
    _after_fork()
