# SPDX-License-Identifier: Apache-2.0
"""From a decoded snapshot to the new state of its process, in slices and beside the old state."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from peeps_otel.model import Edge, Node, Snapshot

from .changes import Changes
from .process import Process

_AT_ONCE = 200


@dataclass(slots=True)
class Picture:
    """`nodes`, `out`: the nodes of the snapshot with their outgoing edges; `ended`: those that it ends."""

    changes: Changes
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    out: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, "tuple[Edge, ...]"])
    ended: list[str] = field(default_factory=list[str])


def picture_steps(process: Process, snapshot: Snapshot, same: bool) -> Generator[None, None, Picture]:
    """`same`: the snapshot is of the stream that the process has been sending; else it begins anew."""
    picture = Picture(Changes(process.info.id, snapshot.time_ns))
    changes = picture.changes
    outgoing: dict[str, list[Edge]] = {node.id: [] for node in snapshot.nodes}
    yield
    for number, edge in enumerate(snapshot.edges):
        if edge.src in outgoing:
            outgoing[edge.src].append(edge)
        if number % (10 * _AT_ONCE) == 0:
            yield
    old_nodes, old_out = process.nodes, process.out
    if not same:
        ended = list(old_nodes)
    elif snapshot.key_frame:
        ended = [node for node in old_nodes if node not in outgoing]
    else:
        ended = snapshot.gone
    for number, node_id in enumerate(ended):
        node = old_nodes.get(node_id)
        if node is not None:
            changes.gone(node, old_out.get(node_id, ()))
            picture.ended.append(node_id)
        if number % _AT_ONCE == 0:
            yield
    for number, node in enumerate(snapshot.nodes):
        edges = tuple(outgoing[node.id])
        before, edges_before = (old_nodes.get(node.id), old_out.get(node.id, ())) if same else (None, ())
        changes.upsert(before, node, edges_before, edges)
        picture.nodes[node.id], picture.out[node.id] = node, edges
        if number % _AT_ONCE == 0:
            yield
    return picture
