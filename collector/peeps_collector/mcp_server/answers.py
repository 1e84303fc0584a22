# SPDX-License-Identifier: Apache-2.0
"""Small answers for an agent, made of those of the query API: sentences, and the line to open, `path:line`.

No slots: the package `mcp` takes a slot for a default that has no schema.
"""

from __future__ import annotations

import time
import urllib.parse
from dataclasses import dataclass
from typing import Any, cast

from peeps_otel import semconv

from ..cli.client import Client, ClientError
from ..cli.looks import look_now

Json = dict[str, Any]

_FINDINGS_MOST = 10
_WHOLE_MOST = 3
_NAMED_MOST = 30
_ROWS_MOST = 200
_STEPS_MOST = 40
_POLL_S = 0.25


@dataclass(frozen=True)
class FindingTold:
    """`open`: the line to open first; `text`: all of it, as `peeps why` prints it; of the first three."""

    id: str
    kind: str
    level: str
    sentence: str
    open: str
    release: str
    behind: str
    processes: list[str]
    text: str


@dataclass(frozen=True)
class Verdict:
    """`stuck`: something is, at least SUSPECT. `sentence` says the whole in one line. `unsure`: what forbids the
    sentence that nothing is stuck."""

    stuck: bool
    sentence: str
    findings: list[FindingTold]
    more_findings: int
    unsure: list[str]


@dataclass(frozen=True)
class WaitTold:
    """One task, thread or thing. `open`: the line it waits at, empty where it does not."""

    id: str
    name: str
    process: str
    doing: str
    since: str
    open: str
    line: str


@dataclass(frozen=True)
class Chain:
    """`waits`: who waits for what, one sentence a step, the nearest first. `ends_at`: where it ends; `ring`: it leads
    back to itself."""

    node: WaitTold
    waits: list[str]
    ends_at: list[WaitTold]
    ring: bool


@dataclass(frozen=True)
class ProcessTold:
    id: str
    service: str
    pid: int
    state: str
    tasks: int
    waiting: int
    seen: str
    unsure: list[str]


@dataclass(frozen=True)
class Processes:
    processes: list[ProcessTold]


@dataclass(frozen=True)
class Difference:
    """`unmoved`: in the same wait at both moments; `moved`: in another state, wait or stack."""

    seconds: float
    unmoved: list[WaitTold]
    moved: list[str]
    appeared: list[str]
    ended: list[str]
    totals: dict[str, int]


@dataclass(frozen=True)
class Source:
    """`lines`: number and text of those that are known, the one at `open` among them."""

    open: str
    function: str
    lines: list[str]


@dataclass(frozen=True)
class Rows:
    columns: list[str]
    rows: list[list[Any]]
    truncated: bool


