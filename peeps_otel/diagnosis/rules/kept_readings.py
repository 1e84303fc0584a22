# SPDX-License-Identifier: Apache-2.0
"""What a rule has read of each thing, kept from look to look: only what has changed is read again, or has become due.

For rules that look at things one by one, of which there may be thousands that stay as they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..reverse import Reverse
from .context import RuleContext

Value = TypeVar("Value")


@dataclass(slots=True, frozen=True)
class Reading(Generic[Value]):
    """`value`: None where there is nothing to say of the thing. `of`: the nodes and sites of waits that this follows
    from, beside the thing itself. `due_ns`: when it may be another although none of them has changed; 0: never."""

    value: Value | None
    of: Collection[str] = ()
    due_ns: int = 0


class KeptReadings(Generic[Value]):
    """Belongs to one rule. `read`: reads a thing; None where that follows from the thing itself alone and it is none
    for the rule."""

    def __init__(self, read: Callable[[RuleContext, str], Reading[Value] | None]) -> None:
        self._read = read
        self._forget()
        self.count = 0
        """How many things the last look has read."""

    def _forget(self) -> None:
        self._values: dict[str, Value] = {}
        self._of: dict[str, tuple[str, ...]] = {}
        self._things = Reverse()  # by what they were read from
        self._due: list[tuple[int, str]] = []  # a heap; what was read anew meanwhile is read once too often

    def look(self, context: RuleContext, everything: Iterable[str]) -> Collection[Value]:
        """What there is to say, by thing, in no order that means anything. `everything`: where all are to be read."""
        if context.changed is None:
            self._forget()
            stale = list(everything)
        else:
            stale = self._stale(context)
        self.count = len(stale)
        for thing in stale:
            context.graph.pause()
            reading = self._read(context, thing)
            if reading is not None or thing in self._of or thing in self._values:  # most are none for the rule
                self._keep(thing, reading)
        return self._values.values()

    def _stale(self, context: RuleContext) -> Collection[str]:
        stale: set[str] = set(context.changed or ())
        by = self._things.by
        for one in context.changed or ():
            if one in by:
                stale.update(by[one])
        while self._due and self._due[0][0] <= context.now_ns:
            stale.add(heapq.heappop(self._due)[1])
        return stale

    def _keep(self, thing: str, reading: Reading[Value] | None) -> None:
        before = self._of.pop(thing, ())
        now: tuple[str, ...] = ()
        self._values.pop(thing, None)
        if reading is not None:
            now = tuple(sorted({*reading.of} - {thing}))
            if reading.value is not None:
                self._values[thing] = reading.value
            if reading.due_ns:
                heapq.heappush(self._due, (reading.due_ns, thing))
        if now:
            self._of[thing] = now
        self._things.replace(thing, before, now)
