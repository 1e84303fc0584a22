# SPDX-License-Identifier: Apache-2.0
"""By what it is seen that a greenlet is still in the same wait: gevent notes with each thing whom to wake."""

from __future__ import annotations

from typing import Any
from weakref import ref

from ..internals import gevent as internals
from ..internals.frame_memory import local_names
from ..internals.gevent import Types
from ..threads.call_stack import CallStack
from ..threads.waits import Waiting

_FRAMES, _LOCALS_MOST = 6, 32
_Noted = dict[int, ref[Any] | None]
"""By the address of a greenlet: what will wake it; None where that takes no weak reference."""


class Wakers:
    """For one look; holds nothing of the program but by weak reference."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._noted: dict[int, tuple[ref[Any], _Noted]] = {}

    def of(self, one: Any, waiting: Waiting | None, hub: int) -> tuple[ref[Any] | None, bool]:
        """What will wake a greenlet, None where that takes no weak reference; and whether it is noted at all: one that
        is not was woken already. `hub`: the address of its own. For a wait that is noted elsewhere: None, True."""
        if waiting is None:
            return None, True
        for target in waiting.targets:
            if not internals.notes_waiters(target) or internals.other_hub(target, hub):
                return None, True
            noted = self._of(target)
            waker = noted.get(id(one))
            if id(one) in noted and (waker is None or waker() is not None):
                return waker, True
        return None, not waiting.targets

    def _of(self, thing: Any) -> _Noted:
        """Read once in a look, also where thousands wait for one thing: who has come since counts as woken."""
        known = self._noted.get(id(thing))
        if known is not None and known[0]() is thing:
            return known[1]
        found: _Noted = {link.greenlet: _reference(link.waker) for link in internals.links(self._types, thing)}
        self._noted[id(thing)] = ref(thing), found
        return found


def _reference(waker: Any) -> ref[Any] | None:
    try:
        return ref(waker)
    except TypeError:  # those who wait at queues
        return None


def in_hand(calls: CallStack) -> tuple[int, ...]:
    """The addresses of what the innermost functions have in their variables, and where they stand: a loop that goes on
    changes them in all likelihood."""
    found: list[int] = []
    for number in range(min(len(calls), _FRAMES)):
        reader = calls.reader(number)
        found += (id(calls.frames[number]), reader.lasti)
        found += [id(reader.local(place)) for place in range(min(len(local_names(reader.code)), _LOCALS_MOST))]
    return tuple(found)
