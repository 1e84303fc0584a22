# SPDX-License-Identifier: Apache-2.0
"""GET /api/diff, /api/chain/{id}: two moments against each other, and what a node waits for to the end."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.model.jsonable import edge_to_json

from ..graph.chain import chain
from ..graph.difference import difference
from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..graph.view import View
from ..store.past import pictures_at, view_at
from ..store.reader import Reader
from .answers import ApiError, answer, asked_of_database, moment_parameter, whole_parameter
from .lacks import lacked, lacks
from .selection import in_view


class PastRoutes:
    """The endpoints; called on worker threads."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry, reader: Reader) -> None:
        self._live = live
        self._findings = findings
        self._reader = reader

    def diff(self, request: Request) -> Response:
        from_ns, to_ns = moment_parameter(request, "from"), moment_parameter(request, "to")
        if from_ns is None:
            raise ApiError(400, "from", "from is missing: Unix epoch nanoseconds")
        limit = whole_parameter(request, "limit", 1000, 1, 20_000)
        processes = request.query_params.getlist("process")
        to_ns = time.time_ns() if to_ns is None else to_ns
        if to_ns < from_ns:
            raise ApiError(400, "to", "to is before from")
        with asked_of_database("from"):
            before, after = (view_at(self._reader, at, processes) for at in (from_ns, to_ns))
            pictures = pictures_at(self._reader, to_ns, processes)
        found = difference(before, after)
        shown = {
            "before": in_view(before, self._live.processes(), from_ns, self._findings.texts, self._findings.trace_url),
            "after": in_view(after, self._live.processes(), to_ns, self._findings.texts, self._findings.trace_url),
        }
        nodes = {"appeared": found.appeared, "ended": found.ended, "changed": found.changed, "unmoved": found.unmoved}
        return answer(
            {
                "from_ns": from_ns,
                "to_ns": to_ns,
                "appeared": [shown["after"].node(after.nodes[one]) for one in found.appeared[:limit]],
                "ended": [shown["before"].node(before.nodes[one]) for one in found.ended[:limit]],
                "changed": [
                    {when: shown[when].node(view.nodes[one]) for when, view in (("before", before), ("after", after))}
                    for one in found.changed[:limit]
                ],
                "unmoved": [shown["after"].node(after.nodes[one]) for one in found.unmoved[:limit]],
                "edges_added": [edge_to_json(edge) for edge in found.edges_added[:limit]],
                "edges_removed": [edge_to_json(edge) for edge in found.edges_removed[:limit]],
                "totals": {name: len(ids) for name, ids in nodes.items()}
                | {"edges_added": len(found.edges_added), "edges_removed": len(found.edges_removed)},
                "processes": pictures,
            }
        )

    def chain(self, request: Request) -> Response:
        node_id: str = request.path_params["id"]
        at_ns = moment_parameter(request, "at")
        limit = whole_parameter(request, "limit", 200, 1, 5000)
        view, now_ns = self._view(at_ns), time.time_ns() if at_ns is None else at_ns
        if node_id not in view.nodes:
            raise ApiError(404, "id", f"no node {node_id[:80]!r} was alive then; ids are `kind:ULID`")
        found = chain(view, node_id, limit)
        shown = in_view(view, self._live.processes(), now_ns, self._findings.texts, self._findings.trace_url)
        ids = {node_id, *(edge.dst for edge in found.edges)}
        return answer(
            {
                "now_ns": now_ns,
                "edges": [edge_to_json(edge) for edge in found.edges],
                "nodes": shown.nodes(ids),
                "leaves": found.leaves,
                "ring": found.ring,
                "truncated": found.truncated,
            }
            | (lacks(self._live, (), now_ns) if at_ns is None else lacked(self._reader, (), at_ns))
        )

    def _view(self, at_ns: int | None) -> View:
        if at_ns is None:
            return self._live.view()
        with asked_of_database("at"):
            return view_at(self._reader, at_ns)
