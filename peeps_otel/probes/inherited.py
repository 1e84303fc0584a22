# SPDX-License-Identifier: Apache-2.0
"""What a forked child finds in its memory although it is over there: the parent's event loops and threads, and the
locks that those threads had.

`fork` copies the thread that calls it and no other. A loop that another thread ran will never come round again; one
that the forking thread is in the middle of could only go on when the stack unwinds to it, and asyncio refuses its own
functions there. Its tasks, the step it was in and its timers are the parent's affair. So in a child a loop counts from
when it is seen running in this process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast
from weakref import ref

from .. import semconv
from ..model import AttributeValue
from .internals import asyncio_core, sharing, stdlib
from .internals import thread as thread_internals
from .internals.current_frames import current_frames
from .internals.stdlib import LOCK, RLOCK
from .resource_types import Held
from .source.ownership import is_standard_library

_OURS, _TELEMETRY = f"{os.sep}peeps_otel{os.sep}", f"{os.sep}opentelemetry{os.sep}"
_WAITS = (f"{os.sep}threading.py", f"{os.sep}queue.py")
_TAKES = frozenset({"acquire", "release"})


class ThreadHold(NamedTuple):
    """A lock that a thread was seen to have, `ident` its `threading.get_ident()`."""

    ident: int
    name: str
    lock: ref[Any]


class Inherited:
    """One per forked process. Made in the fork hook (`threads` before the fork, in the parent); the rest is for the
    watcher thread only. Takes no lock and keeps nothing of the program alive."""

    def __init__(self, parent: int, threads: dict[int, str], holds: Iterable[ThreadHold]) -> None:
        """`threads`: the names of the parent's threads by ident. `holds`: what they had when they were last read."""
        own = threading.get_ident()
        self.parent = parent
        self._forking, self._depth = own, _depth()
        self.threads = {ident: name for ident, name in threads.items() if ident != own}
        self._process = _reference(sharing.this_process())
        self._within = [_reference(loop) for loop in asyncio_core.loops_within(asyncio_core.getframe(0))]
        self._started: dict[int, ref[Any] | None] = {}
        self._held = {id(lock): one for one in holds if one.ident != own and (lock := _locked(one.lock)) is not None}

    def is_called_after_parent(self) -> bool:
        """Whether `multiprocessing` did not make this process: the name that it knows is of who forked."""
        named = None if self._process is None else self._process()
        return named is not None and named is sharing.this_process()

    @classmethod
    def threads_now(cls) -> dict[int, str]:
        """The names of all threads that `threading` knows, by ident."""
        return {
            ident: thread_internals.facts(ident, one).name for ident, one in thread_internals.known_threads().items()
        }

    # --- loops --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new look: which loops run in this process?"""
        running = [loop for _, loop in asyncio_core.all_loops_on_stacks()]
        self._within = [one for one in self._within if one is None or any(one() is loop for loop in running)]
        for loop in running:
            if not any(one is not None and one() is loop for one in self._within):
                self._started[id(loop)] = _reference(loop)

    def is_alive(self, loop: object) -> bool:
        """Whether a loop has been seen to run in this process."""
        one = self._started.get(id(loop))
        return one is not None and one() is loop

    # --- locks --------------------------------------------------------------------------------------------------------

    def is_from_before(self, ident: int, outer: int) -> bool:
        """Whether the function of a thread that has `outer` - 1 others around it was entered before the fork. What such
        a one has of a thing that processes share, the parent has too, and gives back for both."""
        return ident == self._forking and outer <= self._depth

    def of_lock(self, lock: Any, thread_id: Callable[[int], str | None]) -> dict[str, AttributeValue]:
        """What to say of a lock that nobody here is seen to have: whose it was at the fork. `thread_id`: the node of a
        thread of this process, whose ident may have been another's in the parent."""
        kind = cast("type[object]", type(lock))
        if issubclass(kind, RLOCK):
            owner = stdlib.rlock_owner(lock)
            if owner is None or owner not in self.threads or thread_id(owner) is not None:
                return {}
            return self._said(self.threads[owner], True)
        held = self._held.get(id(lock)) if kind is LOCK else None
        if held is None:
            return {}
        if held.lock() is not lock or not stdlib.is_locked(lock):
            del self._held[id(lock)]  # it was given back: whoever has it next, has it here
            return {}
        return self._said(held.name, False)

    def not_its_owner(self, lock: Any, held: Iterable[Held]) -> dict[str, AttributeValue]:
        """What to say of a recursive lock whose owner has the ident of a thread of the parent, and is in nothing here
        that could have taken it: a thread that is started here may get such an ident. Empty for any other."""
        owner = stdlib.rlock_owner(lock) if issubclass(cast("type[object]", type(lock)), RLOCK) else None
        if owner is None or owner not in self.threads or any(one.source for one in held) or _may_have_taken(owner):
            return {}
        return self._said(self.threads[owner], False)

    def let_go(self, lock: Any) -> None:
        """Somebody here has a lock, so nobody of the parent's has."""
        self._held.pop(id(lock), None)

    def _said(self, name: str, exact: bool) -> dict[str, AttributeValue]:
        return {
            semconv.LOCK_FORK_HOLDER: f"thread {name} of pid {self.parent}",
            semconv.LOCK_FORK_HOLDER_EXACT: exact,
        }


def _may_have_taken(ident: int) -> bool:
    """Whether a thread here is in code of the program, or of the standard library that takes locks outside a block:
    such a lock is given back by another function than took it, or later in the same one."""
    frame = current_frames().get(ident)
    while frame is not None:
        code = frame.f_code
        watches = _OURS in code.co_filename or _TELEMETRY in code.co_filename
        if not watches and not is_standard_library(code.co_filename):
            return True
        if not code.co_filename.endswith(_WAITS) and not _TAKES.isdisjoint(code.co_names):
            return True
        frame = frame.f_back
    return False


def _depth() -> int:
    """How many functions the thread that forks is in, without those of ours that are called at the fork."""
    frame, depth, is_ours = asyncio_core.getframe(0), 0, True
    while frame is not None:
        is_ours = is_ours and _OURS in frame.f_code.co_filename
        depth += not is_ours
        frame = frame.f_back
    return depth


def _reference(loop: object) -> ref[Any] | None:
    try:
        return ref(loop)
    except TypeError:
        return None


def _locked(reference: ref[Any]) -> Any:
    lock = reference()
    return lock if type(lock) is LOCK and stdlib.is_locked(lock) else None
