# SPDX-License-Identifier: Apache-2.0
"""The process between whoever starts the program and the program: hands on what comes to it, and ends as it ends.

It reads and writes nothing of the program's. A signal that the kernel sends to the whole group of a terminal has
reached the program as well; one that somebody sent to this process is handed on. Before a SIGTERM the program is asked
for its verdict, by a socket and for a bounded time: nothing in the program itself stands between it and the signal, so
that one in which no Python can run ends as ever.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_CHANNEL = "PEEPS_RUN_CHANNEL"  # as `local.run_channel` has them
_QUESTION, _ANSWER = b"?", b"!"
_POLL_S = 0.02
_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as shells have it
_PR_SET_PDEATHSIG = 1


def run(command: Sequence[str], environment: Mapping[str, str], on_exit_s: float) -> int:
    """The exit code of the command; where a signal ended it, the same signal ends this process."""
    if not hasattr(signal, "sigwaitinfo"):  # no parent is needed but for the verdict before a SIGTERM
        return _become(command, environment)
    ours, theirs = socket.socketpair()
    die_with_parent = _die_with_parent()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        ours.close()
        theirs.set_inheritable(True)
        die_with_parent()
        if os.getppid() != parent:  # it ended before we asked to be told
            os._exit(_NOT_RUNNABLE)
        for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os._exit(_become(command, {**environment, _CHANNEL: f"{os.getpid()}:{theirs.fileno()}"}))
    theirs.close()
    return _Parent(child, ours, on_exit_s).wait()


def _become(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Returns only where that fails."""
    try:
        os.execvpe(command[0], list(command), dict(environment))
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        os.write(2, f"peeps run: {command[0]}: {error.strerror}\n".encode("utf-8", "replace"))
        return _NOT_FOUND if missing else _NOT_RUNNABLE


def _die_with_parent() -> Callable[[], object]:
    """What a child calls so that it does not live on when this process is killed."""
    if sys.platform != "linux":
        return lambda: None
    import ctypes

    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return lambda: None
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


class _Parent:
    """All signals are blocked, and come by `sigwaitinfo`."""

    def __init__(self, child: int, channel: socket.socket, on_exit_s: float) -> None:
        self._child = child
        self._channel = channel
        self._on_exit_s = on_exit_s
        self._status: int | None = None
        channel.setblocking(False)

    def wait(self) -> int:
        while self._status is None:
            self._take(signal.sigwaitinfo(signal.valid_signals()))
        return _end_as(self._status)

    def _take(self, told: signal.struct_siginfo) -> None:
        number = told.si_signo
        if number == signal.SIGCHLD:
            self._reap()
            return
        if told.si_code > 0 and number != signal.SIGHUP:  # the kernel's, for all of the terminal
            return
        if number == signal.SIGTERM and self._on_exit_s:
            self._ask()
        self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._child, number)

    def _ask(self) -> None:
        """Waits for the answer, for the end of the program, for the end of patience, or for a second SIGTERM."""
        end_s = time.monotonic() + self._on_exit_s
        try:
            self._channel.send(_QUESTION)
        except OSError:  # it has closed it: no Python, or not one that we could start in
            return
        while self._status is None and time.monotonic() < end_s:
            told = signal.sigtimedwait(signal.valid_signals(), 0)
            if told is not None and told.si_signo == signal.SIGTERM:
                return
            if told is not None:
                self._take(told)
            if select.select([self._channel], [], [], _POLL_S)[0]:
                with contextlib.suppress(OSError):
                    self._channel.recv(1)
                return

    def _reap(self) -> None:
        """Of all children: as the first process of a container this one has those of others too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid != self._child:
                continue
            if os.WIFSTOPPED(status):
                os.kill(os.getpid(), signal.SIGSTOP)  # whoever waits for this process sees that it has stopped
                self._hand_on(signal.SIGCONT)
                continue
            self._status = status


def _end_as(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    number = -code
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program has left its own
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number
