# SPDX-License-Identifier: Apache-2.0
"""The live graph of all processes at one version, as the API and the commands read it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node
from peeps_otel.report.movers import KeptMovers, Movers

from .across import Across
from .layers import Layers
from .process import Process

_NO_CHILDREN: dict[str, Edge] = {}


@dataclass(frozen=True, slots=True)
class View:
    """The live graph at one version. Shared by its readers, which must not change it. `movers`: what there is to count
    of its tasks and threads, and `ends`: where all its requests and responses are, with others, where that is known."""

    version: int
    nodes: Mapping[str, Node]
    owner: Mapping[str, str]
    out: Mapping[str, tuple[Edge, ...]]
    movers: Movers | None = None
    ends: Collection[str] | None = None


class Viewing:
    """Makes the views, each out of the one before: a view costs what has changed since. Not thread-safe: guarded by the
    lock of the live graph."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._nodes, self._owner = Layers[Node](), Layers[str]()
        self._out = Layers[tuple[Edge, ...]]()
        self._movers = KeptMovers()
        self._seen: set[str] = set()  # the processes that are in it
        self._dressed: set[str] = set()
        self._parent: dict[str, str] = {}
        self._children: dict[str, dict[str, Edge]] = {}

    def view(self, version: int, processes: Mapping[str, Process], joins: Across) -> View:
        """All of them as one graph, with what the two ends of a call say of each other, and who started whom."""
        if self._is_stale(processes):
            self._forget()
        ends = set(joins.ids())
        nodes, owner, out = self._nodes.changed(), self._owner.changed(), self._out.changed()
        # And of which another node says something else now, in order.
        turned: dict[str, None] = dict.fromkeys((*self._dressed, *ends))
        of: dict[str, str] = {}
        for key, process in processes.items():
            for one in self._changed(process, owner):
                entry = process.entries.get(one)
                if entry is not None:
                    of[one] = key
                    self._spawned(one, entry.node, turned)
                elif (of.get(one) or owner.get(one)) == key:
                    if of.pop(one, None) is None or one in owner:
                        for layers in (owner, nodes, out):
                            layers.drop(one)
                        self._movers.drop(one)
                    self._spawned(one, None, turned)
        owner.update(of)
        told: dict[str, Node] = {}
        edges_of: dict[str, tuple[Edge, ...]] = {}
        for one in turned:
            key = owner.get(one)
            if key is None:
                continue
            entry = processes[key].entries[one]
            is_end = one in ends
            told[one] = joins.dressed(entry.node) if is_end else entry.node
            links = joins.links(one) if is_end else ()
            children = self._children.get(one)
            edges_of[one] = entry.edges
            if links or children:
                edges_of[one] = (*entry.edges, *links, *(children or _NO_CHILDREN).values())
        nodes.update(told)
        out.update(edges_of)
        self._movers.update(told, edges_of)
        self._dressed = ends
        self._nodes, self._owner, self._out = nodes, owner, out
        return View(version, nodes, owner, out, self._movers.counted(), ends)

    def _changed(self, process: Process, owner: Mapping[str, str]) -> Iterable[str]:
        """What has changed in it. What is new comes in its order there."""
        unseen = process.take_unseen()
        if process.info.id not in self._seen:
            self._seen.add(process.info.id)
            return list(process.entries)
        if sum(one not in owner for one in unseen) < 2:
            return unseen
        return [*(one for one in unseen if one in owner), *(one for one in process.entries if one not in owner)]

    def _is_stale(self, processes: Mapping[str, Process]) -> bool:
        """Whether one that is in the view is not there any more, or does not know what has changed in it."""
        return any(key not in processes or processes[key].unseen is None for key in self._seen)

    def _spawned(self, node_id: str, node: Node | None, turned: dict[str, None]) -> None:
        """Brings up to date who started it. A child names its parent, for a parent that named its children would
        change with each. `turned`: gets the nodes of which something else is to be said now."""
        before = self._parent.pop(node_id, None)
        if before is not None:
            children = self._children[before]
            del children[node_id]
            if not children:
                del self._children[before]
            turned[before] = None
        parent = node.attributes.get(semconv.TASK_PARENT) if node is not None and node.attributes else None
        if node is not None and isinstance(parent, str):
            self._parent[node_id] = parent
            edge = Edge(EdgeKind.SPAWNED, parent, node_id, node.created_at, node.source)
            self._children.setdefault(parent, {})[node_id] = edge
            turned[parent] = None
        turned[node_id] = None
