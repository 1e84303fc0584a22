# SPDX-License-Identifier: Apache-2.0
"""psycopg's own waits for the server. It looks round ten times a second, so its thread or task never stands still for
long: what it waits for is told, that it is stuck is not concluded from it."""

from __future__ import annotations

import sys
from typing import Any

from ... import semconv
from ...model import NodeKind
from ...model.operations import operation
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.descriptor_owners import psycopg_descriptor
from ..library import (
    Known,
    ResourceType,
    Support,
    TaskFinder,
    TaskWait,
    ThreadWait,
    Waiting,
    code_of,
    first_of,
)

_BASE, _SYNC, _ASYNC = "psycopg._connection_base", "psycopg.connection", "psycopg.connection_async"
_WAIT = operation("database.wait")


class Psycopg:
    """A `Library`."""

    name = "psycopg"
    distribution = "psycopg"
    checked = versions.PSYCOPG

    def is_imported(self) -> bool:
        wanted = ((_BASE, "BaseConnection"), (_SYNC, "Connection"), (_ASYNC, "AsyncConnection"))
        return all(name in vars(sys.modules.get(module, sys)) for module, name in wanted)

    def support(self) -> Support:
        base: type[Any] = vars(sys.modules[_BASE])["BaseConnection"]
        asynchronous: type[Any] = vars(sys.modules[_ASYNC])["AsyncConnection"]
        return Support(
            resource_types=(ResourceType(base, (NodeKind.IO,), None, _called),),
            task_waits=(TaskWait(code_of(asynchronous, "wait"), _WAIT, find=_finder(asynchronous)),),
            thread_waits=(ThreadWait(_SYNC, "Connection.wait", _WAIT, finds="self"),),
            thread_modules=("psycopg.waiting",),
        )


def _finder(kind: type[Any]) -> TaskFinder:
    def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
        """Without the timer by which it looks round."""
        connection = first_of(link, kind)
        return Waiting(_WAIT, () if connection is None else (connection,))

    return find


def _called(connection: Any) -> Known:
    """By its descriptor."""
    fd = psycopg_descriptor(connection)
    return Known("", {}) if fd is None else Known(f"fd {fd}", {semconv.IO_FD: fd})


PSYCOPG = Psycopg()
