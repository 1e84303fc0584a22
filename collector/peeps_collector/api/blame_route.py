# SPDX-License-Identifier: Apache-2.0
"""GET /api/blame: whose code made others wait, from the stored history."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.diagnosis import blame, blame_formats
from peeps_otel.diagnosis.blame import Charge, Row

from ..graph.live import LiveGraph
from ..store.reader import Reader
from ..store.wait_history import waits_in
from ..store.window import Window
from .answers import ApiError, answer
from .blame_otlp import otlp
from .short_places import ShortPlaces
from .window import asked_of_history, window_of

_ROWS_MOST = 1000
_FORMATS = ("table", "folded", "speedscope", "pprof", "otlp")


class BlameRoute:
    """The endpoint; called on worker threads. What was received in the last second may not be stored yet."""

    def __init__(self, live: LiveGraph, reader: Reader) -> None:
        self._live = live
        self._reader = reader

    def blame(self, request: Request) -> Response:
        """`since_s`: how far back, `at`: from when, `process`: repeatable, `all=1`: also waits for what has merely not
        come yet, `format`: table (JSON), folded, speedscope, pprof or otlp."""
        form = request.query_params.get("format", "table")
        if form not in _FORMATS:
            raise ApiError(400, "format", f"format={form[:40]!r} is none of {', '.join(_FORMATS)}")
        window = window_of(request)
        with asked_of_history():
            waits = waits_in(self._reader, window)
        charges = blame.charge(waits, request.query_params.get("all", "0") in {"", "0"})
        return _rendered(form, charges, len(waits), window, ShortPlaces(self._live))


def _rendered(form: str, charges: list[Charge], waits: int, window: Window, places: ShortPlaces) -> Response:
    since_ns, now_ns = window.since_ns, window.until_ns
    name = f"who made others wait, {(now_ns - since_ns) // 1_000_000_000} s"
    match form:
        case "folded":
            return Response(blame_formats.folded(charges), media_type="text/plain")
        case "speedscope":
            return Response(blame_formats.speedscope(charges, name), media_type="application/json")
        case "pprof":
            content = blame_formats.pprof(charges, since_ns, now_ns - since_ns)
            return Response(content, media_type="application/octet-stream")
        case "otlp":
            return Response(otlp(charges, since_ns, now_ns - since_ns), media_type="application/x-protobuf")
        case _:
            rows = blame.table(charges)
            return answer(
                {
                    "since_ns": since_ns,
                    "waits": waits,
                    "total_ns": sum(row.ns for row in rows),
                    "truncated": len(rows) > _ROWS_MOST,
                    "rows": [_told(row, places) for row in rows[:_ROWS_MOST]],
                }
            )


def _told(row: Row, places: ShortPlaces) -> dict[str, Any]:
    """With the short forms of its places."""
    short = places.short
    waiters = [{"site": site, "site_short": short(site), "ns": ns} for site, ns in row.waiters[:20]]
    return row._asdict() | {"holder_short": short(row.holder_site), "waiters": waiters}
