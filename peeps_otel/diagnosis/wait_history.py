# SPDX-License-Identifier: Apache-2.0
"""What the looks before this one have seen: who was in which wait, and how long waits take at each site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from ..model import Node, Wait
from .frames import site
from .wait_index import WaitIndex

_SITES = 4096
_WAITERS = 512
_TIMER_EARLY_NS = 20_000_000  # two clocks: a timer may seem to come a little before its time


@dataclass(slots=True)
class _Ended:
    """The waits that were seen to end at one site. `waiters`: some of those who had waited there. `given_up`: how many
    of the last ones, without one in between that did not, ended by their deadline."""

    longest_ns: int = 0
    count: int = 0
    given_up: int = 0
    waiters: set[str] = field(default_factory=set[str])


class Settled(Set[str]):
    """All waiters but the young ones, without a set of their own: most waiters of a large program have settled."""

    __slots__ = ("_waits", "_young")

    def __init__(self, waits: Mapping[str, Node], young: Set[str]) -> None:
        self._waits = waits
        self._young = young

    def __contains__(self, waiter: object) -> bool:
        return waiter in self._waits and waiter not in self._young

    def __iter__(self) -> Iterator[str]:
        young = self._young
        return (waiter for waiter in self._waits if waiter not in young)

    def __len__(self) -> int:
        return len(self._waits) - len(self._young)


class WaitHistory:
    """Not thread-safe: one caller. Memory: one reference per waiter; up to 4096 wait sites with 512 waiters each."""

    def __init__(self) -> None:
        self._waits: dict[str, Node] = {}  # as they were at the last look
        self._young: set[str] = set()  # in one wait at two looks or at the last one, but not settled yet
        self.turned: Set[str] = frozenset()
        """Those that the last look may have settled or unsettled."""
        self.lengthened: Set[str] = frozenset()
        """The wait sites at which the last look has seen a longer wait end than any before."""
        self._ends: dict[str, _Ended] = {}  # by wait site

    @property
    def waiters(self) -> Set[str]:
        """Those that waited at the last look."""
        return self._waits.keys()

    @property
    def young(self) -> Set[str]:
        """Those of them that have not settled."""
        return self._young

    def longest(self, source: str) -> int:
        """The longest wait that has ended at a site; 0 where none has been seen to."""
        ended = self._ends.get(source)
        return 0 if ended is None else ended.longest_ns

    def ended(self, source: str) -> int:
        """How many waits were seen to end at a site."""
        ended = self._ends.get(source)
        return 0 if ended is None else ended.count

    def given_up(self, source: str) -> int:
        """How many of the last waits at a site ended by their deadline, without one in between that did not."""
        ended = self._ends.get(source)
        return 0 if ended is None else ended.given_up

    def has_waited(self, waiter: str, source: str) -> bool:
        """Whether this one was seen to end a wait there before."""
        ended = self._ends.get(source)
        return ended is not None and waiter in ended.waiters

    def settle(self, graph: WaitIndex, now_ns: int, settle_ns: int, changed: Set[str] | None = None) -> Settled:
        """The waiters that are in the same wait as at the look before, and old enough; remembers this look.

        `changed`: the nodes that are not as they were at the look before, themselves or in what they wait for, where
        the caller knows them; None where any may be. What is returned is brought up to date by the next look.
        """
        touched = graph.targets.keys() | self._waits.keys() if changed is None else changed
        waits = self._waits
        young: set[str] = set() if changed is None else self._young.difference(touched)
        fresh: list[str] = []
        self.turned = touched | young
        self.lengthened = lengthened = set[str]()
        for waiter in touched:
            graph.pause()
            node = graph.nodes.get(waiter) if waiter in graph.targets else None
            before = waits.get(waiter)
            if node is None or node.wait is None:
                if before is not None:
                    self._end(waiter, before, now_ns, lengthened)
                    del waits[waiter]
                continue
            if before is not node:
                waits[waiter] = node
                if before is None or not _is_same(before, node):
                    if before is not None:
                        self._end(waiter, before, now_ns, lengthened)
                    fresh.append(waiter)
                    continue
            if now_ns - node.wait.since_ns < settle_ns:
                fresh.append(waiter)
        for waiter in list(young):
            graph.pause()
            if now_ns - _wait_of(waits[waiter]).since_ns >= settle_ns:
                young.remove(waiter)
        young.update(fresh)
        self._young = young
        return Settled(waits, young)

    def _end(self, waiter: str, node: Node, now_ns: int, lengthened: set[str]) -> None:
        wait = _wait_of(node)
        source = site(node, wait)
        ended = self._ends.get(source)
        if ended is None:
            if len(self._ends) >= _SITES:
                return
            ended = self._ends[source] = _Ended()
        if now_ns - wait.since_ns > ended.longest_ns:
            ended.longest_ns = now_ns - wait.since_ns
            lengthened.add(source)
        ended.count += 1
        gave_up = wait.deadline_ns is not None and now_ns >= wait.deadline_ns - _TIMER_EARLY_NS
        ended.given_up = ended.given_up + 1 if gave_up else 0
        if len(ended.waiters) < _WAITERS:
            ended.waiters.add(waiter)


def _wait_of(node: Node) -> Wait:
    assert node.wait is not None
    return node.wait


def _is_same(before: Node, node: Node) -> bool:
    """Whether it is the same wait: where that is may have become known meanwhile."""
    one, other = _wait_of(before), _wait_of(node)
    return one.since_ns == other.since_ns and one.operation == other.operation and before.steps == node.steps
