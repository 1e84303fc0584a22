# SPDX-License-Identifier: Apache-2.0
"""The graph at one moment as the tables read it, and what a row of one of them is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from peeps_otel import semconv
from peeps_otel.diagnosis.wording import label
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from peeps_otel.report.shown import Shown

from ..api.calls import Call
from ..graph.view import View

_NAMED = 3
_NOTHING: Mapping[str, Any] = {}


class Subject(NamedTuple):
    """What a row is about: a node, a call between two, or a process (`facts`). `process`: the id of its process."""

    id: str
    process: str
    node: Node | None = None
    call: Call | None = None
    facts: Mapping[str, Any] = _NOTHING


@dataclass(frozen=True)
class Moment:
    """`stuck`: ids of the nodes that findings say are not going on. `processes`: one mapping of facts each, by id, with
    `service` and `pid`. Not to be changed; what is asked for often is made once, and not thread-safe while it is."""

    view: View
    now_ns: int
    shown: Shown
    stuck: frozenset[str] = frozenset()
    processes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    @cached_property
    def waiters(self) -> dict[str, list[Node]]:
        """Who waits for each node."""
        found: dict[str, list[Node]] = {}
        for src, edges in self.view.out.items():
            for edge in edges:
                if edge.kind is EdgeKind.NEEDS:
                    found.setdefault(edge.dst, []).append(self.view.nodes[src])
        return found

    @cached_property
    def tasks_by_thread(self) -> Counter[str]:
        """How many tasks the event loop of each thread has."""
        tasks = (node for node in self.view.nodes.values() if node.kind is NodeKind.TASK)
        return Counter(str(node.attributes.get(semconv.TASK_THREAD, "")) for node in tasks)

    def out(self, node: Node, kind: EdgeKind) -> list[Edge]:
        return [edge for edge in self.view.out.get(node.id, ()) if edge.kind is kind]

    def labels(self, ids: Sequence[str]) -> str:
        """The first few by name."""
        named = [label(self.view.nodes[one]) if one in self.view.nodes else one for one in ids[:_NAMED]]
        more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
        return ", ".join(named) + more

    def process_name(self, process: str) -> str:
        """`shop (4711)`; its id where it is not known."""
        facts = self.processes.get(process)
        if facts is None:
            return process
        service, pid = facts.get("service") or "unnamed service", facts.get("pid")
        return service if pid is None else f"{service} ({pid})"

    def short(self, process: str, place: str) -> str:
        return self.shown.places(process).short(place)
