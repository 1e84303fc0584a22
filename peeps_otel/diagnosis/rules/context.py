# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and what it gets to see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ...model import Finding, FindingKind, Level, Node, NodeKind, finding_id
from .. import wording
from ..thresholds import Thresholds
from ..wait_graph import Sorted, WaitGraph
from ..wait_history import WaitHistory


@dataclass(slots=True)
class RuleContext:
    """One look. `explained`: nodes that a finding already explains. `is_long`: whether a waiter has waited longer than
    its site is known to."""

    graph: WaitGraph
    now_ns: int
    thresholds: Thresholds
    explained: set[str]
    is_long: Callable[[str], bool]
    memory: WaitHistory
    nodes: Sorted = field(default_factory=Sorted)

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

    def number(self, node: Node, name: str) -> int | None:
        """An attribute that is a whole number; None where it is absent or something else."""
        value = node.attributes.get(name)
        return value if type(value) is int else None


class Rule(Protocol):
    """Finds one kind of trouble. May remember things between looks; one caller.

    `level`: the surest that it says. `when`, `advice`: plain words, for docs/findings.md.
    """

    kind: FindingKind
    level: Level
    when: str
    advice: str

    def find(self, context: RuleContext) -> Iterable[Finding]: ...


def about(rule: Rule, node: Node, title: str, since_ns: int, where: str) -> Finding:
    """A finding about one node, which nothing waits behind. `title`: without the place, which is `where`."""
    return Finding(
        id=finding_id(rule.kind, [node.id]),
        kind=rule.kind,
        level=rule.level,
        title=f"{title}{wording.at('at', where)}",
        since_ns=since_ns,
        core=[node.id],
        advice=f"{rule.advice}.",
        look_at=where,
    )
