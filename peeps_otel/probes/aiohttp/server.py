# SPDX-License-Identifier: Apache-2.0
"""aiohttp's server: the calls that its tasks answer, and one that shuts down.

That one waits until the handlers of its connections have answered, by a future of its own that the connection's task
completes. The connection itself, which reaches that future too, has nothing to do with it: no data from the peer ends
the wait.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ..call_types import CallInHand, CallType, call_in_hand
from ..internals import versions
from ..library import Support, SuspendedFrame, TaskWait, Waiting, attribute, code_of, first_of, operation, timer_within

_PROTOCOL, _REQUEST = "aiohttp.web_protocol", "aiohttp.web_request"
_SHUTDOWN = operation("server.shutdown")


class AiohttpServer:
    """A `Library`."""

    name = "aiohttp.web"
    distribution = "aiohttp"
    checked = versions.AIOHTTP

    def is_imported(self) -> bool:
        handler = vars(sys.modules.get(_PROTOCOL, sys)).get("RequestHandler")
        request = vars(sys.modules.get(_REQUEST, sys)).get("Request")
        return handler is not None and "finish_response" in vars(handler) and request is not None

    def support(self) -> Support:
        handler, request = sys.modules[_PROTOCOL].RequestHandler, sys.modules[_REQUEST].Request
        return Support(task_waits=(_shutdown(handler),), call_types=(CallType(request, _call),))


def _call(request: Any) -> CallInHand | None:
    """None for one that was answered, which the connection's task has in a variable until the next one comes, and once
    the answer has begun: a websocket or a stream may be kept for others to write to."""
    if attribute(attribute(request, "_protocol"), "_current_request") is not request:
        return None
    if attribute(attribute(request, "_payload_writer"), "output_size") != 0:
        return None
    client, server = attribute(request, "_transport_peername"), attribute(request, "_transport_sockname")
    path = attribute(attribute(request, "_rel_url"), "_path")
    return call_in_hand(client, server, attribute(request, "_method"), path)


def _shutdown(handler: Any) -> TaskWait:
    code = code_of(handler, "shutdown")

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        """The task of the connection, which runs or awaits the handler, until the timeout of the shutdown."""
        task = attribute(first_of(link, handler), "_task_handler")
        if link is not links[-1] or not issubclass(type(task), asyncio.Task):
            return None
        return Waiting(_SHUTDOWN, (task,), deadline=timer_within(links, link))

    return TaskWait(code, _SHUTDOWN, find=find)


AIOHTTP_SERVER = AiohttpServer()
