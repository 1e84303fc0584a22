# SPDX-License-Identifier: Apache-2.0
"""The processor time that a copy of the process may use, handed out by the process while the copy is at work.

A page that both share: the process writes how much may be used in all, the copy how much it has used. Where that is
spent the copy sleeps, so a question that would cost more than any minute may is asked over several. Nothing else passes
between the two that way, and nobody waits for the other: who looks at the page reads a number.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from collections.abc import Callable

FOR_EVER_NS = 1 << 62
_SLEEP_NS = 200_000_000
_STEP_NS = 1_000_000  # what is handed out in smaller pieces than this is used together
_ALLOWED, _USED, _SLEEPS = range(3)


class CopyAllowance:
    """Made by the process before the copy, `pause` is for the copy; the rest for the process, on any thread.
    `process_ns`, `sleep_ns`: the copy's clock of its processor time, and how it sleeps."""

    def __init__(
        self,
        process_ns: Callable[[], int] = time.process_time_ns,
        sleep_ns: Callable[[int], None] | None = None,
    ) -> None:
        self._page = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self._process_ns, self._sleep_ns = process_ns, sleep_ns or _sleeping()
        self._page[_ALLOWED] = FOR_EVER_NS

    def allow(self, in_all_ns: int) -> None:
        """From now on it may use so much in all."""
        self._page[_ALLOWED] = max(0, in_all_ns)

    @property
    def used_ns(self) -> int:
        """What the copy has used, as far as it has said."""
        return self._page[_USED]

    @property
    def is_spent(self) -> bool:
        """Whether the copy sleeps because it may use no more."""
        return bool(self._page[_SLEEPS])

    def pause(self) -> None:
        """Of the copy, now and then: says what it has used, and sleeps until it may use more."""
        page, used_ns = self._page, self._process_ns()
        page[_USED] = used_ns
        if used_ns < page[_ALLOWED]:
            return
        page[_SLEEPS] = 1
        while self._process_ns() + _STEP_NS > page[_ALLOWED]:
            self._sleep_ns(_SLEEP_NS)
        page[_SLEEPS] = 0


def _sleeping() -> Callable[[int], None]:
    """A sleep that keeps the interpreter: in a copy nobody else is there, and the lock behind it may be taken."""
    libc = ctypes.PyDLL(None)
    return lambda ns: libc.usleep(ns // 1000)
