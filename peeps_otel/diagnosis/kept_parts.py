# SPDX-License-Identifier: Apache-2.0
"""What the rules say of the residue, kept from look to look for each part of it that hangs together: only a part of
which something has changed, or has become due, is reduced and asked about again.

Which of its nodes are stuck, and what the rules say of them, follows from the nodes of a part, from what these are tied
to, and from the age of their waits. After an answer of the heap there may be a thousand parts for minutes on end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace

from ..model import Level
from .closure import closure
from .frames import site
from .incremental_index import IncrementalIndex
from .rules.context import RuleContext
from .rules.rule import Candidate
from .wait_links import WAITERS

ByLevel = dict[Level, Sequence[Candidate]]
Ask = Callable[[RuleContext, set[str]], ByLevel]
"""What the rules find among these suspects, if all others are live: by level, the surest first."""


class _Part:
    """`members`: of the suspects; no tie leads from one of them to another suspect. `sites`: of waits whose age was
    asked. `explained`: those that its findings explain."""

    __slots__ = ("explained", "found", "is_kept", "members", "sites")

    def __init__(self, members: set[str]) -> None:
        self.members: Set[str] = members
        self.explained: list[str] = []
        self.found: list[tuple[Level, Candidate]] = []
        self.sites: set[str] = set()
        self.is_kept = True


class KeptParts:
    """Belongs to one diagnoser. `ask`: see there."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._forget()
        self.asked = 0
        """About how many suspects the rules were asked at the last look."""

    def _forget(self) -> None:
        self._parts: dict[str, _Part] = {}  # by member
        self._at_site: dict[str, dict[_Part, None]] = {}
        self._due: list[tuple[int, int, _Part]] = []  # a heap; the number only keeps parts from being compared
        self._number = 0
        self._suspects: set[str] = set()
        self._explained: set[str] = set()  # before the rules of the reduction were asked
        self._bounded: Set[str] = frozenset()
        self._gating: set[str] = set()

    def look(self, waits: IncrementalIndex, context: RuleContext, suspects: set[str], old_ns: int) -> list[Candidate]:
        """All that the rules of the reduction find at this look. Explains them in `context`, as the rules do."""
        gating = set(waits.stuck_threads())
        if context.changed is None:
            self._forget()
            stale = set(suspects)
        else:
            stale = self._stale(waits, context, suspects, gating)
        self._suspects, self._bounded, self._gating = suspects, waits.bounded, gating
        self._explained = set(context.explained)
        fresh = self._parts_of(waits, stale, suspects, gating)
        self.asked = sum(len(part.members) for part in fresh)
        if fresh:
            self._read(waits, context, fresh, old_ns)
        found: dict[Level, list[Candidate]] = {level: [] for level in Level}
        for part in dict.fromkeys(self._parts.values()):
            context.explained.update(part.explained)
            for level, candidate in part.found:
                found[level].append(candidate)
        return [candidate for candidates in found.values() for candidate in candidates]

    # --- which of them are to be asked about --------------------------------------------------------------------------

    def _stale(self, waits: IncrementalIndex, context: RuleContext, suspects: set[str], gating: set[str]) -> set[str]:
        """The suspects of whom something may not be as it was; of a part, one at least."""
        changed = set(context.changed or ())
        changed |= self._explained ^ context.explained
        if waits.bounded is not self._bounded:
            changed |= waits.bounded ^ self._bounded
        for thread in gating ^ self._gating:
            changed.add(thread)
            changed.update(waits.tasks_of(thread))
        if suspects is not self._suspects:
            changed |= suspects ^ self._suspects
        if not suspects:
            self._forget()  # nobody is in any part
            return set()
        stale = changed & suspects
        # Ties lead both ways: the shorter of the two is gone through.
        if len(suspects) < len(changed):
            for one in suspects - stale:
                waits.pause()
                if not changed.isdisjoint(waits.tied(one)):
                    stale.add(one)
        else:
            for one in changed:
                waits.pause()
                stale.update(other for other in waits.tied(one) if other in suspects)
        self._drop_all_of(changed, context.now_ns, stale)
        return stale & suspects

    def _drop_all_of(self, changed: set[str], now_ns: int, stale: set[str]) -> None:
        """The parts that these nodes or sites are of, and those that have become due."""
        for one in changed & self._parts.keys():
            part = self._parts.get(one)
            if part is not None:
                self._drop(part, stale)
        for one in changed & self._at_site.keys():
            for part in list(self._at_site.get(one, ())):
                self._drop(part, stale)
        while self._due and self._due[0][0] <= now_ns:
            part = heapq.heappop(self._due)[2]
            if part.is_kept:
                self._drop(part, stale)

    def _drop(self, part: _Part, stale: set[str]) -> None:
        """It is to be asked about again, whatever it falls into."""
        if not part.is_kept:
            return
        part.is_kept = False
        for member in part.members:
            if self._parts.get(member) is part:
                del self._parts[member]
        for one in part.sites:
            there = self._at_site[one]
            there.pop(part, None)
            if not there:
                del self._at_site[one]
        stale.update(part.members)

    def _parts_of(self, waits: IncrementalIndex, stale: set[str], suspects: set[str], gating: set[str]) -> list[_Part]:
        """Those that the stale ones belong to. Whom they hang together with now is stale as well."""

        def onward(node_id: str) -> Iterable[str]:
            for other in waits.tied(node_id):
                if other in suspects:
                    yield other
            if gating:
                home = waits.thread_of(node_id)
                yield from (one for one in (home,) if one in gating and one in suspects)
                if node_id in gating:
                    yield from (one for one in waits.tasks_of(node_id) if one in suspects)

        parts: list[_Part] = []
        while stale:
            part = _Part(closure((stale.pop(),), onward, waits.pause))
            for member in part.members:
                before = self._parts.get(member)
                if before is not None:
                    self._drop(before, stale)
            stale -= part.members
            stale &= suspects
            parts.append(part)
        return parts

    # --- asking -------------------------------------------------------------------------------------------------------

    def _read(self, waits: IncrementalIndex, context: RuleContext, fresh: list[_Part], old_ns: int) -> None:
        part_of = {member: part for part in fresh for member in part.members}
        before = context.explained & part_of.keys()
        # A context of their own: what is found keeps it, and the whole one grows with everything that is explained.
        asked = replace(context, explained=set(before), ages={})
        for level, candidates in self._ask(asked, set(part_of)).items():
            for candidate in candidates:
                part = part_of[candidate.core[0]]
                part.found.append((level, candidate))
                part.explained += asked.explained.intersection(candidate.core) - part_of.keys()
        for one in asked.explained.intersection(part_of) - before:
            part_of[one].explained.append(one)
        due: dict[_Part, int] = {}

        def becomes_due(part: _Part, due_ns: int) -> None:
            if due_ns > context.now_ns:
                due[part] = min(due_ns, due.get(part, due_ns))

        for waiter, long_at_ns in (asked.ages or {}).items():
            part = part_of.get(waiter)
            node = waits.nodes[waiter]
            if part is not None and node.wait is not None:
                part.sites.add(site(node, node.wait))
                becomes_due(part, long_at_ns)
        for member, part in part_of.items():
            waits.pause()
            node = waits.nodes.get(member)
            if node is None or node.kind in WAITERS:
                continue
            condition = waits.of_resource(node, Level.SUSPECT)
            if condition is not None and condition.when_old and waits.oldest_waiter(member):
                becomes_due(part, waits.oldest_wait(member) + old_ns)
        for part in fresh:
            self._keep(part, due.get(part))

    def _keep(self, part: _Part, due_ns: int | None) -> None:
        """Of one that says nothing, and will not by itself, nothing is kept."""
        if not part.found and not part.sites and due_ns is None:
            return
        self._parts.update(dict.fromkeys(part.members, part))
        for one in part.sites:
            self._at_site.setdefault(one, {})[part] = None
        if due_ns is not None:
            self._number += 1
            heapq.heappush(self._due, (due_ns, self._number, part))
