# SPDX-License-Identifier: Apache-2.0
"""GET /api/findings: the verdict, and the evidence for calm where nothing is stuck."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.model import EdgeKind, NodeKind, own_line
from peeps_otel.model.coverage import cannot_judge

from ..graph.findings import Entry, FindingRegistry
from ..graph.live import LiveGraph, View
from ..graph.process import Process, State
from ..wording import Calm, calm_sentence, cannot_judge_sentence, duration, stuck_sentence
from . import in_words
from .answers import answer
from .selection import Shown, longest_call, longest_wait, still_for

_BLOCKED_SHOWN = 50


class FindingRoutes:
    """The endpoint; called on worker threads."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry) -> None:
        self._live = live
        self._findings = findings

    def findings(self, request: Request) -> Response:
        now_ns = time.time_ns()
        wanted = set(request.query_params.getlist("process"))
        view = self._live.view()
        everything = self._live.processes()
        processes = {k: p for k, p in everything.items() if not wanted or k in wanted}
        shown = Shown(view, everything, now_ns)
        entries = [e for e in self._findings.open() if not wanted or wanted.intersection(e.processes)]
        findings = [entry.to_json() for entry in entries]
        if request.query_params.get("history", "0") not in {"", "0"}:
            findings += [e for e in self._findings.ended() if not wanted or wanted.intersection(e["processes"])]
        not_answered = [key for key in self._live.not_answered() if key in processes]
        nodes = [n for n in view.nodes.values() if not wanted or view.owner[n.id] in wanted]
        waiting = [node for node in nodes if node.wait is not None]
        tasks = [node for node in nodes if node.kind == "task"]
        tasks_waiting = [node for node in tasks if node.wait is not None]
        own = tasks_waiting or [node for node in waiting if not in_words.is_telemetry(node)]
        longest = longest_wait(shown, own)
        movers = [n for n in nodes if n.kind in (NodeKind.TASK, NodeKind.THREAD) and not in_words.is_telemetry(n)]
        calm = Calm(len(tasks), longest, longest_call(shown, movers), still_for(now_ns, movers), len(not_answered))
        told = [finding_in_words(finding, shown) for finding in findings]
        return answer(
            {
                "now_ns": now_ns,
                "version": self._live.version,
                "verdict": _verdict(entries, told, processes, calm, now_ns),
                "calm": {
                    "longest_wait": None
                    if longest is None
                    else {"node": longest[0], "age_ns": longest[1], "age": duration(longest[1])},
                    "last_change_ns": self._live.last_change_ns or None,
                    "last_change_ago": duration(now_ns - self._live.last_change_ns)
                    if self._live.last_change_ns
                    else None,
                    "tasks": len(tasks),
                    "waiting": len(tasks_waiting),
                },
                "findings": told,
                "untold": self._findings.untold,
                "not_answered": not_answered,
            }
        )


_CHAIN_MOST = 20


def finding_in_words(finding: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """A finding with its nodes, in words; changes `finding`."""
    nodes = shown.nodes(_named(finding))
    process = finding["processes"][0] if finding["processes"] else None
    told = in_words.finding(finding, nodes, shown.now_ns, shown.places(process))
    behind = as_a_person_counts(finding, shown.view)
    return told | {"nodes": nodes, "behind": in_words.behind(behind, nodes, told["blocked_count"])}


def as_a_person_counts(finding: dict[str, Any], view: View) -> list[str]:
    """What waits behind it, with one for a task and the task that it awaits: a request is often several. The one in a
    line of the program stands for those of a library that await it."""
    blocked: list[str] = finding["blocked"]
    core = set(finding.get("core", ()))
    members = set(blocked)
    awaited_by: dict[str, list[str]] = {}
    awaits: dict[str, list[str]] = {}
    for one in blocked:
        awaits[one] = [edge.dst for edge in view.out.get(one, ()) if edge.kind is EdgeKind.NEEDS]
        for target in awaits[one]:
            awaited_by.setdefault(target, []).append(one)

    def is_part_of_another(one: str) -> bool:
        outer = awaited_by.get(one, [])
        return len(outer) == 1 and outer[0] in members and awaits[outer[0]] == [one] and outer[0] != one

    def stands_for(one: str) -> str | None:
        """None for a task of a library that awaits what the finding tells of already."""
        for _ in range(_CHAIN_MOST):
            node = view.nodes.get(one)
            inner = awaits[one]
            if node is None or node.kind is not NodeKind.TASK or len(inner) != 1 or inner[0] == one:
                return one
            if own_line.innermost(node.stack) is not None or not node.stack:
                return one
            if inner[0] in core and inner[0].startswith("task:"):
                return None
            if inner[0] not in members or not inner[0].startswith("task:"):
                return one
            one = inner[0]
        return one

    people = (stands_for(one) for one in blocked if not is_part_of_another(one))
    return list(dict.fromkeys(one for one in people if one is not None))


def _verdict(
    entries: list[Entry],
    told: list[dict[str, Any]],
    processes: Mapping[str, Process],
    calm: Calm,
    now_ns: int,
) -> dict[str, Any]:
    watched = [process for process in processes.values() if process.state in {State.LIVE, State.SILENT}]
    blind = [
        {"process": process.info.id, "name": str(process.info), "note": note}
        for process in watched
        for note in cannot_judge(process.coverage_notes())
    ]
    verdict: dict[str, Any] = {"stuck": False, "level": None, "connected": bool(watched), "cannot_judge": blind}
    if entries:
        more = f" (and {len(entries) - 1} more)" if len(entries) > 1 else ""
        return verdict | {
            "stuck": entries[0].finding.level.stuck,
            "level": entries[0].finding.level.value,
            "sentence": stuck_sentence(told[0]) + more,
        }
    if blind:
        sentence = cannot_judge_sentence([(one["name"], one["note"]) for one in blind])
    elif watched:
        sentence = calm_sentence(calm)
    else:
        sentence = "No program is connected."
        ended = [process for process in processes.values() if process.state is State.GONE]
        if ended:
            last = max(ended, key=lambda process: process.last_seen_ns)
            ago = duration(now_ns - last.last_seen_ns)
            sentence = f"No program is connected; {last.info} was last heard of {ago} ago."
            if last.farewell:
                sentence = f"No program is connected; {last.farewell}, {ago} ago."
    return verdict | {"sentence": sentence}


def _named(finding: dict[str, Any]) -> dict[str, None]:
    """Every node the finding names."""
    ids: dict[str, None] = dict.fromkeys(finding["core"])
    for link in finding["evidence"]:
        ids |= dict.fromkeys(node for node in (link["waiter"], link["resource"], link["holder"]) if node)
    ids |= dict.fromkeys(finding["blocked"][:_BLOCKED_SHOWN])
    return ids | dict.fromkeys(finding.get("examples", ()))
