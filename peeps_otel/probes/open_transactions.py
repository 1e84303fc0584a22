# SPDX-License-Identifier: Apache-2.0
"""Open transactions of a database: which tasks and threads have one in hand while somebody waits for a statement that
may wait for their locks. What a server has locked is known to it alone; that it is asked for, and by whom nothing else
is asked meanwhile, is seen here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import WeakValueDictionary, ref

from .. import semconv
from ..model import NodeKind, Providers
from .internals.await_chain import SuspendedFrame
from .internals.frame_memory import local_of
from .library import Beside, Lent
from .resource_types import Around, Known, ResourceType, State

_KEPT_MOST = 200
_OPEN_MOST = 1000
_TEXT_MOST = 20_000  # characters of a statement that are looked at
# What builds or fills a table or an index is long by its nature: it is not taken for one that waits.
_LOCKS = re.compile(
    r"^\W*(?:insert|update|delete|merge|lock|alter|drop|truncate)\b"
    r"|\bfor\s+(?:no\s+key\s+)?(?:update|share)\b|\bfor\s+key\s+share\b|advisory_|^\W*with\b.*\b(?:update|delete)\b",
    re.IGNORECASE | re.DOTALL,
)


class Database:
    """All open transactions of one database, as one thing. `name`: `db.example:5432/shop`."""

    __slots__ = ("__weakref__", "name", "opened")

    def __init__(self, name: str) -> None:
        self.name = name
        self.opened: dict[int, _Opened] = {}


class _Opened(NamedTuple):
    connection: ref[Any]
    is_idle: Callable[[Any], bool]


_READERS: dict[type[Any], Callable[[Any], Iterable[Lent]]] = {}
_KNOWN: dict[str, Database] = {}
_ASKED: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""By the address of a connection that was asked, the future of its answer."""


def database(name: str) -> Database:
    """One object for each name. For the watcher thread only."""
    known = _KNOWN.pop(name, None)
    if known is None:
        known = Database(name)
        if len(_KNOWN) >= _KEPT_MOST:
            _KNOWN.pop(next(iter(_KNOWN)))
    _KNOWN[name] = known
    return known


def beside(name: str) -> Beside:
    """Of a statement at this database that may wait for a lock there."""
    return Beside(database(name), semconv.TASK_STATEMENT_AT, name)


def asks(connection: object, future: Any) -> None:
    """The connection is busy until this future is done."""
    try:
        _ASKED[id(connection)] = future
    except TypeError:
        return


def is_asked(connection: object) -> bool:
    """Whether an answer is awaited on it."""
    return _ASKED.get(id(connection)) is not None


def lent(name: str, transaction: object, connection: Any, is_idle: Callable[[Any], bool]) -> tuple[Lent, ...]:
    """Of a handle by which the program has a connection with an open transaction. `is_idle`: whether nothing is asked
    on that at this moment, and the transaction is still open."""
    found = database(name)
    if len(found.opened) >= _OPEN_MOST:
        found.opened.clear()
    try:
        found.opened[id(transaction)] = _Opened(ref(connection), is_idle)
    except TypeError:
        return ()
    return (Lent(transaction, found),)


def reads(kind: type[Any], transaction_of: Callable[[Any], Iterable[Lent]]) -> None:
    """How the open transaction of a connection of this type, and of what is derived from it, is read."""
    _READERS[kind] = transaction_of


def of_connection(connection: object) -> Iterable[Lent]:
    """The open transaction of a connection of any library that has told how."""
    return next((read(connection) for kind, read in _READERS.items() if issubclass(type(connection), kind)), ())


def may_wait(links: list[SuspendedFrame]) -> bool:
    """Whether the statement that one of these functions of a library has as its `query` changes or locks something. Of
    its text nothing is kept."""
    for link in reversed(links):
        text: object = local_of(link.frame, "query")
        if type(text) is bytes:
            text = text[:_TEXT_MOST].decode(errors="replace")
        if type(text) is str:
            return locks(text)
    return False


def locks(text: object) -> bool:
    """Whether a statement changes or locks something."""
    return type(text) is str and _LOCKS.search(text[:_TEXT_MOST]) is not None


def _state(one: Database, around: Around) -> State:
    """Whoever has a connection in hand that is idle within a transaction; there may be others of other processes."""
    holders = [held for held in around.on_stacks if _is_open(one, held.lent)]
    return State({semconv.DATABASE_TRANSACTIONS: one.name}, Providers.OPEN, holders)


def _is_open(one: Database, transaction: int) -> bool:
    opened = one.opened.get(transaction)
    connection = None if opened is None else opened.connection()
    if opened is None or connection is None:
        one.opened.pop(transaction, None)
        return False
    return opened.is_idle(connection)


def _called(one: Database) -> Known:
    return Known(one.name, {semconv.RESOURCE_TYPE: "postgresql.Transaction"})


TRANSACTIONS = ResourceType(Database, (NodeKind.LOCK,), _state, _called, while_used=True, by_handle=True)
