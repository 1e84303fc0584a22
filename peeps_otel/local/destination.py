# SPDX-License-Identifier: Apache-2.0
"""Where a process writes its own verdict: its standard error, or a file."""

from __future__ import annotations

import os
import stat
import time

STDERR = "stderr"
_STDERR_FD = 2


def named(pattern: str, now_ns: int) -> str:
    """The path, with `%p` for the pid and `%t` for the time in it."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(now_ns / 1e9))
    return pattern.replace("%p", str(os.getpid())).replace("%t", stamp)


class Destination:
    """`stderr`, or a file, to which is added. Not by `sys.stderr`, which is the program's and may be locked. Any
    thread; each text comes whole where the system writes it at once."""

    def __init__(self, where: str) -> None:
        self._path = "" if where == STDERR else where
        self._stderr = _identity()

    def write(self, text: str) -> bool:
        """Whether it could be written. May block, as writing to a pipe that nobody reads does."""
        data = (text.rstrip("\n") + "\n").encode("utf-8", "replace")
        try:
            if self._path:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
                descriptor = os.open(named(self._path, time.time_ns()), flags, 0o600)
                try:
                    _write_all(descriptor, data)
                finally:
                    os.close(descriptor)
                return True
            if not self._is_still_stderr():
                return False
            _write_all(_STDERR_FD, data)
            return True
        except OSError:
            return False

    def _is_still_stderr(self) -> bool:
        """A program that has closed it may have opened something else under its number."""
        found = _identity()
        if found is None:
            return False
        if found == self._stderr:
            return True
        mode = found[2]
        return stat.S_ISCHR(mode) or (stat.S_ISREG(mode) and _appends())


def _identity() -> tuple[int, int, int] | None:
    try:
        found = os.fstat(_STDERR_FD)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mode


def _appends() -> bool:
    """A log that somebody has put there."""
    try:
        import fcntl

        return bool(fcntl.fcntl(_STDERR_FD, fcntl.F_GETFL) & os.O_APPEND)
    except (ImportError, OSError):
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
