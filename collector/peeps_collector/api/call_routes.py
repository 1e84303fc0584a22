# SPDX-License-Identifier: Apache-2.0
"""GET /api/calls: the requests in flight between processes, the oldest first."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from ..graph.live import LiveGraph
from .answers import answer, whole_parameter
from .calls import calls, told
from .lacks import lacks
from .selection import in_view


class CallRoutes:
    """The endpoint; called on worker threads."""

    def __init__(self, live: LiveGraph, trace_url: str) -> None:
        self._live = live
        self._trace_url = trace_url

    def calls(self, request: Request) -> Response:
        limit = whole_parameter(request, "limit", 100, 1, 10_000)
        least_ns = 1_000_000 * whole_parameter(request, "least_ms", 0, 0, 86_400_000)
        wanted = set(request.query_params.getlist("process"))
        now_ns = time.time_ns()
        view, processes = self._live.view(), self._live.processes()
        shown = in_view(view, processes, now_ns, trace_url=self._trace_url)
        found = [call for call in calls(view) if now_ns - call.since_ns >= least_ns]
        if wanted:
            found = [call for call in found if any(one is not None and view.owner[one.id] in wanted for one in call)]
        return answer(
            {
                "now_ns": now_ns,
                "version": view.version,
                "calls": [told(call, shown, processes) for call in found[:limit]],
                "total": len(found),
            }
            | lacks(self._live, wanted, now_ns)
        )
