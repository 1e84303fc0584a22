# SPDX-License-Identifier: Apache-2.0
"""GET /api/processes, /api/snapshot, /api/node/{id}: the live graph."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel import semconv
from peeps_otel.model.coverage import cannot_judge
from peeps_otel.model.jsonable import edge_to_json
from peeps_otel.report import in_words
from peeps_otel.report.sentences import duration

from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..graph.process import Process, State
from ..graph.view import View
from ..quotas import Quotas
from ..store.past import pictures_at, view_at
from ..store.reader import Reader
from ..tables.filtered import filtered
from ..tables.language import FilterError
from .answers import ApiError, answer, asked_of_database, moment_parameter, whole_parameter
from .lacks import lacked, lacks, sequence_of
from .moments import moment_now, moment_then
from .past_findings import told_then
from .selection import beside, edges_into, edges_within, in_view, matching, neighbourhood, ranked


class GraphRoutes:
    """The endpoints; called on worker threads."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry, reader: Reader, quotas: Quotas) -> None:
        self._quotas = quotas
        self._live = live
        self._findings = findings
        self._reader = reader

    def processes(self, request: Request) -> Response:
        over, known = self._quotas.over(), self._live.processes().values()
        return answer({"processes": [_process_json(p, time.time_ns(), over.get(p.info.id)) for p in known]})

    def snapshot(self, request: Request) -> Response:
        limit = whole_parameter(request, "limit", 5000, 1, 20_000)
        depth = whole_parameter(request, "depth", 2, 1, 6)
        at_ns = moment_parameter(request, "at")
        known = request.query_params.get("if_version")
        if known is not None and at_ns is None and known == str(self._live.version):
            return Response(status_code=304)
        view = self._live.view() if at_ns is None else self._past(request, at_ns)
        wanted = self._wanted(request, view, depth)
        passing = self._filtered(request, view, at_ns)
        if passing is not None:
            wanted = passing if wanted is None else wanted & passing
        processes = set(request.query_params.getlist("process"))
        kinds = set(request.query_params.getlist("kind"))
        if processes:
            nodes = [view.nodes[one] for one, key in view.owner.items() if key in processes]
        else:
            nodes = list(view.nodes.values())
        if wanted is not None or kinds:
            nodes = [
                node
                for node in nodes
                if (wanted is None or node.id in wanted) and (not kinds or node.kind.value in kinds)
            ]
        total = len(nodes)
        if total > limit:
            core = {member for entry in self._findings.open() for member in entry.finding.core}
            nodes = ranked(nodes, core, limit)
        ids = {node.id for node in nodes}
        now_ns = time.time_ns() if at_ns is None else at_ns
        shown = in_view(view, self._live.processes(), now_ns, self._findings.texts, self._findings.trace_url)
        return answer(
            {
                "now_ns": shown.now_ns,
                "version": view.version,
                "nodes": [shown.node(node) for node in nodes],
                "edges": [edge_to_json(edge) for edge in edges_within(view, ids)],
                "total_nodes": total,
                "truncated": total > limit,
            }
            | self._lacks(processes, at_ns)
        )

    def _past(self, request: Request, at_ns: int) -> View:
        with asked_of_database("at"):
            return view_at(self._reader, at_ns, request.query_params.getlist("process"))

    def _lacks(self, wanted: set[str], at_ns: int | None) -> dict[str, Any]:
        if at_ns is None:
            return lacks(self._live, wanted, time.time_ns())
        return {"at_ns": at_ns} | lacked(self._reader, wanted, at_ns)

    def node(self, request: Request) -> Response:
        node_id: str = request.path_params["id"]
        at_ns = moment_parameter(request, "at")
        view = self._live.view() if at_ns is None else self._past(request, at_ns)
        node = view.nodes.get(node_id)
        with asked_of_database("id"):
            history = self._reader.node_history(node_id)
        now_ns = time.time_ns() if at_ns is None else at_ns
        shown = in_view(view, self._live.processes(), now_ns, self._findings.texts, self._findings.trace_url)
        told = [e.to_json() for e in self._findings.open()] if at_ns is None else self._findings.at(at_ns)[0]
        findings = told_then([finding for finding in told if _names(finding, node_id)], shown)
        if node is None:
            with asked_of_database("id"):
                ended = self._reader.ended_node(node_id)
            if ended is None:
                raise ApiError(404, "id", f"no node {node_id[:80]!r} was seen; ids are `kind:ULID`")
            return answer(
                {
                    "now_ns": shown.now_ns,
                    "node": in_words.node(ended, shown.now_ns, shown.places(ended.get("process"))),
                    "edges_out": [],
                    "edges_in": [],
                    "neighbours": {},
                    "findings": [shown.finding(f) for f in self._findings.ended() if _names(f, node_id)],
                    "history": history,
                }
                | self._lacks({str(ended.get("process"))}, at_ns)
            )
        edges_out, edges_in = view.out.get(node_id, ()), edges_into(view, node_id)
        others = {edge.dst for edge in edges_out} | {edge.src for edge in edges_in}
        return answer(
            {
                "now_ns": shown.now_ns,
                "node": shown.node(node),
                "edges_out": [edge_to_json(edge) for edge in edges_out],
                "edges_in": [edge_to_json(edge) for edge in edges_in],
                "neighbours": shown.nodes(others),
                "findings": findings,
                "history": history,
            }
            | self._lacks({view.owner[node_id]}, at_ns)
        )

    def _filtered(self, request: Request, view: View, at_ns: int | None) -> set[str] | None:
        """The ids of those that pass the filter, and of what they are joined to by an edge; None for all."""
        text = request.query_params.get("filter", "").strip()
        if not text:
            return None
        if at_ns is None:
            moment = moment_now(self._live, self._findings)
        else:
            with asked_of_database("at"):
                moment = moment_then(self._live, view, at_ns, pictures_at(self._reader, at_ns))
        try:
            return beside(view, filtered(moment, text))
        except FilterError as error:
            raise ApiError(400, "filter", str(error)) from None

    def _wanted(self, request: Request, view: View, depth: int) -> set[str] | None:
        """The ids that `focus`, `finding` and `q` ask for; None for all."""
        focus, finding = request.query_params.get("focus"), request.query_params.get("finding")
        wanted: set[str] | None = None
        if focus is not None:
            if focus not in view.nodes:
                raise ApiError(404, "focus", f"no node {focus[:80]!r} is alive, or was then")
            wanted = neighbourhood(view, focus, depth)
        if finding is not None:
            found = self._findings.find(finding)
            if found is None:
                raise ApiError(404, "finding", f"no finding {finding[:80]!r}")
            members = {*found["core"], *found["blocked"]}
            wanted = members if wanted is None else wanted & members
        text = request.query_params.get("q", "").strip()
        if text:
            named = matching(view, self._live.processes(), text)
            wanted = named if wanted is None else wanted & named
        return wanted


