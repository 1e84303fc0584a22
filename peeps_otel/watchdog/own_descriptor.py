# SPDX-License-Identifier: Apache-2.0
"""A file descriptor of ours in a program that may close all it knows of, and open others under their numbers."""

from __future__ import annotations

import contextlib
import fcntl
import os

_HIGH_FDS = (900, 200, 50)


class OwnDescriptor:
    """A file descriptor of ours, recognised by its file: the number alone may have become somebody else's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._file = self._identity()

    @classmethod
    def high(cls, number: int) -> OwnDescriptor:
        """Moves it to where no program's own descriptors are."""
        for least in _HIGH_FDS:
            with contextlib.suppress(OSError):  # over the limit of this process
                moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, least)
                os.close(number)
                return cls(moved)
        return cls(number)

    def is_ours(self) -> bool:
        return self._file is not None and self._identity() == self._file

    def close(self) -> None:
        if self.is_ours():
            os.close(self.number)
        self._file = None

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.fstat(self.number)
        except OSError:
            return None
        return status.st_dev, status.st_ino
