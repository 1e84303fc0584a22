# SPDX-License-Identifier: Apache-2.0
"""The reduction kept from look to look: whether a node can ever become live is asked again only where something has
changed that its waits lead to.

Whether a node is live follows from the conditions of the nodes that its waits lead to, and from nothing else. So after
a change only those are reduced anew whose waits lead to something that changed; all others are as they were.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Set

from ..model import Level
from .closure import closure
from .incremental_index import IncrementalIndex
from .reduction import Requirement, residue
from .wait_index import WaitIndex
from .wait_links import BOUNDED, WAITERS, no_pause

_LEVELS = (Level.SUSPECT, Level.LIKELY)
_NEVER = Requirement(1, ())
_MANY = 16  # who wait for one thing: whether it may end their waits as before is worth finding out first


class KeptReduction(IncrementalIndex):
    """The indexes, and who is stuck by them. Not thread-safe: belongs to the thread that looks."""

    def __init__(self, marks: frozenset[str] = frozenset()) -> None:
        super().__init__(marks)
        self._dirty: set[str] = set()
        self._stuck: dict[Level, set[str]] = {level: set() for level in _LEVELS}
        self._roots: set[str] = set()
        self._due: list[tuple[int, str]] = []  # a heap: when a thing becomes old
        self._gating: set[str] = set()
        self._bounded_before: Set[str] = self.bounded
        self._suspects: set[str] = set()
        self._awaited_by_many: dict[str, tuple[object, ...]] = {}  # what else depends on, of a thing
        self._behind: set[str] = set()  # the roots and who is stuck behind one
        self._onward: dict[str, tuple[str, ...]] = {}  # of the roots and what is before them: stuck ones they wait for
        self.reduced = 0
        """How many nodes the last look has reduced anew."""

    def _note_dirty(self, node_ids: Iterable[str], waiter: str) -> None:
        self._dirty.update(node_ids)

    def is_due(self, now_ns: int) -> bool:
        if self._dirty or self._gating or (self._due and self._due[0][0] <= now_ns):
            return True
        return bool(self.sort(no_pause).marked) or any(self.stuck_threads())

    def suspects(self, turned: Set[str], now_ns: int, old_ns: int) -> set[str]:
        """See `peeps_otel.diagnosis.diagnoser.Suspects`."""
        self.reduced = 0
        if self._is_too_early():
            self._dirty |= turned
            return self._suspects
        dirty, self._dirty = self._dirty | turned, set()
        for waiter in list(dirty):  # who has waited longest for these may be another one now
            self.pause()
            dirty.update(one for one in self.targets.get(waiter, ()) if one not in self._oldest)
        if self.bounded is not self._bounded_before:
            dirty |= self.bounded ^ self._bounded_before
            self._bounded_before = self.bounded
        gating = set(self.stuck_threads())
        for thread in gating ^ self._gating:
            dirty.update(self.tasks_of(thread))
        self._gating = gating
        while self._due and self._due[0][0] <= now_ns:
            dirty.add(heapq.heappop(self._due)[1])
        # Those, and all whose waits may lead to one of them.
        differs = [one for one in dirty if not self._is_as_before(one, now_ns, old_ns)]
        affected = closure(differs, self._dependents, self.pause)
        self.reduced = len(affected)
        if affected:
            gated = {task: thread for thread in gating for task in self.tasks_of(thread)}
            for level in _LEVELS:
                self._reduce(affected, level, gated, now_ns, old_ns)
            stuck = self._stuck[Level.SUSPECT]
            self._roots -= affected
            self._roots.update(one for one in affected if one in stuck and self._is_root(one))
            self._suspects = self._speak_of(affected, gated, now_ns, old_ns)
        return self._suspects

    def _is_too_early(self) -> bool:
        """Whether nobody is in the wait that he was in before, nor was, as at a first look: then nobody is stuck, and
        what has changed is asked of once, when somebody is."""
        if self.settled or any(self._stuck.values()) or self._suspects or self._gating:
            return False
        return len(self._dirty) <= 2 * len(self.nodes)  # of those that have ended nobody would ask any more

    def _is_as_before(self, thing: str, now_ns: int, old_ns: int) -> bool:
        """Whether one more who waits for it, or one less, makes no difference to the others: there may be thousands."""
        self.pause()
        node = self.nodes.get(thing)
        if node is None or node.kind in WAITERS or len(self.waiters.get(thing, ())) < _MANY:
            self._awaited_by_many.pop(thing, None)
            return False
        about = *(self._condition(thing, level, {}, now_ns, old_ns) for level in _LEVELS), self._is_root(thing)
        before, self._awaited_by_many[thing] = self._awaited_by_many.get(thing), about
        return before == about

    def stuck(self) -> set[str]:
        """All of the residue at SUSPECT, as it was when `suspects` was last asked."""
        return self._stuck[Level.SUSPECT]

    def _dependents(self, node_id: str) -> Iterable[str]:
        """Whose conditions may name it, at any level."""
        yield from self.waiters.get(node_id, ())
        yield from self.held_of(node_id)
        yield from self.named_by(node_id)
        yield from self.used_by(node_id)
        if node_id in self._gating:
            yield from self.tasks_of(node_id)

    def _reduce(self, affected: Set[str], level: Level, gated: Mapping[str, str], now_ns: int, old_ns: int) -> None:
        conditions: dict[str, Requirement] = {}
        for one in affected:
            self.pause()
            condition = self._condition(one, level, gated, now_ns, old_ns)
            if condition is not None:
                conditions[one] = condition
        stuck = self._stuck[level]
        stuck -= affected
        beyond = {p for one in conditions.values() for p in one.leads_to() if p in stuck}
        stuck |= residue(conditions | dict.fromkeys(beyond, _NEVER), self.pause)

    def _condition(
        self, node_id: str, level: Level, gated: Mapping[str, str], now_ns: int, old_ns: int
    ) -> Requirement | None:
        node = self.nodes.get(node_id)
        if node is None:
            return None
        if node.kind in WAITERS:
            return self.of_waiter(node, level, gated.get(node_id))
        found = self.of_resource(node, level)
        if found is None:
            return None
        if found.when_old and self.oldest_waiter(node_id):
            due_ns = self.oldest_wait(node_id) + old_ns
            if due_ns > now_ns:
                if node_id in self.waiters:
                    heapq.heappush(self._due, (due_ns, node_id))
                return None
        return found.condition

    def _is_root(self, node_id: str) -> bool:
        """Whether the findings of what is merely old speak of it."""
        kind = self.nodes[node_id].kind
        return node_id in self.waiters and (kind in BOUNDED or bool(self.asked_of_heap((node_id,))))

    def _speak_of(self, affected: Set[str], gated: Mapping[str, str], now_ns: int, old_ns: int) -> set[str]:
        """Who is stuck at LIKELY too, and what leads to or from a root."""
        stuck = self._stuck[Level.SUSPECT]
        found = self._stuck[Level.LIKELY] & stuck
        if not self._roots:
            self._behind, self._onward = set(), {}
            return found

        def leads_to(node_id: str) -> Iterable[str]:
            known = self._onward.get(node_id)
            if known is None:  # what it was as long as neither it nor one of these is affected
                condition = self._condition(node_id, Level.SUSPECT, gated, now_ns, old_ns)
                known = () if condition is None else tuple(stuck.intersection(condition.leads_to()))
                self._onward[node_id] = known
            return known

        def led_from(node_id: str) -> Iterable[str]:
            return anew.intersection(self._dependents(node_id))

        for one in self._onward.keys() & affected:
            self.pause()
            del self._onward[one]
        before_them = closure(self._roots, leads_to, self.pause)
        if len(self._onward) > 2 * len(before_them):
            self._onward = {one: self._onward[one] for one in before_them}
        # Who is behind a root and not affected still is: whatever its waits lead to is as it was.
        self._behind -= affected
        anew = stuck & affected
        first = [one for one in anew if one in self._roots or self._leads_behind(one)]
        self._behind |= closure(first, led_from, self.pause)
        return found | before_them | self._behind

    def _leads_behind(self, node_id: str) -> bool:
        """Whether it depends on somebody who is not affected and behind a root."""
        self.pause()
        return any(one in self._behind for one in self.depends_on(node_id)) or self.thread_of(node_id) in (
            self._gating & self._behind
        )


def kept_suspects(waits: WaitIndex, turned: Set[str], now_ns: int, old_ns: int) -> set[str]:
    """A `peeps_otel.diagnosis.diagnoser.Suspects` for these indexes."""
    assert isinstance(waits, KeptReduction)
    return waits.suspects(turned, now_ns, old_ns)
