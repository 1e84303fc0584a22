# SPDX-License-Identifier: Apache-2.0
"""Who waits for the end of a child process, and the child's main thread, with whose end it ends."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party, Turned
from peeps_otel.model import Confidence, Edge, EdgeKind, Node, NodeKind


class _Child(NamedTuple):
    """A process as its parent knows it."""

    host: str
    pid: int


@dataclass(slots=True)
class _Awaited:
    """A child process that somebody waits for."""

    node: Node
    of: Party
    child: _Child


class Children:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._awaited: dict[str, _Awaited] = {}
        self._by_child: dict[_Child, set[str]] = {}
        self._main: dict[_Child, Node] = {}
        self._child_of: dict[str, _Child] = {}  # by node of a main thread

    def put(self, node: Node, of: Party) -> list[Turned]:
        """A node as it is now. Of others than child processes and main threads nothing is kept."""
        if node.kind is NodeKind.THREAD:
            return self._put_thread(node, of)
        pid = node.attributes.get(semconv.COMMAND_PID) if node.kind is NodeKind.COMMAND else None
        if type(pid) is not int:
            return []
        known, child = self._awaited.get(node.id), _Child(of.host, pid)
        if known is not None and known.child == child:
            known.node = node
            return []
        before = self.drop(node.id)
        awaited = self._awaited[node.id] = _Awaited(node, of, child)
        self._by_child.setdefault(awaited.child, set()).add(node.id)
        return before + [Turned(of.key, node.id, (), self.links(node.id))] * (awaited.child in self._main)

    def _put_thread(self, node: Node, of: Party) -> list[Turned]:
        if of.pid is None or node.attributes.get(semconv.THREAD_NATIVE_ID) != of.pid:
            return []
        child = _Child(of.host, of.pid)
        gone = self.drop(node.id) if self._child_of.get(node.id, child) != child else []
        self._child_of[node.id] = child
        before, self._main[child] = self._main.get(child), node
        return gone + ([] if before is not None and before.id == node.id else self._turned(child, before))

    def drop(self, node_id: str) -> list[Turned]:
        """A node is gone."""
        child = self._child_of.pop(node_id, None)
        if child is not None:
            main = self._main.get(child)
            if main is None or main.id != node_id:
                return []
            del self._main[child]
            return self._turned(child, main)
        awaited = self._awaited.get(node_id)
        if awaited is None:
            return []
        links = self.links(node_id)
        del self._awaited[node_id]
        ids = self._by_child[awaited.child]
        ids.discard(node_id)
        if not ids:
            del self._by_child[awaited.child]
        return [Turned(awaited.of.key, node_id, links, ())] if links else []

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """Who ends the process with its own end."""
        awaited = self._awaited.get(node_id)
        main = None if awaited is None else self._main.get(awaited.child)
        return () if main is None else _links(node_id, main)

    def dressed(self, node: Node) -> Node:
        """The node with what is known of the child."""
        awaited = self._awaited.get(node.id)
        main = None if awaited is None else self._main.get(awaited.child)
        if main is None:
            return node
        return replace(node, attributes=node.attributes | {semconv.COULD_END_ASKED: main.created_at})

    def ids(self) -> Set[str]:
        return self._awaited.keys()

    def _turned(self, child: _Child, before: Node | None) -> list[Turned]:
        return [
            Turned(
                self._awaited[node_id].of.key,
                node_id,
                () if before is None else _links(node_id, before),
                self.links(node_id),
            )
            for node_id in sorted(self._by_child.get(child, ()))
        ]


def _links(node_id: str, main: Node) -> tuple[Edge, ...]:
    return (Edge(EdgeKind.COULD_END, node_id, main.id, confidence=Confidence.INFERRED),)
