# SPDX-License-Identifier: Apache-2.0
"""The live graph of all processes at one version, as the API and the commands read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node

from .across import Across
from .process import Process


@dataclass(frozen=True, slots=True)
class View:
    """The live graph at one version. Shared by its readers, which must not change it."""

    version: int
    nodes: dict[str, Node]
    owner: dict[str, str]
    out: dict[str, tuple[Edge, ...]]


def view_of(version: int, processes: Iterable[Process], joins: Across) -> View:
    """All of them as one graph, with what the two ends of a call say of each other, and who started whom."""
    nodes: dict[str, Node] = {}
    owner: dict[str, str] = {}
    out: dict[str, tuple[Edge, ...]] = {}
    for process in processes:
        entries = process.entries
        nodes |= {node_id: entry.node for node_id, entry in entries.items()}
        out |= {node_id: entry.edges for node_id, entry in entries.items()}
        owner |= dict.fromkeys(entries, process.info.id)
    for end in joins.ids():
        if end in nodes:
            nodes[end] = joins.dressed(nodes[end])
            out[end] = (*out.get(end, ()), *joins.links(end))
    for parent, children in _spawned(nodes).items():
        out[parent] = (*out.get(parent, ()), *children)
    return View(version, nodes, owner, out)


def _spawned(nodes: dict[str, Node]) -> dict[str, list[Edge]]:
    """The `spawned` edges. A child names its parent, for a parent that named its children would change with each."""
    found: dict[str, list[Edge]] = {}
    for node in nodes.values():
        parent = node.attributes.get(semconv.TASK_PARENT)
        if isinstance(parent, str) and parent in nodes:
            found.setdefault(parent, []).append(Edge(EdgeKind.SPAWNED, parent, node.id, node.created_at, node.source))
    return found
