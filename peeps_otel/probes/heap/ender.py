# SPDX-License-Identifier: Apache-2.0
"""What is waited for, who may end the wait, and how much there is to say that he would."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Key(NamedTuple):
    """Who: `kind` is `task`, `thread`, `ready`, `timer`, `io`, `signal`, `loop`, `global`, `class`, or `unknown`; `of`:
    the address of a task or handle, the ident of a thread, a name for the others."""

    kind: str
    of: int | str


UNKNOWN = Key("unknown", "")
NOT_FOUND = "it cannot be found on the heap"
LEFT_BEHIND = Key("fork", "a thread that was in its block when this process was forked")
NO_THREAD_RUNS = "It was given to an event loop that no thread runs"
FROM_OUTSIDE = frozenset({"ready", "timer", "io", "signal", "loop", "unknown"})
"""They act without waiting for anybody of this program. What a signal's handler does is known by its code."""


class Strength(IntEnum):
    """How much there is to say that somebody would end the wait, least first.

    FAINT: it is reached through a weak container, a traceback or a context only. REACHES: it has it, but nothing in its
    remaining code ends such a wait. OPEN: on common ground, where some function of the program takes it from and ends
    such waits, though nobody who runs is about to call that. CODES: its remaining code, or a function that it has in
    its hands, may come to end it. ARMED: it has the very method in its hands, or will act whatever it waits for.
    """

    FAINT = 0
    REACHES = 1
    OPEN = 2
    CODES = 3
    ARMED = 4


class Ender(NamedTuple):
    """`name` for those who are no nodes; `via`: by which function, or by what it is reached; for people."""

    key: Key
    strength: Strength
    name: str
    via: str

    @property
    def is_from_outside(self) -> bool:
        """Whether it may end the wait without anybody of this program going on first."""
        return self.strength >= Strength.CODES and self.key.kind in FROM_OUTSIDE


class Thing(NamedTuple):
    """What somebody waits for. `addresses`: of the object itself and of others that are as good. `type_name`: its type,
    so that an address that was given again is noticed. `wakers`: the names of the methods that end such a wait.
    `fd`: of what is known by its descriptor alone. `name`: by which variable or attribute the program knows it; empty
    where that is not known."""

    addresses: tuple[int, ...]
    type_name: str
    wakers: frozenset[str]
    fd: int | None = None
    name: str = ""
