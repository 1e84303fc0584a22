# SPDX-License-Identifier: Apache-2.0
"""GET /api/findings: the verdict, and the evidence for calm where nothing is stuck."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..graph.findings import Entry, FindingBook
from ..graph.live import LiveGraph, View
from ..graph.process import Process, State
from ..wording import calm_sentence, duration, stuck_sentence
from .answers import answer
from .selection import longest_wait, node_json

_BLOCKED_SHOWN = 50


class FindingRoutes:
    """The endpoint; called on worker threads."""

    def __init__(self, live: LiveGraph, book: FindingBook) -> None:
        self._live = live
        self._book = book

    def findings(self, request: Request) -> Response:
        now_ns = time.time_ns()
        wanted = set(request.query_params.getlist("process"))
        view = self._live.view()
        processes = {k: p for k, p in self._live.processes().items() if not wanted or k in wanted}
        entries = [e for e in self._book.open() if not wanted or wanted.intersection(e.processes)]
        shown = [entry.to_json() for entry in entries]
        if request.query_params.get("history", "0") not in {"", "0"}:
            shown += [e for e in self._book.ended() if not wanted or wanted.intersection(e["processes"])]
        not_answered = [key for key in self._live.not_answered() if key in processes]
        nodes = [n for n in view.nodes.values() if not wanted or view.owner[n.id] in wanted]
        waiting = [node for node in nodes if node.wait is not None]
        tasks = sum(node.kind == "task" for node in nodes)
        longest = longest_wait(view, [n for n in waiting if n.kind == "task"] or waiting, now_ns)
        return answer(
            {
                "now_ns": now_ns,
                "version": self._live.version,
                "verdict": _verdict(entries, processes, tasks, longest, len(not_answered), now_ns),
                "calm": {
                    "longest_wait": None if longest is None else {"node": longest[0], "age_ns": longest[1]},
                    "last_change_ns": self._live.last_change_ns or None,
                    "tasks": tasks,
                    "waiting": len(waiting),
                },
                "findings": [finding | {"nodes": _named(finding, view)} for finding in shown],
                "untold": self._book.untold,
                "not_answered": not_answered,
            }
        )


def _verdict(
    entries: list[Entry],
    processes: dict[str, Process],
    tasks: int,
    longest: tuple[dict[str, Any], int] | None,
    not_answered: int,
    now_ns: int,
) -> dict[str, Any]:
    if entries:
        worst = entries[0]
        more = f" (and {len(entries) - 1} more)" if len(entries) > 1 else ""
        return {
            "stuck": worst.finding.level.stuck,
            "level": worst.finding.level.value,
            "sentence": stuck_sentence(worst.finding, now_ns) + more,
        }
    if any(process.state in {State.LIVE, State.SILENT} for process in processes.values()):
        sentence = calm_sentence(tasks, longest, not_answered)
    else:
        sentence = "No program is connected."
        ended = [process for process in processes.values() if process.state is State.GONE]
        if ended:
            last = max(ended, key=lambda process: process.last_seen_ns)
            ago = duration(now_ns - last.last_seen_ns)
            sentence = f"No program is connected; {last.info} was last heard of {ago} ago."
            if last.farewell:
                sentence = f"No program is connected; {last.farewell}, {ago} ago."
    return {"stuck": False, "level": None, "sentence": sentence}


def _named(finding: dict[str, Any], view: View) -> dict[str, Any]:
    """Every node the finding names, as far as it is alive."""
    ids: dict[str, None] = dict.fromkeys(finding["core"])
    for link in finding["evidence"]:
        ids |= dict.fromkeys(node for node in (link["waiter"], link["resource"], link["holder"]) if node)
    ids |= dict.fromkeys(finding["blocked"][:_BLOCKED_SHOWN])
    ids |= dict.fromkeys(finding.get("examples", ()))
    return {node: node_json(view.nodes[node], view) for node in ids if node in view.nodes}
