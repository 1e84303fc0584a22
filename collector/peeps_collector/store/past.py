# SPDX-License-Identifier: Apache-2.0
"""The graph as it was at an earlier moment, out of the changes in the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

from peeps_otel.model import Confidence, Edge, EdgeKind, Frame, Node, NodeKind, Providers, Wait

from ..graph.view import View
from .kept_past import EMPTY, Standing
from .reader import Reader

_ROWS = 200_000
_BYTES = 256 << 20
_SECONDS = 10.0

# The last row of each after one moment and up to another; of two at one moment the later one written.
_NODES = """
WITH last AS (
  SELECT max(struct_pack(t := time_ns, r := rowid)).r AS place FROM node_change
  WHERE time_ns > $1 AND time_ns <= $2 AND (len($3) = 0 OR list_contains($3, process)) GROUP BY node)
SELECT c.op = 'upsert', c.node, c.process, n.kind, n.name, n.created_at, n.source, n.confidence, c.state, c.providers,
       c.wait_operation, c.wait_since_ns, c.wait_source, c.wait_needs, c.wait_deadline_ns, c.wait_exact, c.steps,
       c.stack::VARCHAR, c.attributes::VARCHAR
FROM node_change AS c JOIN last ON c.rowid = last.place JOIN node AS n ON n.node = c.node
WHERE c.op = 'upsert' OR $1 > 0
"""
_EDGES = """
WITH last AS (
  SELECT max(struct_pack(t := time_ns, r := rowid)).r AS place FROM edge_change
  WHERE time_ns > $1 AND time_ns <= $2 AND (len($3) = 0 OR list_contains($3, process)) GROUP BY kind, src, dst)
SELECT c.op = 'add', c.kind, c.src, c.dst, c.since_ns, c.source, c.confidence, c.cancels
FROM edge_change AS c JOIN last ON c.rowid = last.place WHERE c.op = 'add' OR $1 > 0
"""
_PICTURES = """
SELECT process, max(sequence), max(time_ns), arg_max(shed, time_ns), arg_max(dropped, time_ns),
       arg_max(interval_ns, time_ns), arg_max(coverage, time_ns)
FROM snapshot WHERE time_ns <= $1 AND (len($2) = 0 OR list_contains($2, process)) GROUP BY process
"""


def view_at(reader: Reader, time_ns: int, processes: Sequence[str] = ()) -> View:
    """The state of every node at `time_ns`, by the clocks of the processes; of `processes`, all where it is empty.

    Raises StatementFailed; also where there are more than 200,000 nodes or edges.
    """
    if processes:
        return after(reader, EMPTY, time_ns, processes).view()
    kept = reader.standing
    base_ns = kept.base_of(time_ns, time.time_ns())
    base = kept.at(base_ns, lambda before: after(reader, before, base_ns))
    return after(reader, base, time_ns).view()


def after(reader: Reader, before: Standing, time_ns: int, processes: Sequence[str] = ()) -> Standing:
    """What stood at `time_ns`, out of what stood `before` and the rows since then."""
    given: list[Any] = [before.time_ns, time_ns, list(processes)]
    nodes, owner, edges = dict(before.nodes), dict(before.owner), dict(before.edges)
    for lives, *row in reader.rows(_NODES, given, _ROWS, _BYTES, _SECONDS):
        if lives:
            node, process = _node(row)
            nodes[node.id], owner[node.id] = node, process
        else:
            nodes.pop(row[0], None)
            owner.pop(row[0], None)
    for stands, kind, src, dst, *row in reader.rows(_EDGES, given, _ROWS, _BYTES, _SECONDS):
        key = (kind, src, dst)
        if stands:
            since_ns, source, confidence, cancels = row
            edges[key] = Edge(EdgeKind(kind), src, dst, since_ns, source, Confidence(confidence), bool(cancels))
        else:
            edges.pop(key, None)
    return Standing(time_ns, nodes, owner, edges)


def pictures_at(reader: Reader, time_ns: int, processes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Of each process the last snapshot at or before `time_ns`: how old it is, and what it lacks."""
    rows = reader.rows(_PICTURES, [time_ns, list(processes)], _ROWS, _BYTES, _SECONDS)
    return [
        {
            "id": process,
            "sequence": sequence,
            "time_ns": taken_ns,
            "stale_ns": time_ns - taken_ns,
            "shed": shed or [],
            "dropped": dropped or 0,
            "interval_ns": interval_ns or 0,
            "coverage": coverage or [],
        }
        for process, sequence, taken_ns, shed, dropped, interval_ns, coverage in rows
    ]


def _node(row: list[Any]) -> tuple[Node, str]:
    node, process, kind, name, created_at, source, confidence, state, providers, operation, *rest = row
    since_ns, wait_source, needs, deadline_ns, exact, steps, stack, attributes = rest
    wait = None if operation is None else Wait(operation, since_ns, wait_source or "", needs, deadline_ns, bool(exact))
    return Node(
        id=node,
        kind=NodeKind(kind),
        name=name,
        created_at=created_at,
        source=source,
        confidence=Confidence(confidence),
        state=state,
        providers=None if providers is None else Providers(providers),
        wait=wait,
        stack=tuple(Frame(*frame) for frame in orjson.loads(stack)) if stack else (),
        steps=steps,
        attributes=orjson.loads(attributes) if attributes else {},
    ), process
