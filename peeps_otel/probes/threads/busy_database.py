# SPDX-License-Identifier: Apache-2.0
"""Threads that wait for a SQLite database that is locked: in a function of `sqlite3`, and there in a sleep."""

from __future__ import annotations

from ..internals.sqlite_locks import LOCKS, read_field
from ..internals.stdlib import attribute
from ..internals.thread import system_call
from ..library import operation
from .call_stack import CallStack
from .waits import Classifier, PollCall, Waiting

_BUSY = operation("database.busy")
_SLEEPS = frozenset({35, 230, 101, 115})
"""`nanosleep` and `clock_nanosleep`: x86-64, the others."""


def busy_with(stack: CallStack, classifier: Classifier, native_id: int | None) -> Waiting | None:
    """Its wait, of a thread that is in none by a name."""
    callee = classifier.callee(stack)
    if callee is None or callee.owner != "sqlite3":
        return None
    call = system_call(native_id)
    if call is None or call[0] not in _SLEEPS:
        return None
    lock = LOCKS.taken()
    frame = stack.frames[0]
    run = PollCall(id(frame), id(stack.codes[0]), hash((frame.f_lasti, _changes(callee.receiver))))
    return Waiting(_BUSY, "waiting", () if lock is None else (lock,), polls_in=run)


def _changes(receiver: object) -> object:
    """How much its connection has ever written: another call of the same line comes after more."""
    connection = attribute(receiver, "connection")  # of a cursor
    return read_field(receiver if connection is None else connection, "total_changes")
