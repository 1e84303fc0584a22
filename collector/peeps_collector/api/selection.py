# SPDX-License-Identifier: Apache-2.0
"""Which part of the live graph a request asks for. Pure functions over a view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from peeps_otel import semconv
from peeps_otel.diagnosis.wording import label
from peeps_otel.model import Edge, Node
from peeps_otel.report.shown import Shown, Texts

from ..graph.process import Process
from ..graph.view import View

_NEVER = (1 << 63) - 1


def in_view(
    view: View, processes: Mapping[str, Process], now_ns: int, texts: Texts | None = None, trace_url: str = ""
) -> Shown:
    """The nodes of the view as an answer shows them."""
    directories = {
        key: str(process.info.resource.get(semconv.PROCESS_WORKING_DIRECTORY) or "")
        for key, process in processes.items()
    }
    return Shown(view, directories, now_ns, texts, trace_url, view.ends)


def neighbourhood(view: View, focus: str, depth: int) -> set[str]:
    """The ids within `depth` edges of `focus`, whatever their direction."""
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for outgoing in view.out.values():
        for edge in outgoing:
            beside[edge.src].append(edge.dst)
            beside[edge.dst].append(edge.src)
    found, border = {focus}, [focus]
    for _ in range(depth):
        border = list({other for node in border for other in beside[node]} - found)
        found.update(border)
    return found


def beside(view: View, nodes: Collection[str]) -> set[str]:
    """These, and what they are joined to by an edge."""
    found = {one for one in nodes if one in view.nodes}
    for outgoing in view.out.values():
        for edge in outgoing:
            if edge.src in nodes or edge.dst in nodes:
                found.update((edge.src, edge.dst))
    return found


def matching(view: View, processes: Mapping[str, Process], text: str) -> set[str]:
    """The ids of those in whose label, kind, place or process all the words stand."""
    words = text.lower().split()
    names = {key: f"{one.info.service} {one.info.pid}" for key, one in processes.items()}

    def found(node: Node) -> bool:
        whole = f"{label(node)} {node.name} {node.kind} {node.source} {names.get(view.owner[node.id], '')}".lower()
        return all(word in whole for word in words)

    return {node.id for node in view.nodes.values() if found(node)}


def ranked(nodes: Sequence[Node], core: Collection[str], most: int) -> list[Node]:
    """Waiting members of a finding's core first, then its resources, then the longest waits, then the rest; at most
    `most`."""
    first = sorted((node for node in nodes if node.id in core), key=lambda node: (node.wait is None, _since(node)))
    rest = [node for node in nodes if node.id not in core] if first else nodes
    since = np.fromiter([_NEVER if node.wait is None else node.wait.since_ns for node in rest], np.int64, len(rest))
    order: list[int] = np.argsort(since, kind="stable")[: max(most - len(first), 0)].tolist()
    return (first + [rest[number] for number in order])[:most]


def _since(node: Node) -> int:
    return _NEVER if node.wait is None else node.wait.since_ns


def edges_within(view: View, nodes: Collection[str]) -> list[Edge]:
    """The edges between nodes of the answer."""
    return [edge for node in nodes for edge in view.out.get(node, ()) if edge.dst in nodes]


def edges_into(view: View, node: str) -> list[Edge]:
    return [edge for outgoing in view.out.values() for edge in outgoing if edge.dst == node]
