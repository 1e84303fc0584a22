# SPDX-License-Identifier: Apache-2.0
"""GET /api/timeline: the recorded history at a glance: how much moved when, and when what was found."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.report.sentences import duration

from ..graph.findings import FindingRegistry
from ..store.reader import Reader
from .answers import answer, asked_of_database, whole_parameter

_S = 1_000_000_000
_BUCKETS = 240
_MOST_S = 7 * 86_400
_FINDINGS = 200
_BYTES = 4 << 20
_SECONDS = 5.0
_SHORTEST_NS = 60 * _S

_NEWEST = "SELECT max(time_ns) FROM snapshot"
_FIRST = "SELECT min(time_ns) FROM snapshot WHERE time_ns >= $1"
_MOVED = """
SELECT (time_ns - $1) // $2 AS bucket, count(*) FROM node_change
WHERE time_ns >= $1 AND time_ns <= $3 GROUP BY bucket ORDER BY bucket
"""


class TimelineRoute:
    """The endpoint; called on worker threads."""

    def __init__(self, findings: FindingRegistry, reader: Reader) -> None:
        self._findings = findings
        self._reader = reader

    def timeline(self, request: Request) -> Response:
        asked_ns, now_ns = whole_parameter(request, "since_s", 86_400, 60, _MOST_S) * _S, time.time_ns()
        with asked_of_database("since_s"):
            [[newest_ns]] = self._reader.rows(_NEWEST, [], 1, _BYTES, _SECONDS)
            if newest_ns is not None and newest_ns < now_ns - asked_ns:  # a recording, or nobody for long
                now_ns = newest_ns
            since_ns = now_ns - asked_ns
            [[first_ns]] = self._reader.rows(_FIRST, [since_ns], 1, _BYTES, _SECONDS)
            from_ns = min(first_ns or now_ns, now_ns - _SHORTEST_NS)
            step_ns = max((now_ns - from_ns) // _BUCKETS, _S)
            moved = self._reader.rows(_MOVED, [from_ns, step_ns, now_ns], 2 * _BUCKETS, _BYTES, _SECONDS)
        spans = [_span(one, now_ns) for one in self._findings.remembered()[:_FINDINGS]]
        return answer(
            {
                "from_ns": from_ns,
                "to_ns": now_ns,
                "step_ns": step_ns,
                "changes": [{"from_ns": from_ns + bucket * step_ns, "count": count} for bucket, count in moved],
                "findings": [one for one in spans if one["to_ns"] is None or one["to_ns"] >= from_ns],
            }
        )


def _span(finding: dict[str, Any], now_ns: int) -> dict[str, Any]:
    is_open = finding["state"] == "open"
    end_ns = now_ns if is_open else finding["last_seen_ns"]
    kind = finding["kind"].replace("_", " ").upper()
    return {
        "id": finding["id"],
        "headline": f"{kind}, {finding['level']}, {duration(max(end_ns - finding['since_ns'], 0))}",
        "title": finding["title"],
        "level": finding["level"],
        "state": finding["state"],
        "processes": finding["processes"],
        "from_ns": finding["since_ns"],
        "found_ns": finding["first_seen_ns"],
        "to_ns": None if is_open else end_ns,
    }
