# SPDX-License-Identifier: Apache-2.0
"""POST and GET /api/leaks and /api/looks: ask processes to look for tasks that nothing can wake, or to look now, and
hear what came of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..graph.live import LiveGraph
from ..graph.process import State
from ..requests_out import PendingRequest, ProcessRequests
from .answers import ApiError, answer


class RequestRoutes:
    """The endpoints of one kind of request; called on worker threads."""

    def __init__(self, kind: str, live: LiveGraph, requests: ProcessRequests) -> None:
        self._kind = kind
        self._live = live
        self._requests = requests

    def ask(self, request: Request) -> Response:
        """202 with one request for each process that is alive."""
        alive = to_ask(request, self._live)
        return answer({"requests": [_shown(self._requests.ask(self._kind, key)) for key in alive]}, 202)

    def answers(self, request: Request) -> Response:
        """What is known of the requests named by `request`."""
        wanted = request.query_params.getlist("request")
        if not wanted:
            raise ApiError(400, "request", "request must name what POST has answered here")
        return answer({"requests": [_shown(asked) for asked in self._requests.find(wanted)]})


def to_ask(request: Request, live: LiveGraph) -> list[str]:
    """The processes that are alive, or those among them that `process` names. Raises ApiError (404)."""
    wanted = request.query_params.getlist("process")
    processes = live.processes()
    unknown = [key for key in wanted if key not in processes]
    if unknown:
        raise ApiError(404, "process", f"no process {unknown[0][:80]!r} is known")
    return [
        key
        for key, process in processes.items()
        if (not wanted or key in wanted) and process.state in {State.LIVE, State.SILENT} and process.sequence
    ]


def _shown(asked: PendingRequest) -> dict[str, Any]:
    state = "answered" if asked.answer is not None else "waiting" if asked.told_s is None else "told"
    return {"request": asked.id, "process": asked.process, "state": state, "answer": asked.answer}
