# SPDX-License-Identifier: Apache-2.0
"""Which part of the live graph a request asks for. Pure functions over a view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import Edge, Node
from peeps_otel.model.operations import operation

from ..graph.live import View
from ..graph.process import Process
from . import in_words
from .in_words import Places

_NEVER = 1 << 63
_ANYWHERE = Places()


class Shown:
    """Nodes as one answer shows them: with their process and in words."""

    def __init__(self, view: View, processes: Mapping[str, Process], now_ns: int) -> None:
        self.view = view
        self.now_ns = now_ns
        self._places = {
            key: Places(str(process.info.resource.get(semconv.PROCESS_WORKING_DIRECTORY) or ""))
            for key, process in processes.items()
        }

    def places(self, process: str | None) -> Places:
        return self._places.get(process or "", _ANYWHERE)

    def node(self, node: Node) -> dict[str, Any]:
        process = self.view.owner.get(node.id)
        return in_words.live_node(node, self.now_ns, self.places(process)) | {"process": process}

    def nodes(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of them that are alive."""
        return {one: self.node(self.view.nodes[one]) for one in ids if one in self.view.nodes}


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


def ranked(nodes: Collection[Node], core: Collection[str]) -> list[Node]:
    """Waiting members of a finding's core first, then its resources, then the longest waits, then the rest."""

    def rank(node: Node) -> tuple[int, int]:
        since = _NEVER if node.wait is None else node.wait.since_ns
        return (0 if node.id in core and node.wait is not None else 1 if node.id in core else 2, since)

    return sorted(nodes, key=rank)


def edges_within(view: View, nodes: Collection[str]) -> list[Edge]:
    """The edges between nodes of the answer."""
    return [edge for node in nodes for edge in view.out.get(node, ()) if edge.dst in nodes]


def edges_into(view: View, node: str) -> list[Edge]:
    return [edge for outgoing in view.out.values() for edge in outgoing if edge.dst == node]


def longest_wait(shown: Shown, nodes: Collection[Node]) -> tuple[dict[str, Any], int] | None:
    """The task or thread that has waited longest, and its age. One that sleeps only where all do: it knows its end."""
    waits = [(operation(node.wait.operation).sleeps, node.wait.since_ns, node.id) for node in nodes if node.wait]
    if not waits:
        return None
    _, since_ns, best = min(waits)
    return shown.node(shown.view.nodes[best]), max(shown.now_ns - since_ns, 0)


def longest_call(shown: Shown, nodes: Collection[Node]) -> tuple[dict[str, Any], int] | None:
    """The thread that has been longest in one call of a C function that is no wait by a name, and for how long."""
    calls = [(since_ns, node.id) for node in nodes if (since_ns := _in_call_since(node)) is not None]
    if not calls:
        return None
    since_ns, best = min(calls)
    return shown.node(shown.view.nodes[best]), max(shown.now_ns - since_ns, 0)


def still_for(now_ns: int, nodes: Collection[Node]) -> int:
    """For how long none of these tasks and threads has gone on; 0 where one is about to, by itself or by its deadline.
    Threads that wait for work, or turn a loop, do not count."""
    last_ns = 0
    for node in nodes:
        if node.state == "idle":
            continue
        wait = node.wait
        since_ns = _in_call_since(node) if wait is None else wait.since_ns
        if since_ns is None or (wait is not None and (wait.deadline_ns or operation(wait.operation).sleeps)):
            return 0
        last_ns = max(last_ns, since_ns)
    return max(now_ns - last_ns, 0) if last_ns else 0


def _in_call_since(node: Node) -> int | None:
    since_ns = node.attributes.get(semconv.THREAD_CALL_SINCE)
    return since_ns if node.wait is None and type(since_ns) is int else None
