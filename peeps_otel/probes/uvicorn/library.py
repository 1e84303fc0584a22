# SPDX-License-Identifier: Apache-2.0
"""uvicorn: a server that was told to stop waits for its handlers, looking every 0.1 s whether they have ended."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

from ..internals import versions
from ..library import Place, Support, SuspendedFrame, TaskWait, Waiting, attribute, code_of, first_of, operation

_SERVER = "uvicorn.server"
_SHUTDOWN = operation("server.shutdown")


class Uvicorn:
    """A `Library`."""

    name = "uvicorn"
    distribution = "uvicorn"
    checked = versions.UVICORN

    def is_imported(self) -> bool:
        """The last method of the class whose code is read: the module has been read to there."""
        server = vars(sys.modules.get(_SERVER, sys)).get("Server")
        return server is not None and "handle_exit" in vars(server)

    def support(self) -> Support:
        return Support(task_waits=(_stopping(sys.modules[_SERVER].Server),))


def _stopping(server: Any) -> TaskWait:
    code = code_of(server, "_wait_tasks_to_complete")

    def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        # The timer in sight is that of the next look; a limit of the shutdown is one of `wait_for` around it.
        found = attribute(attribute(first_of(link, server), "server_state"), "tasks")
        if type(found) is not set:
            return None
        handlers = tuple(
            one for one in cast("set[Any]", found).copy() if issubclass(type(one), asyncio.Task) and not one.done()
        )
        return Waiting(_SHUTDOWN, handlers, len(handlers)) if handlers else None

    return TaskWait(code, _SHUTDOWN, find=find, place=Place.AROUND_OTHERS)


UVICORN = Uvicorn()
