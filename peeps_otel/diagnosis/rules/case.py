# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and what it gets to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, NodeKind
from ..sites import WaitMemory
from ..thresholds import Thresholds
from ..wait_graph import WaitGraph

_PAUSE_EVERY = 5000
_MARKS = frozenset({semconv.TASK_STEP_SINCE, semconv.TASK_SELF_WAKES, semconv.TASK_CANCEL_REQUESTS})


@dataclass(slots=True)
class Case:
    """One look. `known`: nodes that a finding already explains. `is_long`: whether a waiter has waited longer than its
    site is known to. `marked`: the tasks that carry an attribute that a rule speaks of."""

    graph: WaitGraph
    now_ns: int
    thresholds: Thresholds
    known: set[str]
    is_long: Callable[[str], bool]
    memory: WaitMemory
    marked: list[Node] = field(default_factory=list[Node])
    tasks: list[Node] = field(default_factory=list[Node])
    _kinds: dict[NodeKind, list[Node]] = field(default_factory=dict[NodeKind, list[Node]])

    def read(self, pause: Callable[[], None]) -> None:
        """Sorts the nodes: once a look."""
        tasks, kinds, marked = self.tasks, self._kinds, self.marked
        for number, node in enumerate(self.graph.nodes.values()):
            if number % _PAUSE_EVERY == 0:
                pause()
            if node.kind is NodeKind.TASK:
                tasks.append(node)
                if not _MARKS.isdisjoint(node.attributes):
                    marked.append(node)
            else:
                kinds.setdefault(node.kind, []).append(node)

    def of(self, kind: NodeKind) -> Sequence[Node]:
        """All nodes of a kind other than TASK."""
        return self._kinds.get(kind, ())

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

    def find(self, case: Case) -> Iterable[Finding]: ...
