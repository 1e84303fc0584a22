# SPDX-License-Identifier: Apache-2.0
"""What is different between two states of the graph. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from peeps_otel.model import Edge

from .view import View


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids of nodes, and edges. `changed`: there at both times, in another state, wait or place; `unmoved`: tasks and
    threads that wait at both times in the same wait."""

    appeared: list[str]
    ended: list[str]
    changed: list[str]
    unmoved: list[str]
    edges_added: list[Edge]
    edges_removed: list[Edge]


def difference(before: View, after: View) -> Difference:
    both = before.nodes.keys() & after.nodes.keys()
    changed: list[str] = []
    unmoved: list[str] = []
    for node in both:
        old, new = before.nodes[node], after.nodes[node]
        if (old.state, old.wait, old.stack, old.providers) != (new.state, new.wait, new.stack, new.providers):
            changed.append(node)
        elif new.wait is not None and old.steps == new.steps:
            unmoved.append(node)
    old_edges = {_key(edge): edge for edges in before.out.values() for edge in edges}
    new_edges = {_key(edge): edge for edges in after.out.values() for edge in edges}
    return Difference(
        appeared=sorted(after.nodes.keys() - before.nodes.keys()),
        ended=sorted(before.nodes.keys() - after.nodes.keys()),
        changed=sorted(changed),
        unmoved=sorted(unmoved),
        edges_added=[new_edges[key] for key in sorted(new_edges.keys() - old_edges.keys())],
        edges_removed=[old_edges[key] for key in sorted(old_edges.keys() - new_edges.keys())],
    )


def _key(edge: Edge) -> tuple[str, str, str]:
    return edge.kind.value, edge.src, edge.dst
