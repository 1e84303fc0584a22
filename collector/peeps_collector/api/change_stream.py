# SPDX-License-Identifier: Apache-2.0
"""GET /api/changes: server-sent events, one when the live graph or a finding has changed, at most twice a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from .answers import ApiError

_SPACING_S = 0.5
_SILENCE_S = 15.0
_MOST = 50


class ChangeStream:
    """The endpoint, on the event loop. At most fifty listeners."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry) -> None:
        self._live = live
        self._findings = findings
        self._listeners = 0

    async def changes(self, _request: Request) -> Response:
        if self._listeners >= _MOST:
            raise ApiError(503, "path", f"{_MOST} others listen already; ask /api/snapshot?if_version= instead")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _events(self) -> AsyncGenerator[bytes]:
        self._listeners += 1
        try:
            told, told_s = -1, time.monotonic()
            while True:
                version = self._live.version
                if version != told:
                    told, told_s = version, time.monotonic()
                    body = {"version": version, "now_ns": time.time_ns(), "findings": len(self._findings.open())}
                    yield b"event: changed\nid: %d\ndata: %s\n\n" % (version, orjson.dumps(body))
                elif time.monotonic() - told_s > _SILENCE_S:
                    told_s = time.monotonic()
                    yield b": still here\n\n"
                await asyncio.sleep(_SPACING_S)
        finally:
            self._listeners -= 1
