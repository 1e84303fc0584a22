# SPDX-License-Identifier: Apache-2.0
"""POST and GET /api/cuts: have every process take a complete snapshot, and hear which they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.report.sentences import duration

from ..cuts import Answer, Cut, Cuts, Part
from ..graph.live import LiveGraph
from ..graph.process import Process, State
from .answers import ApiError, answer
from .request_routes import to_ask


class CutRoutes:
    """The endpoints; called on worker threads."""

    def __init__(self, live: LiveGraph, cuts: Cuts) -> None:
        self._live = live
        self._cuts = cuts

    def begin(self, request: Request) -> Response:
        """202 with the cut as it is at once."""
        return answer(self._shown(self._cuts.begin(to_ask(request, self._live))), 202)

    def known(self, request: Request) -> Response:
        """How far the cut named by `cut` is."""
        cut = self._cuts.find(request.query_params.get("cut", ""))
        if cut is None:
            raise ApiError(404, "cut", "cut must name what POST has answered here, of the last 100")
        return answer(self._shown(cut))

    def _shown(self, cut: Cut) -> dict[str, Any]:
        processes = self._live.processes()
        parts = self._cuts.parts(cut, processes)
        return {
            "cut": cut.id,
            "asked_ns": cut.asked_ns,
            "over": bool(cut.parts) or not parts,
            "complete": all(part.answer is Answer.ANSWERED for part in parts),
            "processes": [_part_json(part, processes) for part in parts],
            "not_answered": [
                _missing_json(part, processes.get(part.process)) for part in parts if part.answer is Answer.NOT_ANSWERED
            ],
        }


def _part_json(part: Part, processes: Mapping[str, Process]) -> dict[str, Any]:
    return {
        "process": part.process,
        "name": _name(part.process, processes.get(part.process)),
        "state": part.answer.value,
        "stream": part.stream,
        "sequence": part.sequence,
        "time_ns": part.time_ns,
    }


def _missing_json(part: Part, process: Process | None) -> dict[str, Any]:
    """What is known of one that has not answered."""
    name, now_ns = _name(part.process, process), time.time_ns()
    text = f"{name} was asked and has not answered" if part.heard else f"{name} has not heard that it was asked"
    known: dict[str, Any] = {"process": part.process, "name": name, "heard": part.heard, "text": text}
    if process is None:
        return known | {"state": State.GONE.value, "text": f"{text}; nothing is known of it any more"}
    heard_ns = process.pulse_ns or process.last_seen_ns  # of itself: its sidecar speaks of it as well
    state, ago = process.state_at(now_ns), duration(now_ns - heard_ns)
    what = f"its snapshot {process.sequence} with {len(process.nodes)} nodes is what is known"
    return known | {
        "state": state.value,
        "last_seen_ns": heard_ns,
        "last_seen_ago": ago,
        "sequence": process.sequence,
        "nodes": len(process.nodes),
        "text": f"{text}; it is {state.value}, last heard of {ago} ago; {what}",
    }


def _name(key: str, process: Process | None) -> str:
    return key if process is None else f"{process.info.service} (pid {process.info.pid})"
