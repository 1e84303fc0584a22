# SPDX-License-Identifier: Apache-2.0
"""A dump of what a collector knows, by its API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from peeps_otel.dump import file
from peeps_otel.dump.answers import findings_answer
from peeps_otel.dump.dump import Dump, DumpedFinding, DumpedProcess
from peeps_otel.model import EvidenceStep, Site
from peeps_otel.model.jsonable import edge_from_json, finding_from_json, node_from_json
from peeps_otel.report.style import printable

from .client import Client, ClientError
from .looks import look_now

Json = dict[str, Any]

_NODES_MOST = 20_000
_STEP = tuple(field.name for field in fields(EvidenceStep))
_SITE = tuple(field.name for field in fields(Site))


def dump_from_collector(client: Client, process: str | None, path: str, at: str | None) -> int:
    """Writes it, and says what is in it. Raises ClientError."""
    dump = taken(client, process, at)
    try:
        file.write(dump, path)
    except OSError as error:
        raise ClientError(f"{path} cannot be written: {error.strerror or error}") from None
    answer = findings_answer(dump)
    count = len(dump.processes)
    size = f"{len(dump.nodes):,} nodes of {'1 process' if count == 1 else f'{count} processes'}"
    print(f"{path}: {size}. {printable(answer['verdict']['sentence'])}")
    if dump.missing:
        print(f"{dump.missing:,} further nodes were left out; name one process to have all of it.")
    return 1 if answer["verdict"]["stuck"] else 0


def taken(client: Client, process: str | None, at: str | None = None) -> Dump:
    """What it knows now, after a look of the processes; or what it knew `at` a moment, without findings. Raises
    ClientError."""
    ids = client.process_ids(process)
    if at is None:
        look_now(client, process)
    moment = {} if at is None else {"at": at}
    snapshot = client.get("/api/snapshot", process=ids, limit=str(_NODES_MOST), **moment)
    findings: list[Json] = [] if at else client.get("/api/findings", process=ids)["findings"]
    known: dict[str, Json] = {one["id"]: one for one in client.get("/api/processes")["processes"]}
    if not snapshot["processes"]:
        raise ClientError("no program is connected that could be dumped")
    silent = set(snapshot["not_answered"])
    return Dump(
        snapshot["at_ns"] if at else snapshot["now_ns"],
        [_process(one, known.get(one["id"], {}), one["id"] not in silent) for one in snapshot["processes"]],
        {one["id"]: node_from_json(one) for one in snapshot["nodes"]},
        {one["id"]: one["process"] for one in snapshot["nodes"]},
        [edge_from_json(one) for one in snapshot["edges"]],
        [DumpedFinding(finding_from_json(_bare(one)), one["processes"]) for one in findings],
        _sources(findings, snapshot["nodes"]),
        snapshot["total_nodes"] - len(snapshot["nodes"]),
    )


def _process(pictured: Json, known: Json, answered: bool) -> DumpedProcess:
    return DumpedProcess(
        pictured["id"],
        known.get("service", ""),
        known.get("pid") or 0,
        known.get("host") or "",
        known.get("directory", ""),
        pictured.get("time_ns") or 0,
        list(known.get("coverage", [])),
        answered,
    )


def _bare(finding: Json) -> Json:
    """Without the words beside its values."""
    evidence = [{name: step[name] for name in _STEP if name in step} for step in finding["evidence"]]
    sites = [{name: site[name] for name in _SITE} for site in finding["blocked_sites"]]
    return finding | {"evidence": evidence, "blocked_sites": sites}


def _sources(findings: Iterable[Json], nodes: Iterable[Json]) -> dict[str, dict[str, Json]]:
    """The lines that came with the findings and the waits."""
    found: dict[str, dict[str, Json]] = {}
    for node in nodes:
        wait = node["wait"]
        place, text = ("", "") if wait is None else (wait["source"], wait.get("text", ""))
        line = place.rpartition(":")[2]
        if text and line.isdecimal():
            found.setdefault(node["process"], {})[place] = {"first": int(line), "lines": [text]}
    for finding in findings:
        for process in finding["processes"]:
            found.setdefault(process, {}).update(finding.get("sources") or {})
    return found
