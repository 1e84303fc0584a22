# SPDX-License-Identifier: Apache-2.0
"""SQLite: who waits for a database that is locked, and by which transaction of this process it is.

SQLite looks round again and again, for as long as `connect(timeout=...)` says, which is not to be seen: so it is never
more than slow. Which database a connection is of is not to be seen either: that is told only where one alone is locked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from ... import semconv
from ...model import AttributeValue, NodeKind
from ..internals import versions
from ..internals.child_pipes import called as process_called
from ..internals.sqlite_locks import LOCKS, SqliteLock, is_ours, read_field
from ..library import Around, Known, Lent, PoolHandle, ResourceType, State, Support

_MODULE = "sqlite3"
_TYPE = "sqlite3.database"


class Sqlite:
    """A `Library`."""

    name = "sqlite3"
    distribution = ""
    checked = versions.CPYTHON

    def is_imported(self) -> bool:
        return isinstance(_connection(), type)

    def support(self) -> Support:
        connection = _connection()
        if connection is None:
            raise AttributeError("sqlite3.Connection")
        return Support(
            resource_types=(
                ResourceType(SqliteLock, (NodeKind.LOCK,), _state, _called, _TYPE, while_used=True, is_pool=True),
            ),
            pool_handles=(PoolHandle(connection, _in_transaction),),
        )


def _connection() -> type[Any] | None:
    found = vars(sys.modules.get(_MODULE, sys)).get("Connection")
    return found if isinstance(found, type) else None


def _in_transaction(connection: Any) -> Iterable[Lent]:
    """One that has a transaction open has the lock, if only one database is locked, and by this process."""
    lock = LOCKS.last
    if lock is None or not is_ours(lock) or read_field(connection, "in_transaction") is not True:
        return ()
    return (Lent(connection, lock),)


def _state(lock: SqliteLock, around: Around) -> State:
    """Nobody is named as its holder: whoever waits for it gives up some day, and is in no ring."""
    known = next((held.source for held in around.on_stacks if held.source), "")
    if not is_ours(lock):
        holder = process_called(lock.pid)
    elif known:
        holder = f"a transaction of this process, by the connection of {_short(known)}"
    else:
        holder = "a transaction of this process"
    attributes: dict[str, AttributeValue] = {
        semconv.LOCK_LOCKED: True,
        semconv.LOCK_FILE: lock.path,
        semconv.COULD_END_OUTSIDE: holder,
    }
    return State(attributes)


def _short(source: str) -> str:
    """`app/work.py:7`."""
    return "/".join(source.replace("\\", "/").split("/")[-2:])


def _called(lock: SqliteLock) -> Known:
    return Known(os.path.basename(lock.path), {semconv.LOCK_FILE: lock.path})


SQLITE = Sqlite()
