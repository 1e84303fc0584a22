# SPDX-License-Identifier: Apache-2.0
"""psycopg's own waits for the server. It looks round ten times a second, so its thread or task never stands still for
long: what it waits for is told, that it is stuck is not concluded from it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ... import semconv
from ...model import NodeKind
from ...model.operations import operation
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.descriptor_owners import psycopg_descriptor
from ..internals.descriptor_owners import psycopg_in_c as _in_c
from ..library import (
    Known,
    Lent,
    PoolHandle,
    ResourceType,
    Support,
    TaskFinder,
    TaskWait,
    ThreadWait,
    Waiting,
    attribute,
    code_of,
    first_of,
)
from ..open_transactions import TRANSACTIONS, beside, lent, may_wait, reads

_BASE, _SYNC, _ASYNC = "psycopg._connection_base", "psycopg.connection", "psycopg.connection_async"
_WAIT = operation("database.wait")
_IN_TRANSACTION, _IN_ERROR = 2, 3  # of libpq's `PQtransactionStatus`


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
        reads(base, transaction_of)
        return Support(
            resource_types=(ResourceType(base, (NodeKind.IO,), None, _called), TRANSACTIONS),
            pool_handles=(PoolHandle(base, _in_hand),),
            task_waits=(TaskWait(code_of(asynchronous, "wait"), _WAIT, find=_finder(asynchronous)),),
            thread_waits=(ThreadWait(_SYNC, "Connection.wait", _WAIT, finds="self"),),
            thread_modules=("psycopg.waiting",),
        )


def _finder(kind: type[Any]) -> TaskFinder:
    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
        """Without the timer by which it looks round."""
        connection = first_of(link, kind)
        if connection is None:
            return Waiting(_WAIT, ())
        found = beside(_database_of(connection)) if may_wait(links) else None
        return Waiting(_WAIT, (connection,), beside=found)

    return find


def transaction_of(connection: Any) -> Iterable[Lent]:
    """Of a connection of psycopg: its open transaction."""
    connected = attribute(connection, "pgconn")
    if connected is None or not _is_idle(connection):
        return ()
    return lent(_database_of(connection), connected, connection, _is_idle)


def _in_hand(connection: Any) -> Iterable[Lent]:
    """Its open transaction, and the pool that it is of."""
    pool = attribute(connection, "_pool")  # None once it was given back
    if pool is not None:
        yield Lent(connection, pool)
    yield from transaction_of(connection)


def _is_idle(connection: Any) -> bool:
    """Within a transaction, and nothing is asked."""
    return _in_c(connection, "transaction_status") in (_IN_TRANSACTION, _IN_ERROR)


def _database_of(connection: Any) -> str:
    host, port, name = (_in_c(connection, one) for one in ("host", "port", "db"))
    texts = [one.decode(errors="replace") if type(one) is bytes else str(one) for one in (host, port, name)]
    return f"{texts[0]}:{texts[1]}/{texts[2]}"


def _called(connection: Any) -> Known:
    """By its descriptor."""
    fd = psycopg_descriptor(connection)
    return Known("", {}) if fd is None else Known(f"fd {fd}", {semconv.IO_FD: fd})


PSYCOPG = Psycopg()
