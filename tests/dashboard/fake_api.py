# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server with the shapes of docs/api.md, from scenarios. `python fake_api.py 9130 deadlock` serves one."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from peeps_collector.api.selection import beside
from peeps_collector.graph.view import View
from peeps_collector.tables.arrange import Arranger
from peeps_collector.tables.export import as_csv
from peeps_collector.tables.filtered import filtered
from peeps_collector.tables.kinds import BY_NAME
from peeps_collector.tables.language import FilterError, parse
from peeps_collector.tables.moment import Moment
from peeps_otel.model import Edge, EdgeKind
from peeps_otel.model.jsonable import node_from_json
from peeps_otel.report.sentences import duration
from peeps_otel.report.shown import Shown
from tests.dashboard import scenarios, slow_answers
from tests.dashboard.scenarios import S, World
from tests.dashboard.sql_answers import FakeQueries


class FakeApi:
    """Serves the scenario it is given; `show` changes it while it runs. Requests are counted by path."""

    def __init__(self, scenario: str = "deadlock", port: int = 0) -> None:
        self.world: World = scenarios.make(scenario)
        self.requests: dict[str, int] = {}
        self.not_modified = 0
        self.queries = FakeQueries()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*api.answer(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._answer(*api.posted(self.path, body))

            do_PUT = do_POST

            def do_DELETE(self) -> None:
                self._answer(*api.posted(self.path, None))

            def _answer(self, status: int, answer: dict[str, Any] | bytes) -> None:
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def show(self, scenario: str) -> None:
        self.world = scenarios.make(scenario)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def posted(self, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        """`body`: None where something is deleted."""
        return self.queries.posted(path, self.world.now_ns, body)

    def answer(self, target: str) -> tuple[int, dict[str, Any] | bytes]:
        split = urlsplit(target)
        query = dict(parse_qs(split.query))
        path = unquote(split.path)
        self.requests[path] = self.requests.get(path, 0) + 1
        world = self.world
        now = time.time_ns() if world.ticking else world.now_ns
        if path == "/health":
            return 200, {
                "status": "ok",
                "version": "0.1.0",
                "now_ns": now,
                "database": "peeps.duckdb",
                "listen": {"grpc": ["127.0.0.1:9119"], "http": ["127.0.0.1:9119"]},
                "processes": len(world.processes),
                "warnings": [],
            }
        if path == "/api/processes":
            return 200, {"now_ns": now, "processes": world.process_rows(now)}
        at = query.get("at", [""])[0]
        if at:  # as it was then is as it is, with ages of then
            now = int(at)
        if path == "/api/timeline":
            return 200, timeline_answer(world, now)
        if path == "/api/diff":
            return 200, difference_answer(world, {key: int(values[0]) for key, values in query.items()})
        if path == "/api/findings":
            return 200, findings_answer(world, now) | ({"at_ns": now} if at else {})
        if path.startswith("/api/finding/"):
            return finding_answer(world, now, path.removeprefix("/api/finding/"))
        if path == "/api/snapshot":
            try:
                return 200, snapshot_answer(world, now, query)
            except FilterError as error:
                return 400, {"error": {"field": "filter", "message": str(error)}}
        if path == "/api/rows":
            if query.get("if_version") == [str(world.version)]:
                self.not_modified += 1
                return 304, b""
            return rows_answer(world, now, {key: values[0] for key, values in query.items()})
        return self._further(path, now, {key: values[0] for key, values in query.items()})

    def _further(self, path: str, now: int, query: dict[str, str]) -> tuple[int, dict[str, Any] | bytes]:
        if path.startswith("/api/query"):
            return self.queries.answer(path, now)
        if path.startswith("/api/node/"):
            return node_answer(self.world, now, path.removeprefix("/api/node/"))
        return slow_answers.answer(path, now, query)


def findings_answer(world: World, now: int) -> dict[str, Any]:
    tasks = [n for n in world.nodes.values() if n["kind"] == "task"]
    waiting = sorted((n for n in tasks if n["wait"]), key=lambda n: n["wait"]["since_ns"])
    age_ns = now - waiting[0]["wait"]["since_ns"] if waiting else 0
    longest = (
        {"node": world.told(waiting[0]["id"], now), "age_ns": age_ns, "age": duration(age_ns)} if waiting else None
    )
    first = world.findings[0] if world.findings else None
    return {
        "now_ns": now,
        "version": world.version,
        "verdict": {
            "stuck": first is not None and first["level"] != "SLOW",
            "level": first["level"] if first else None,
            "sentence": first["title"] if first else "Nothing is stuck",
            "connected": bool(world.processes),
            "cannot_judge": [],
        },
        "calm": {
            "longest_wait": longest,
            "last_change_ns": now - S // 2,
            "last_change_ago": "500 ms",
            "doubt": None,
            "long_call": None,
            "tasks": len(tasks),
            "waiting": len(waiting),
        },
        "findings": world.told_findings(now),
        "not_answered": world.silent_ids(),
        "ended": [
            {
                "id": one,
                "headline": "DEADLOCK, PROVEN, 43 s",
                "title": "worker-a waits for Lock db",
                "state": "resolved",
                "ended_ago": "20 s",
            }
            for one in world.ended
        ],
    }


def timeline_answer(world: World, now: int) -> dict[str, Any]:
    """An hour, in which things moved at its beginning."""
    spans = [
        {key: one[key] for key in ("id", "title", "level", "state")}
        | {"headline": f"{one['kind'].upper()}, {one['level']}", "from_ns": one["since_ns"], "to_ns": None}
        | {"found_ns": one["first_seen_ns"]}
        for one in world.findings
    ]
    moved = [{"from_ns": now - 3600 * S, "count": 1000}, {"from_ns": now - 60 * S, "count": 10}]
    return {"now_ns": now, "from_ns": now - 3600 * S, "step_ns": 15 * S, "changes": moved, "findings": spans}


def difference_answer(world: World, asked: dict[str, int]) -> dict[str, Any]:
    waiting = [world.told(i, asked["to"]) for i, node in world.nodes.items() if node["wait"]]
    totals = {"appeared": 0, "ended": 0, "changed": 0, "unmoved": len(waiting)}
    lists: dict[str, Any] = {"appeared": [], "ended": [], "changed": [], "unmoved": waiting[: asked["limit"]]}
    return {"now_ns": asked["to"], "from_ns": asked["from"], "to_ns": asked["to"], "totals": totals} | lists


def finding_answer(world: World, now: int, finding_id: str) -> tuple[int, dict[str, Any]]:
    found = next((f for f in world.told_findings(now) if f["id"] == finding_id), None)
    if found is None and finding_id in world.ended:
        found = scenarios.make("deadlock").told_findings(now)[0]
        found |= {"id": finding_id, "state": "resolved", "ended_ago": "20 s"}
    if found is None:
        return 404, {"error": {"field": "id", "message": f"no finding {finding_id} is known"}}
    return 200, {"now_ns": now, "finding": found}


def snapshot_answer(world: World, now: int, query: dict[str, list[str]]) -> dict[str, Any]:
    keep = set(world.nodes)
    for finding in world.findings:
        if query.get("finding") == [finding["id"]]:
            keep = {*finding["core"], *finding["blocked"]}
    if "focus" in query:
        keep = world.around(query["focus"][0], int(query.get("depth", ["2"])[0]))
    if "q" in query:
        keep = {i for i in keep if query["q"][0] in world.told(i, now)["label"]}
    if "filter" in query:
        moment = _moment(world, now)
        keep &= beside(moment.view, filtered(moment, query["filter"][0]))
    if "process" in query:
        keep = {i for i in keep if world.nodes[i]["process"] in query["process"]}
    if "kind" in query:
        keep = {i for i in keep if world.nodes[i]["kind"] in query["kind"]}
    limit = int(query.get("limit", ["5000"])[0])
    core = {i for f in world.findings for i in f["core"]}
    order = sorted(keep, key=lambda i: (i not in core, (world.nodes[i]["wait"] or {"since_ns": now})["since_ns"], i))
    ids = set(order[:limit])
    return {
        "now_ns": now,
        "version": world.version,
        "nodes": [world.told(i, now) for i in order[:limit]],
        "edges": [e for e in world.edges if e["src"] in ids and e["dst"] in ids],
        "total_nodes": len(world.nodes),
        "truncated": len(order) > limit,
        "processes": [{"id": p["id"], "sequence": 12, "time_ns": now} for p in world.processes],
        "not_answered": world.silent_ids(),
    }


def _moment(world: World, now: int) -> Moment:
    nodes = {i: node_from_json(node) for i, node in world.nodes.items()}
    out: dict[str, tuple[Edge, ...]] = {}
    for edge in world.edges:
        made = Edge(EdgeKind(edge["kind"]), edge["src"], edge["dst"], edge["since_ns"])
        out[edge["src"]] = (*out.get(edge["src"], ()), made)
    view = View(world.version, nodes, {i: node["process"] for i, node in world.nodes.items()}, out)
    stuck = frozenset(i for f in world.findings if f["level"] == "PROVEN" for i in (*f["core"], *f["blocked"]))
    facts = {p["id"]: p | {"seen_ns": p["last_seen_ns"], "shed": ", ".join(p["shed"])} for p in world.process_rows(now)}
    for known in facts.values():
        known["coverage"] = ", ".join(known["coverage"])
    return Moment(view, now, Shown(view, {}, now), stuck, facts)


def rows_answer(world: World, now: int, query: dict[str, str]) -> tuple[int, dict[str, Any] | bytes]:
    """By the collector's own tables, over the nodes of this world."""
    table, moment = BY_NAME[query.get("table", "tasks")], _moment(world, now)
    try:
        tests = parse(query.get("q", ""), table.columns)
    except FilterError as error:
        return 400, {"error": {"field": "q", "message": str(error)}}
    group = query.get("group", table.group or "none")
    arranger = Arranger(table, moment, tests, "" if group == "none" else group)
    if query.get("format") == "csv":
        return 200, as_csv(table.columns, arranger.cells(1000, table.columns))
    page = arranger.page(int(query.get("offset", "0")), int(query.get("limit", "200")))
    columns = [{"key": c.key, "title": c.title, "type": c.type.value, "shown": c.is_shown} for c in table.columns]
    answer = {"now_ns": now, "version": world.version, "table": table.name, "group": group, "columns": columns}
    return 200, answer | page._asdict()


def node_answer(world: World, now: int, node_id: str) -> tuple[int, dict[str, Any]]:
    if node_id not in world.nodes:
        return 404, {"error": {"field": "id", "message": f"no node {node_id} was ever seen"}}
    out = [e for e in world.edges if e["src"] == node_id]
    into = [e for e in world.edges if e["dst"] == node_id]
    near = {e["dst"] for e in out} | {e["src"] for e in into}
    return 200, {
        "now_ns": now,
        "node": world.told(node_id, now),
        "edges_out": out,
        "edges_in": into,
        "neighbours": {i: world.told(i, now) for i in near},
        "findings": [f for f in world.told_findings(now) if node_id in f["core"]],
        "history": [{"time_ns": now - 43 * S, "change": "state", "state": "waiting", "operation": "lock.acquire"}],
    }


if __name__ == "__main__":
    server = FakeApi(sys.argv[2] if len(sys.argv) > 2 else "deadlock", int(sys.argv[1]) if len(sys.argv) > 1 else 9130)
    print(f"{server.address}: type a scenario ({', '.join(scenarios.NAMES)})", flush=True)
    for word in sys.stdin:
        server.show(word.strip())
    threading.Event().wait()
