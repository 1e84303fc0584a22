# SPDX-License-Identifier: Apache-2.0
"""aiohttp's server: one that shuts down waits until the handlers of its connections have answered.

It waits by a future of its own that the connection's task completes. The connection itself, which reaches that future
too, has nothing to do with it: no data from the peer ends the wait.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ..internals import versions
from ..library import Support, SuspendedFrame, TaskWait, Waiting, attribute, code_of, first_of, operation, timer_within

_PROTOCOL = "aiohttp.web_protocol"
_TASK = operation("task")


class AiohttpServer:
    """A `Library`."""

    name = "aiohttp.web"
    distribution = "aiohttp"
    checked = versions.AIOHTTP

    def is_imported(self) -> bool:
        handler = vars(sys.modules.get(_PROTOCOL, sys)).get("RequestHandler")
        return handler is not None and "finish_response" in vars(handler)

    def support(self) -> Support:
        return Support(task_waits=(_shutdown(sys.modules[_PROTOCOL].RequestHandler),))


def _shutdown(handler: Any) -> TaskWait:
    code = code_of(handler, "shutdown")

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        """The task of the connection, which runs or awaits the handler, until the timeout of the shutdown."""
        task = attribute(first_of(link, handler), "_task_handler")
        if link is not links[-1] or not issubclass(type(task), asyncio.Task):
            return None
        return Waiting(_TASK, (task,), deadline=timer_within(links, link))

    return TaskWait(code, _TASK, find=find)


AIOHTTP_SERVER = AiohttpServer()
