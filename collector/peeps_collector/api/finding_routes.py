# SPDX-License-Identifier: Apache-2.0
"""GET /api/findings: the verdict, and the evidence for calm where nothing is stuck."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.model.coverage import cannot_judge
from peeps_otel.report.calm import Waits
from peeps_otel.report.finding_text import FindingText
from peeps_otel.report.sentences import (
    Calm,
    doubt_of,
    duration,
    long_call,
    verdict_sentence,
)
from peeps_otel.report.style import PLAIN

from ..graph.finding_entry import Entry
from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..graph.process import Process, State
from ..store.past import pictures_at, view_at
from ..store.reader import Reader
from .answers import ApiError, answer, asked_of_database, moment_parameter
from .lacks import lacks
from .past_findings import silent_then, told_then, verdict_then
from .same_cause import mark_same
from .selection import in_view

_ENDED_MOST = 20


class FindingRoutes:
    """The endpoint; called on worker threads."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry, reader: Reader) -> None:
        self._live = live
        self._findings = findings
        self._reader = reader

    def findings(self, request: Request) -> Response:
        at_ns = moment_parameter(request, "at")
        wanted = set(request.query_params.getlist("process"))
        return self._now(request, wanted) if at_ns is None else self._then(at_ns, wanted)

    def _then(self, at_ns: int, wanted: set[str]) -> Response:
        with asked_of_database("at"):
            view = view_at(self._reader, at_ns, sorted(wanted))
            pictures = pictures_at(self._reader, at_ns, sorted(wanted))
        processes = self._live.processes()
        shown = in_view(view, processes, at_ns, self._findings.texts, self._findings.trace_url)
        found, forgotten = self._findings.at(at_ns)
        told = told_then([one for one in found if not wanted or wanted.intersection(one["processes"])], shown)
        then = [_with_text(one, processes) for one in told]
        mark_same(then, processes)
        heard, not_answered = silent_then(pictures)
        waits = Waits(shown, view.nodes.values())
        calm = waits.calm(len(not_answered))
        return answer(
            {
                "now_ns": at_ns,
                "at_ns": at_ns,
                "version": view.version,
                "verdict": verdict_then(told, heard, not_answered, processes, waits, forgotten),
                "calm": _calm_told(waits, calm, 0, at_ns),
                "findings": then,
                "ended": [],
                "untold": 0,
                "not_answered": not_answered,
                "processes": pictures,
            }
        )

    def _now(self, request: Request, wanted: set[str]) -> Response:
        now_ns = time.time_ns()
        view = self._live.view()
        everything = self._live.processes()
        processes = {k: p for k, p in everything.items() if not wanted or k in wanted}
        shown = in_view(view, everything, now_ns, self._findings.texts, self._findings.trace_url)
        entries = [e for e in self._findings.open() if not wanted or wanted.intersection(e.processes)]
        findings = [entry.to_json() for entry in entries]
        ended = [e for e in self._findings.ended() if not wanted or wanted.intersection(e["processes"])]
        if request.query_params.get("history", "0") not in {"", "0"}:
            findings += ended
        not_answered = [key for key in self._live.not_answered() if key in processes]
        if wanted:
            theirs = ((key, one) for key, process in processes.items() for one in list(process.entries))
            waits = Waits(shown, [view.nodes[one] for key, one in theirs if view.owner.get(one) == key])
        else:
            waits = Waits(shown, view.nodes.values(), view.movers)
        calm = waits.calm(len(not_answered))
        told = [_with_text(shown.finding(finding), everything) for finding in findings]
        causes = mark_same(told[: len(entries)], everything)
        return answer(
            {
                "now_ns": now_ns,
                "version": self._live.version,
                "verdict": _verdict(entries, causes, told, processes, calm, now_ns),
                "calm": _calm_told(waits, calm, self._live.last_change_ns, now_ns),
                "findings": told,
                "ended": [_in_short(one, now_ns) for one in ended[:_ENDED_MOST]],
                "untold": self._findings.untold,
            }
            | lacks(self._live, wanted, now_ns)
        )

    def finding(self, request: Request) -> Response:
        """One finding, open or ended: what a link in a ticket leads to."""
        finding_id: str = request.path_params["id"]
        found = self._findings.find(finding_id)
        if found is None:
            raise ApiError(404, "id", f"no finding {finding_id[:80]!r} is known")
        processes = self._live.processes()
        shown = in_view(self._live.view(), processes, time.time_ns(), self._findings.texts, self._findings.trace_url)
        return answer({"finding": _with_text(shown.finding(found), processes)})


def _calm_told(waits: Waits, calm: Calm, last_change_ns: int, now_ns: int) -> dict[str, Any]:
    """`last_change_ns`: 0 where it is not known."""
    longest = waits.longest
    return {
        "longest_wait": None
        if longest is None
        else {"node": longest[0], "age_ns": longest[1], "age": duration(longest[1])},
        "last_change_ns": last_change_ns or None,
        "last_change_ago": duration(now_ns - last_change_ns) if last_change_ns else None,
        "doubt": doubt_of(calm),
        "long_call": long_call(calm),
        "tasks": waits.tasks,
        "waiting": waits.waiting,
    }


def _with_text(told: dict[str, Any], processes: Mapping[str, Process]) -> dict[str, Any]:
    """The finding with itself as `text`, for a ticket; changes `told`."""
    where = ", ".join(str(processes[key].info) if key in processes else key for key in told["processes"])
    told["text"] = "\n".join(FindingText(PLAIN).lines(told, where))
    return told


def _in_short(ended: dict[str, Any], now_ns: int) -> dict[str, Any]:
    kind = ended["kind"].replace("_", " ").upper()
    lasted = duration(ended["last_seen_ns"] - ended["since_ns"])
    return {
        "id": ended["id"],
        "headline": f"{kind}, {ended['level']}, {lasted}",
        "title": ended["title"],
        "state": ended["state"],
        "processes": ended["processes"],
        "ended_ns": ended["last_seen_ns"],
        "ended_ago": duration(now_ns - ended["last_seen_ns"]),
    }


def _verdict(
    entries: list[Entry],
    causes: int,
    told: list[dict[str, Any]],
    processes: Mapping[str, Process],
    calm: Calm,
    now_ns: int,
) -> dict[str, Any]:
    told_of = {key for entry in entries for key in entry.processes}
    watched = [process for process in processes.values() if process.state in {State.LIVE, State.SILENT}]
    blind = [
        {"process": process.info.id, "name": str(process.info), "note": note}
        for process in watched
        for note in cannot_judge(process.coverage_notes(process.info.id in told_of))
    ]
    verdict: dict[str, Any] = {"stuck": False, "level": None, "connected": bool(watched), "cannot_judge": blind}
    if entries:
        worst = entries[0].finding.level
        verdict |= {"stuck": worst.stuck, "level": worst.value}
    if entries or watched:
        unseen = [(one["name"], one["note"]) for one in blind]
        sentence = verdict_sentence(told[0] if entries else None, causes, unseen, calm)
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