class Answers:
    """Each method asks the collector; raises ClientError with what to do. Any thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def why(self, process: str | None, wait_s: float) -> Verdict:
        ids = self._client.process_ids(process)
        end_s = time.monotonic() + wait_s
        notes: list[str] = []
        answer = self._client.get("/api/findings", process=ids)
        if not answer["verdict"]["stuck"] and answer["verdict"]["connected"]:
            notes = look_now(self._client, process)
            answer = self._client.get("/api/findings", process=ids)
        while not answer["verdict"]["stuck"] and time.monotonic() < end_s:
            time.sleep(_POLL_S)
            answer = self._client.get("/api/findings", process=ids)
        verdict: Json = answer["verdict"]
        names = self._names()
        findings, more = findings_told(answer["findings"], names)
        unsure = [f"{one['name']}: {one['note']}" for one in verdict["cannot_judge"]]
        unsure += [f"{names.get(one, one)} has not answered" for one in answer["not_answered"]]
        return Verdict(
            stuck=verdict["stuck"],
            sentence=verdict["sentence"],
            findings=findings,
            more_findings=more + answer.get("untold", 0),
            unsure=unsure + ([] if verdict["stuck"] else notes),
        )

    def waits_of(self, name: str, process: str | None) -> Chain:
        node_id = self._node_id(name, process)
        names = self._names()
        told = self._client.get(f"/api/node/{node_id}")
        chain = self._client.get(f"/api/chain/{node_id}", limit=str(_STEPS_MOST))
        nodes: dict[str, Json] = {told["node"]["id"]: told["node"], **told["neighbours"], **chain["nodes"]}
        return Chain(
            node=wait_told(told["node"], names),
            waits=[_step(edge, nodes) for edge in chain["edges"]],
            ends_at=[wait_told(nodes[one], names) for one in chain["leaves"] if one in nodes],
            ring=chain["ring"],
        )

    def processes(self) -> Processes:
        found: list[Json] = self._client.get("/api/processes")["processes"]
        return Processes(
            [
                ProcessTold(
                    id=one["id"],
                    service=one["service"],
                    pid=one["pid"] or 0,
                    state=one["state"],
                    tasks=one.get("tasks", 0),
                    waiting=one.get("waiting", 0),
                    seen=f"{one['last_seen_ago']} ago",
                    unsure=one.get("cannot_judge", []),
                )
                for one in found
            ]
        )

    def diff(self, before: str, process: str | None) -> Difference:
        ids = self._client.process_ids(process)
        told = self._client.get("/api/diff", **{"from": before, "process": ids, "limit": str(_NAMED_MOST)})
        names = self._names()
        return Difference(
            seconds=round((told["to_ns"] - told["from_ns"]) / 1e9, 1),
            unmoved=[wait_told(one, names) for one in told["unmoved"]],
            moved=[one["after"]["label"] for one in told["changed"]],
            appeared=[one["label"] for one in told["appeared"]],
            ended=[one["label"] for one in told["ended"]],
            totals=told["totals"],
        )

    def source_of(self, name: str, process: str | None) -> Source:
        if "_" in name.partition(":")[0] or name.partition(":")[0] in {"deadlock", "leak"}:
            finding = self._client.get(f"/api/finding/{urllib.parse.quote(name)}")["finding"]
            return _source(finding["look_at"], finding.get("sources") or {}, "")
        node_id = self._node_id(name, process)
        told = self._client.get(f"/api/node/{node_id}")
        node: Json = told["node"]
        own = next((one for one in reversed(node["stack"]) if one.get("own") and one["line"]), None)
        function = own["function"] if own else ""
        wait: Json = node["wait"] or {}
        place: str = wait.get("source") or (f"{own['file']}:{own['line']}" if own else node["source"])
        sources: Json = {}
        for finding in told["findings"]:
            sources |= finding.get("sources") or {}
        if place not in sources and wait.get("text"):
            sources[place] = {"first": int(place.rpartition(":")[2]), "lines": [wait["text"]]}
        return _source(place, sources, function)

    def sql(self, statement: str) -> Rows:
        answer = self._client.post("/api/sql", {"sql": statement})
        rows = cast("list[list[Any]]", answer["rows"])
        return Rows(
            columns=[one["name"] for one in answer["columns"]],
            rows=rows[:_ROWS_MOST],
            truncated=answer["truncated"] or len(rows) > _ROWS_MOST,
        )

    def _names(self) -> dict[str, str]:
        found: list[Json] = self._client.get("/api/processes")["processes"]
        return {one["id"]: f"{one['service']} (pid {one['pid'] or 'unknown'})" for one in found}

    def _node_id(self, name: str, process: str | None) -> str:
        """By id, or by the name that lists show. Raises ClientError where that is none, or several."""
        if ":" in name and len(name.partition(":")[2]) == 26:
            return name
        ids = self._client.process_ids(process)
        nodes: list[Json] = self._client.get("/api/snapshot", process=ids, limit="20000")["nodes"]
        found = [one for one in nodes if name in (one["label"], one["name"])]
        waiters = [one for one in found if one["kind"] in ("task", "thread")]
        found = waiters if len(waiters) == 1 else found
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            several = ", ".join(f"{one['id']} ({one['short']})" for one in found[:_NAMED_MOST])
            raise ClientError(f"{len(found)} go by the name {name!r}; say the id: {several}")
        waiting = ", ".join(one["label"] for one in nodes if one["wait"] is not None and not one["telemetry"])
        raise ClientError(f"nothing is called {name!r}; what waits now: {waiting[:1000] or 'nothing'}")


def findings_told(findings: list[Json], names: dict[str, str]) -> tuple[list[FindingTold], int]:
    """The first of those of the API, and how many more there are. `names`: of processes, by id."""
    told = [_finding(one, names, whole=number < _WHOLE_MOST) for number, one in enumerate(findings[:_FINDINGS_MOST])]
    return told, max(len(findings) - _FINDINGS_MOST, 0)


def _finding(finding: Json, names: dict[str, str], *, whole: bool) -> FindingTold:
    return FindingTold(
        id=finding["id"],
        kind=finding["kind"],
        level=finding["level"],
        sentence=f"{finding['headline']}: {finding['title']}",
        open=finding["look_at"],
        release=finding["advice"],
        behind=finding["behind"]["text"],
        processes=[names.get(str(one), str(one)) for one in finding["processes"]],
        text=finding["text"] if whole else "",
    )


def wait_told(node: Json, names: dict[str, str]) -> WaitTold:
    """Of a node of the API. Of a thread in C code that is no wait by a name, the call and its line."""
    wait: Json = node["wait"] or {}
    called = node["attributes"].get(semconv.THREAD_CALL, "") if node["state"] == "blocked" else ""
    own = next((one for one in reversed(node["stack"]) if one.get("own") and one["line"]), None) if called else None
    return WaitTold(
        id=node["id"],
        name=node["label"],
        process=names.get(node.get("process") or "", ""),
        doing=wait.get("operation") or called or node["state"] or "",
        since=wait.get("age", ""),
        open=wait.get("source") or (f"{own['file']}:{own['line']}" if own else ""),
        line=wait.get("text", ""),
    )


_RELATIONS = {
    "needs": "waits for",
    "held_by": "is held by",
    "handled_by": "is handled by",
    "rpc_link": "is answered by",
}


def _step(edge: Json, nodes: dict[str, Json]) -> str:
    """`worker-a waits for Lock db at /srv/app.py:31, 43 s`."""
    ends = [nodes[one]["label"] if one in nodes else one for one in (edge["src"], edge["dst"])]
    text = f"{ends[0]} {_RELATIONS.get(edge['kind'], edge['kind'].replace('_', ' '))} {ends[1]}"
    wait: Json = (nodes.get(edge["src"]) or {}).get("wait") or {}
    if edge["kind"] == "needs" and wait:
        return f"{text} at {wait['source']}, {wait['age']}"
    return f"{text}, taken at {edge['source']}" if edge["source"] else text


def _source(place: str, sources: Json, function: str) -> Source:
    told: Json = sources.get(place) or {"first": 0, "lines": []}
    lines = [f"{told['first'] + number}: {text}" for number, text in enumerate(told["lines"])]
    return Source(place, function, lines)
