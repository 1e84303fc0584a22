# SPDX-License-Identifier: Apache-2.0
"""For which things somebody waits whom nothing known will wake: kept from look to look, since of ten thousand waits few
change, and to go through them all costs as much as the rest of a look."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from .. import semconv
from ..diagnosis.wait_index import WaitIndex
from ..diagnosis.wait_links import IDLE, WAITERS, no_pause
from ..model import Node, Providers, Wait
from ..probes.heap.wakers import WAKERS


class HeapCandidate(NamedTuple):
    """Who waits for a thing and is woken by no timer, and since when the first of them does."""

    waiters: frozenset[str]
    since_ns: int


class HeapCandidates:
    """For the watcher thread only. `read`: how many things were read so far."""

    def __init__(self) -> None:
        self._found: dict[str, HeapCandidate] = {}
        self._things_of: dict[str, set[str]] = {}  # by waiter
        self._changed: set[str] | None = None
        self.read = 0

    def note(self, changed: Set[str] | None) -> None:
        """These nodes are not as they were; None: any may be."""
        self._changed = None if changed is None or self._changed is None else self._changed | changed

    def of(self, waits: WaitIndex) -> dict[str, HeapCandidate]:
        """By thing. `waits`: with all that was noted."""
        changed, self._changed = self._changed, set()
        if changed is None:
            self._found.clear()
            self._things_of.clear()
            things = [
                thing.id for kind, some in waits.sort(no_pause).others.items() if kind in WAKERS for thing in some
            ]
        else:
            things = self._concerned(waits, changed)
        for thing in things:
            waits.pause()
            self.read += 1
            self._keep(thing, _candidate(waits, thing))
        return self._found

    def _concerned(self, waits: WaitIndex, changed: Set[str]) -> Iterable[str]:
        """The things that are among these nodes, or for which one of them waits or has waited."""
        things: set[str] = set()
        for one in changed:
            things.update(self._things_of.get(one, ()))
            node = waits.nodes.get(one)
            if node is not None and node.kind in WAITERS:
                things.update(waits.targets.get(one, ()))
            else:
                things.add(one)
        return things

    def _keep(self, thing: str, candidate: HeapCandidate | None) -> None:
        before = self._found.pop(thing, None)
        gone = before.waiters if before is not None else frozenset[str]()
        come = candidate.waiters if candidate is not None else frozenset[str]()
        for waiter in gone - come:
            theirs = self._things_of[waiter]
            theirs.discard(thing)
            if not theirs:
                del self._things_of[waiter]
        for waiter in come - gone:
            self._things_of.setdefault(waiter, set()).add(thing)
        if candidate is not None:
            # The same object where they are the same: an answer is compared with it.
            same = before is not None and before.waiters == candidate.waiters
            self._found[thing] = before._replace(since_ns=candidate.since_ns) if same and before else candidate


def _candidate(waits: WaitIndex, thing_id: str) -> HeapCandidate | None:
    thing = waits.nodes.get(thing_id)
    if thing is None or thing.kind not in WAKERS or thing.providers is Providers.CLOSED:
        return None
    if semconv.POOL_IN_USE in thing.attributes:
        return None  # whoever has what it lent gives it back, by methods of other things
    waiting = [waits.nodes[one] for one in waits.waiters.get(thing_id, ()) if one in waits.nodes]
    since = {node.id: node.wait.since_ns for node in waiting if node.wait is not None and _is_open(node, node.wait)}
    return HeapCandidate(frozenset(since), min(since.values())) if since else None


def _is_open(waiter: Node, wait: Wait) -> bool:
    """Whether no timer ends it."""
    return waiter.state != IDLE and wait.deadline_ns is None
