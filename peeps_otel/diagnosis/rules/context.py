# SPDX-License-Identifier: Apache-2.0
"""What a rule gets to see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence
from ..frames import site
from ..reduction import Requirement, dependents_of, reach
from ..wait_history import WaitHistory
from ..wait_index import WaitIndex
from ..wait_links import Sorted
from .tunable import LongWait


@dataclass(slots=True)
class RuleContext:
    """One look. `explained`: nodes that a finding already explains; only the engine adds to it. `says`: whether
    findings of a kind are wanted. `changed`: the nodes of which something is not as when the rules were last asked, and
    the sites at which longer waits are known than then; None where that may be any. `ages`: where they are to be known,
    the waiters that were asked whether their wait is long, with the first time at which the answer is another, 0 where
    that is never."""

    graph: WaitIndex
    now_ns: int
    shared: LongWait
    memory: WaitHistory
    says: Callable[[FindingKind], bool]
    changed: Set[str] | None = None
    explained: set[str] = field(default_factory=set[str])
    nodes: Sorted = field(default_factory=Sorted)
    told_behind: set[str] = field(default_factory=set[str])
    ages: dict[str, int] | None = None

    def read(self, pause: Callable[[], None]) -> None:
        """Sorts the nodes: once a look."""
        self.nodes = self.graph.sort(pause)

    @property
    def tasks(self) -> Collection[Node]:
        return self.nodes.tasks

    @property
    def marked(self) -> Collection[Node]:
        """The tasks that carry an attribute that a rule speaks of."""
        return self.nodes.marked

    def of(self, kind: NodeKind) -> Collection[Node]:
        """All nodes of a kind other than TASK."""
        return self.nodes.others.get(kind, ())

    def bearing(self, mark: str) -> Collection[Node]:
        """All nodes other than tasks that carry an attribute, of those that are `marks` of a rule."""
        return self.nodes.bearing.get(mark, ())

    def newly_behind(self, members: set[str]) -> set[str]:
        """`behind` without whom an earlier call of this look has returned: for what a finding explains beside those
        before it. All of them together cost one walk, however many share one tail."""
        fresh = self.graph.behind(members, self.told_behind)
        self.told_behind |= fresh
        return fresh

    def number(self, node: Node, name: str) -> int | None:
        """An attribute that is a whole number; None where it is absent or something else."""
        value = node.attributes.get(name)
        return value if type(value) is int else None

    def is_old(self, members: Iterable[str]) -> bool:
        """Whether the youngest wait among them is older than a verdict needs that rests on what code may do, and than
        its site is known to be."""
        waiters = [node for node in members if self.graph.since_of(node) is not None]
        return all(self.is_long(one, max(self.shared.could_end, self.shared.waited)) for one in waiters)

    def is_long(self, waiter: str, waited_ns: int | None = None) -> bool:
        """Whether a waiter has waited longer than its site is known to, and for `waited_ns` at least (None: as for all
        waits)."""
        long_at_ns = self.long_at_ns(waiter, waited_ns)
        is_long = self.now_ns >= long_at_ns
        if self.ages is not None:
            before_ns = self.ages.get(waiter, 0)
            due_ns = 0 if is_long else long_at_ns
            self.ages[waiter] = min(before_ns, due_ns) if before_ns and due_ns else before_ns or due_ns
        return is_long

    def long_at_ns(self, waiter: str, waited_ns: int | None = None) -> int:
        """From when on that is so, unless a longer wait ends at its site meanwhile."""
        wait = self.graph.wait_of(waiter)
        least_ns = self.shared.waited if waited_ns is None else waited_ns
        usual_ns = self.memory.longest(site(self.graph.nodes[waiter], wait)) * self.shared.factor
        return wait.since_ns + max(least_ns, usual_ns)


class Residue:
    """What the reduction leaves at one level: `stuck`, the nodes that can never become live, and why."""

    def __init__(self, level: Level, conditions: Mapping[str, Requirement], stuck: set[str]) -> None:
        self.level = level
        self.conditions = conditions
        self.stuck = stuck
        self.notes: dict[str, object] = {}
        """What rules have worked out of it, for the others of its level."""
        self._dependents: dict[str, list[str]] | None = None
        self._tails: dict[frozenset[str], list[str]] = {}

    def behind(self, core: Iterable[str]) -> set[str]:
        """The stuck ones outside `core` whose waits lead into it."""
        if self._dependents is None:
            self._dependents = dependents_of(self.stuck, self.conditions)
        return reach(core, self._dependents)

    def tail(self, graph: WaitIndex, core: Iterable[str]) -> list[str]:
        """The tasks and threads behind it, those that have waited longest first: worked out once, for what is found is
        told again at each look at which nothing of this has changed. Not to be written to."""
        key = frozenset(core)
        found = self._tails.get(key)
        if found is None:
            found = self._tails[key] = evidence.tail(graph, self.behind(key))
        return found
