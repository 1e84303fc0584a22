# SPDX-License-Identifier: Apache-2.0
"""GET /api/blame: whose code made others wait, from the stored history."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.diagnosis import blame, blame_formats
from peeps_otel.diagnosis.blame import Charge, Row
from peeps_otel.report.in_words import Places

from ..store.reader import Reader
from ..store.statement import Failure, StatementFailed
from ..store.wait_history import waits_since
from .answers import ApiError, answer, whole_parameter

_DEFAULT_S = 600
_MOST_S = 7 * 86_400
_ROWS_MOST = 1000
_STATUS = {Failure.TIME: 504, Failure.SIZE: 413}
_FORMATS = ("table", "folded", "speedscope", "pprof")


class BlameRoute:
    """The endpoint; called on worker threads. What was received in the last second may not be stored yet."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def blame(self, request: Request) -> Response:
        """`since_s`: how far back, `process`: repeatable, `all=1`: also waits for what has merely not come yet,
        `format`: table (JSON), folded, speedscope or pprof."""
        seconds = whole_parameter(request, "since_s", _DEFAULT_S, 1, _MOST_S)
        form = request.query_params.get("format", "table")
        if form not in _FORMATS:
            raise ApiError(400, "format", f"format={form[:40]!r} is none of {', '.join(_FORMATS)}")
        now_ns = time.time_ns()
        since_ns = now_ns - seconds * 1_000_000_000
        try:
            waits = waits_since(self._reader, since_ns, now_ns, request.query_params.getlist("process"))
        except StatementFailed as failed:
            advice = "" if failed.failure is Failure.REFUSED else "; ask for a shorter time"
            raise ApiError(_STATUS.get(failed.failure, 500), "since_s", f"{failed}{advice}") from None
        charges = blame.charge(waits, request.query_params.get("all", "0") in {"", "0"})
        return _rendered(form, charges, len(waits), since_ns, now_ns)


def _rendered(form: str, charges: list[Charge], waits: int, since_ns: int, now_ns: int) -> Response:
    name = f"who made others wait, {(now_ns - since_ns) // 1_000_000_000} s"
    match form:
        case "folded":
            return Response(blame_formats.folded(charges), media_type="text/plain")
        case "speedscope":
            return Response(blame_formats.speedscope(charges, name), media_type="application/json")
        case "pprof":
            content = blame_formats.pprof(charges, since_ns, now_ns - since_ns)
            return Response(content, media_type="application/octet-stream")
        case _:
            rows = blame.table(charges)
            return answer(
                {
                    "since_ns": since_ns,
                    "waits": waits,
                    "total_ns": sum(row.ns for row in rows),
                    "truncated": len(rows) > _ROWS_MOST,
                    "rows": [_told(row) for row in rows[:_ROWS_MOST]],
                }
            )


def _told(row: Row) -> dict[str, Any]:
    """With the short forms of its places; of which process each is, the history does not say."""
    short = Places().short
    waiters = [{"site": site, "site_short": short(site), "ns": ns} for site, ns in row.waiters[:20]]
    return row._asdict() | {"holder_short": short(row.holder_site), "waiters": waiters}
