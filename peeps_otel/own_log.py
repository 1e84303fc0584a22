# SPDX-License-Identifier: Apache-2.0
"""The log `peeps_otel`, for threads of ours: no handler of the program can stop them.

A handler has a lock, and where somebody waits with it for ever, so does whoever logs next; `logging` has one of its
own, too. Those are programs that we are to tell of. So each message has a thread for itself, which is waited for a
moment only: what we say comes in order with what the program logs, and while one is not through, no further is tried.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from . import native
from .model.change import Change

CHANGES = (
    Change(
        "a daemon thread `peeps-log`",
        "logs a message of ours: no other thread of ours waits for the handlers of the program",
        "when something of ours fails, which is said once",
        "ends when the handlers have it",
        "`PEEPS_ENABLED`",
    ),
)

THREAD_NAME = "peeps-log"
_MOMENT_S = 0.2


class OwnLog:
    """Of `logging.Logger` what we use. From any thread."""

    def __init__(self) -> None:
        self._through = native.Event()
        self._through.set()

    def info(self, message: str, *arguments: object) -> None:
        self._say(logging.INFO, message, arguments)

    def warning(self, message: str, *arguments: object, exc_info: bool | BaseException = False) -> None:
        """`exc_info`: what was raised, or that it is what is being handled now."""
        self._say(logging.WARNING, message, arguments, exc_info)

    def _say(
        self, level: int, message: str, arguments: tuple[object, ...], exc_info: bool | BaseException = False
    ) -> None:
        if not self._through.wait(_MOMENT_S):
            return
        self._through.clear()
        raised = sys.exc_info() if exc_info is True else exc_info or None
        said = partial(_log, level, message, *arguments, exc_info=raised)
        with suppress(RuntimeError):  # Python ends, and starts no thread any more
            native.Thread(self._run, THREAD_NAME, said).start()
            self._through.wait(_MOMENT_S)
            return
        self._through.set()

    def _run(self, said: partial[None]) -> None:
        try:
            said()
        finally:
            self._through.set()


def _log(level: int, message: str, *arguments: object, exc_info: Any) -> None:
    logging.getLogger("peeps_otel").log(level, message, *arguments, exc_info=exc_info)
