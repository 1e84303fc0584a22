# SPDX-License-Identifier: Apache-2.0
"""What changed between two states of a node, as rows of `node`, `node_change` and `edge_change`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import Edge, Frame, Node

from ..decode.values import json_text
from ..store.schema import EDGE_CHANGE, NODE, NODE_CHANGE, Row
from ..store.table_rows import Rows, add_rows


class Changes:
    """Collects the rows of one applied snapshot or record. Not thread-safe."""

    def __init__(self, process: str, time_ns: int) -> None:
        self.process = process
        self.time_ns = time_ns
        self.rows: dict[str, list[Row]] = {NODE.name: [], NODE_CHANGE.name: [], EDGE_CHANGE.name: []}
        self.batches: dict[str, list[Any]] = {NODE_CHANGE.name: [], EDGE_CHANGE.name: []}
        """Arrow record batches with more rows; they come after the others."""
        self._stacks: dict[int, tuple[tuple[Frame, ...], str]] = {}  # with the tuple, so that its id stays its own
        self.any = False
        """Whether anything at all changed, also what is not worth a row."""
        self.nodes: set[str] = set()
        """The nodes that changed, themselves or their edges, or that are gone."""

    def upsert(self, before: Node | None, node: Node, edges_before: tuple[Edge, ...], edges: tuple[Edge, ...]) -> None:
        if before != node:
            self.any = True
            self.nodes.add(node.id)
            if before is None or not _same_identity(before, node):
                self.identity(node)
            # Step counters move all the time and are worth no history of their own.
            if before is None or not _same_but_steps(before, node):
                self.rows[NODE_CHANGE.name].append(self._change("upsert", node))
        if edges_before == edges:
            return
        old, new = set(edges_before), set(edges)
        if old != new:
            self.any = True
            self.nodes.add(node.id)
            self.rows[EDGE_CHANGE.name] += [self._edge("remove", edge) for edge in old - new]
            self.rows[EDGE_CHANGE.name] += [self._edge("add", edge) for edge in new - old]

    def relink(self, edges_before: Iterable[Edge], edges: Iterable[Edge]) -> None:
        """Edges that follow from the nodes of two processes."""
        old, new = set(edges_before), set(edges)
        self.rows[EDGE_CHANGE.name] += [self._edge("remove", edge) for edge in old - new]
        self.rows[EDGE_CHANGE.name] += [self._edge("add", edge) for edge in new - old]

    def unlink(self, edges: Iterable[Edge]) -> None:
        """Edges that are gone; each is named once."""
        self.rows[EDGE_CHANGE.name] += [self._edge("remove", edge) for edge in edges]

    def gone(self, node: Node, edges: Iterable[Edge]) -> None:
        self.any = True
        self.nodes.add(node.id)
        self.rows[NODE_CHANGE.name].append(self._change("gone", node))
        self.rows[EDGE_CHANGE.name] += [self._edge("remove", edge) for edge in edges]

    def tables(self) -> Rows:
        """All rows, by table."""
        found: Rows = {}
        for name, rows in self.rows.items():
            if rows:
                add_rows(found, name, rows)
        for name, batches in self.batches.items():
            for batch in batches:
                add_rows(found, name, batch=batch)
        return found

    def identity(self, node: Node) -> None:
        method, correlation = node.attributes.get(semconv.METHOD), node.attributes.get(semconv.CORRELATION)
        self.rows[NODE.name].append(
            (
                node.id,
                self.process,
                node.kind.value,
                node.name,
                node.created_at,
                node.source,
                node.confidence.value,
                None if method is None else str(method),
                None if correlation is None else str(correlation),
            )
        )

    def _change(self, op: str, node: Node) -> Row:
        wait = node.wait
        return (
            self.time_ns,
            self.process,
            node.id,
            op,
            node.state,
            None if node.providers is None else node.providers.value,
            None if wait is None else wait.operation,
            None if wait is None else wait.since_ns,
            None if wait is None else wait.source,
            None if wait is None else wait.needs,
            None if wait is None else wait.deadline_ns,
            None if wait is None else wait.exact,
            node.steps,
            self._stack(node.stack) if node.stack else None,
            json_text(node.attributes) if node.attributes else "{}",
        )

    def _stack(self, stack: tuple[Frame, ...]) -> str:
        """As JSON. Many nodes of a snapshot have the same one, by identity."""
        known = self._stacks.get(id(stack))
        if known is None:
            known = self._stacks[id(stack)] = stack, stack_text(stack)
        return known[1]

    def _edge(self, op: str, edge: Edge) -> Row:
        return (
            self.time_ns,
            self.process,
            op,
            edge.kind.value,
            edge.src,
            edge.dst,
            edge.since_ns,
            edge.source,
            edge.confidence.value,
            edge.cancels,
        )


def stack_text(stack: tuple[Frame, ...]) -> str:
    """As JSON."""
    return json_text([list(frame) for frame in stack])


def _same_identity(a: Node, b: Node) -> bool:
    return (a.name, a.source, a.created_at) == (b.name, b.source, b.created_at)


def _same_but_steps(a: Node, b: Node) -> bool:
    return (a.state, a.providers, a.wait, a.stack, a.attributes, a.name) == (
        b.state,
        b.providers,
        b.wait,
        b.stack,
        b.attributes,
        b.name,
    )