def _names(finding: dict[str, Any], node_id: str) -> bool:
    return node_id in finding["core"] or node_id in finding["blocked"]


def _process_json(process: Process, now_ns: int, over: dict[str, Any] | None) -> dict[str, Any]:
    info = process.info
    common: dict[str, Any] = {
        "id": info.id,
        "service": info.service,
        "pid": info.pid,
        "host": info.host,
        "runtime": info.runtime,
        "state": process.state.value,
        "first_seen_ns": process.first_seen_ns,
        "last_seen_ns": process.last_seen_ns,
        "last_seen_ago": duration(now_ns - process.last_seen_ns),
        "directory": str(info.resource.get(semconv.PROCESS_WORKING_DIRECTORY) or ""),
    }
    if over is not None:
        common["over_quota"] = over
    if process.state is State.FOREIGN:
        return common
    nodes = list(process.nodes.values())
    return common | {
        "sequence": sequence_of(process),
        "interval_ns": process.interval_ns,
        "nodes": len(nodes),
        "tasks": sum(node.kind == "task" for node in nodes),
        "waiting": sum(node.wait is not None for node in nodes),
        "cpu_ns": process.cpu_ns,
        "dropped": process.dropped,
        "coverage": process.coverage_notes(),
        "cannot_judge": cannot_judge(process.coverage_notes()),
        "shed": process.shed,
        "missed": process.missed,
    }
