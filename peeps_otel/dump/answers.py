# SPDX-License-Identifier: Apache-2.0
"""A dump in the shapes of the query API, so that whoever shows the one shows the other (docs/api.md)."""

from __future__ import annotations

from typing import Any

from ..model import Edge
from ..model.coverage import cannot_judge
from ..model.graph import Graph
from ..model.jsonable import edge_to_json, finding_to_json
from ..report.calm import Waits
from ..report.finding_text import FindingText
from ..report.sentences import verdict_sentence
from ..report.shown import Shown
from ..report.style import PLAIN
from .dump import Dump, DumpedFinding, DumpedTexts

Json = dict[str, Any]


class _View:
    def __init__(self, dump: Dump) -> None:
        self.nodes, self.owner = dump.nodes, dump.owner
        self.out: dict[str, list[Edge]] = {}
        for edge in dump.edges:
            self.out.setdefault(edge.src, []).append(edge)


def shown(dump: Dump) -> Shown:
    """Its nodes and findings in words, as of its own time."""
    directories = {one.id: one.directory for one in dump.processes}
    return Shown(_View(dump), directories, dump.time_ns, DumpedTexts(dump.sources))


def findings_answer(dump: Dump) -> Json:
    """As GET /api/findings: `verdict`, `findings`, `not_answered`."""
    words = shown(dump)
    names = {one.id: str(one) for one in dump.processes}
    told = [_finding(words, one, names) for one in dump.findings]
    blind = [
        {"process": one.id, "name": str(one), "note": note}
        for one in dump.processes
        for note in cannot_judge(one.coverage)
    ]
    silent = [one.id for one in dump.processes if not one.answered]
    calm = Waits(words, list(dump.nodes.values())).calm(len(silent))
    unseen = [(one["name"], one["note"]) for one in blind]
    sentence = "The dump has no process in it."
    if dump.processes:
        sentence = verdict_sentence(told[0] if told else None, len(told), unseen, calm)
    worst = dump.findings[0].finding.level if dump.findings else None
    return {
        "now_ns": dump.time_ns,
        "verdict": {
            "stuck": worst is not None and worst.stuck,
            "level": None if worst is None else worst.value,
            "connected": bool(dump.processes),
            "cannot_judge": blind,
            "sentence": sentence,
        },
        "findings": told,
        "untold": 0,
        "not_answered": silent,
    }


def snapshot_answer(dump: Dump) -> Json:
    """As GET /api/snapshot."""
    words = shown(dump)
    return {
        "now_ns": dump.time_ns,
        "nodes": [words.node(node) for node in dump.nodes.values()],
        "edges": [edge_to_json(edge) for edge in dump.edges],
        "total_nodes": len(dump.nodes) + dump.missing,
        "truncated": dump.missing > 0,
        "processes": [{"id": one.id, "time_ns": one.time_ns} for one in dump.processes],
        "not_answered": [one.id for one in dump.processes if not one.answered],
    }


def processes_by_id(dump: Dump) -> dict[str, Json]:
    """Of GET /api/processes, what the commands need: by id."""
    return {
        one.id: {
            "id": one.id,
            "service": one.service or "process",
            "pid": one.pid,
            "host": one.host,
            "directory": one.directory,
            "state": "live" if one.answered else "silent",
            "coverage": one.coverage,
            "cannot_judge": cannot_judge(one.coverage),
        }
        for one in dump.processes
    }


def graph(dump: Dump) -> Graph:
    """Without telemetry, for the diagnosis of what moves."""
    words = shown(dump)
    nodes = {key: node for key, node in dump.nodes.items() if not words.node(node)["telemetry"]}
    return Graph(nodes, dump.edges)


def _finding(words: Shown, one: DumpedFinding, names: dict[str, str]) -> Json:
    blocked = len(one.finding.blocked)
    told = finding_to_json(one.finding) | {"processes": list(one.processes), "blocked_count": blocked, "state": "open"}
    told = words.finding(told)
    where = ", ".join(names.get(key, key) for key in one.processes)
    return told | {"text": "\n".join(FindingText(PLAIN).lines(told, where))}
