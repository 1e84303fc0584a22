# SPDX-License-Identifier: Apache-2.0
"""Signals that ask for the verdict of now. Their handler is in C: it works while the main thread is in C code, or waits
for a lock that a handler in Python would need as well.

It is `faulthandler.register`'s, on a pipe of ours: that there is something to read is the question, and a thread of
ours reads it. What the program handles itself, before or after, stays its own; no handler is chained.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
from collections.abc import Callable, Sequence

from .. import native
from ..model.change import Change

CHANGES = (
    Change(
        "signals that the program does not handle",
        "`faulthandler` writes to a pipe, which has the verdict written; the signal does nothing else any more",
        "at the start",
        "unregistered at the end, unless the program has taken them",
        "`PEEPS_DUMP_SIGNAL`",
    ),
    Change(
        "a daemon thread `peeps-signal`, a pipe",
        "waits for such a signal",
        "at the start",
        "ends with the process",
        "`PEEPS_DUMP_SIGNAL`",
    ),
)

THREAD_NAME = "peeps-signal"
_BYTES = 65536
_SETTLES_S = 0.05  # a handler writes a stack in several pieces

_ours: set[int] = set()
"""Registered in this process, or by its parent before a fork."""


class DumpSignals:
    """Of one process. `asked`: called on our thread, once for each time that signals come. `install` once."""

    def __init__(self, signums: Sequence[int], asked: Callable[[], None]) -> None:
        self._signums = signums
        self._asked = asked
        self._ends: tuple[int, int] | None = None
        self._ended = False

    def install(self) -> list[int]:
        """Returns those that the program handles or ignores, and that are left to it."""
        free = [one for one in self._signums if is_free(one)]
        if free:
            reading, writing = self._ends = os.pipe()
            os.set_blocking(writing, False)  # nobody who is interrupted waits for us
            for signum in free:
                faulthandler.register(signum, file=writing, all_threads=False, chain=False)
                _ours.add(signum)
            native.Thread(self._run, THREAD_NAME, reading, listed=False).start()
        return [one for one in self._signums if one not in free]

    def uninstall(self) -> None:
        """Gives back those that are still ours. The thread ends by itself."""
        self._ended = True
        for signum in self._signums:
            if signum in _ours and signal.getsignal(signum) is signal.SIG_DFL:
                faulthandler.unregister(signum)
                _ours.discard(signum)
        if self._ends is not None:
            with contextlib.suppress(OSError):
                os.write(self._ends[1], b"\n")

    def _run(self, reading: int) -> None:
        while not self._ended:
            try:
                if not os.read(reading, _BYTES):
                    return
                native.sleep(_SETTLES_S)
                os.set_blocking(reading, False)
                with contextlib.suppress(BlockingIOError):
                    while os.read(reading, _BYTES):
                        pass
                os.set_blocking(reading, True)
            except OSError:  # a program that closes all it knows of
                return
            if not self._ended:
                self._asked()


def is_free(signum: int) -> bool:
    """Whether the program neither handles nor ignores it."""
    if signal.getsignal(signum) is not signal.SIG_DFL:
        return False
    return signum in _ours or not _used() >> (signum - 1) & 1


def _used() -> int:
    """The signals that this process handles or ignores in C, as a mask; none where the system does not say."""
    mask = 0
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(("SigCgt:", "SigIgn:")):
                mask |= int(line.split()[1], 16)
    return mask
