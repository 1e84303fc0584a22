# SPDX-License-Identifier: Apache-2.0
"""How `peeps run`, the parent of this process, asks it for its verdict before it hands on a signal that may end it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from .. import native
from ..model.change import Change

CHANGES = (
    Change(
        "a daemon thread `peeps-run`, a socket",
        "waits for `peeps run` to ask for the verdict, before it hands on a SIGTERM",
        "under `peeps run` only",
        "ends with the process",
        "`PEEPS_REPORT`",
    ),
)

VARIABLE = "PEEPS_RUN_CHANNEL"
"""`pid:descriptor`: only the process with this pid has it, not whoever inherits the variable."""
QUESTION, ANSWER = b"?", b"!"
THREAD_NAME = "peeps-run"


def is_open(environment: Mapping[str, str]) -> bool:
    """Whether this process was given it."""
    return _descriptor_of(environment) is not None


def _descriptor_of(environment: Mapping[str, str]) -> int | None:
    pid, _, number = environment.get(VARIABLE, "").partition(":")
    return int(number) if pid == str(os.getpid()) and number.isdecimal() else None


def listen(environment: Mapping[str, str], asked: Callable[[], None]) -> None:
    """Answers each question when `asked` has returned, on a thread of ours. Does nothing where nobody can ask."""
    descriptor = _descriptor_of(environment)
    if descriptor is None:
        return
    try:
        os.set_inheritable(descriptor, False)
    except OSError:  # closed by whoever started us
        return
    native.Thread(_answer, THREAD_NAME, descriptor, asked, listed=False).start()


def _answer(descriptor: int, asked: Callable[[], None]) -> None:
    try:
        while os.read(descriptor, 1) == QUESTION:
            asked()
            os.write(descriptor, ANSWER)
    except OSError:
        return
