# SPDX-License-Identifier: Apache-2.0
"""What a `multiprocessing.Manager` has and its proxies stand for: a lock, an event, a queue in the server's process.

Who calls a method of one waits in a socket for the server to answer; what for, the method says. Stored values are read
past the program's own classes, and Linux's `/proc`; nothing of the program runs. For the watcher thread only.
"""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple, cast
from weakref import ref

from . import versions
from .process_files import family, links
from .stdlib import attribute

CHECKED_ON = versions.on("CPython")

_KEPT_MOST = 500
_AGAIN_NS = 10_000_000_000
_TABLE_MOST = 1_000_000
_FAMILY_MOST = 100
_FILES_MOST = 1000


class Managed:
    """`address`: of the server: a path, where only processes of this host can reach it; else empty. `ident`: which of
    the server's things it is. `proxy`: by which it was last called here."""

    __slots__ = ("__weakref__", "_server", "_sought_ns", "address", "ident", "proxy", "type_name")

    def __init__(self, address: str, ident: str, type_name: str, proxy: ref[Any]) -> None:
        self.address, self.ident, self.type_name, self.proxy = address, ident, type_name, proxy
        self._server: int | None = None
        self._sought_ns = 0

    def server(self) -> int | None:
        """The process of this one's family that listens at the address; None where none is seen to. Looked up at most
        every ten seconds."""
        now_ns = time.monotonic_ns()
        if not self._sought_ns or now_ns - self._sought_ns >= _AGAIN_NS:
            self._sought_ns, self._server = now_ns, _server_at(self.address)
        return self._server


class ManagedLock(Managed):
    __slots__ = ()


class ManagedSemaphore(Managed):
    __slots__ = ()


class ManagedEvent(Managed):
    __slots__ = ()


class ManagedCondition(Managed):
    __slots__ = ()


class ManagedBarrier(Managed):
    __slots__ = ()


class ManagedQueue(Managed):
    __slots__ = ()


class Call(NamedTuple):
    """`operation`: what a call of a proxy waits for, by name. `timeout_s`: None: for ever."""

    operation: str
    thing: Managed
    timeout_s: float | None


_TYPES: dict[str, type[Managed]] = {
    **dict.fromkeys(("Lock", "RLock"), ManagedLock),
    **dict.fromkeys(("Semaphore", "BoundedSemaphore"), ManagedSemaphore),
    **dict.fromkeys(("Queue", "JoinableQueue"), ManagedQueue),
    "Event": ManagedEvent,
    "Condition": ManagedCondition,
    "Barrier": ManagedBarrier,
}
_WAITS: dict[tuple[type[Managed], str], str] = {
    (ManagedLock, "acquire"): "lock.acquire",
    (ManagedSemaphore, "acquire"): "semaphore.acquire",
    (ManagedEvent, "wait"): "event.wait",
    (ManagedCondition, "wait"): "condition.wait",
    (ManagedBarrier, "wait"): "barrier.wait",
    (ManagedQueue, "get"): "queue.get",
    (ManagedQueue, "put"): "queue.put",
    (ManagedQueue, "join"): "queue.join",
}


class _Token(NamedTuple):
    """What a proxy tells of the thing that it stands for."""

    kind: type[Managed]
    type_name: str
    ident: str
    address: str

    @classmethod
    def of(cls, proxy: Any) -> _Token | None:
        token = attribute(proxy, "_token")
        type_name, ident, address = (attribute(token, name) for name in ("typeid", "id", "address"))
        kind = _TYPES.get(type_name) if type(type_name) is str else None
        if kind is None or type(ident) is not str:
            return None
        return cls(kind, type_name, ident, address if type(address) is str else "")


class ManagedThings:
    """One object for each thing of a manager, so that it is one node for all who wait for it."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, str], Managed] = {}

    def call(self, proxy: Any, method: object, arguments: object, keywords: object) -> Call | None:
        """What a method of a proxy waits for; None for one that is known to wait for nothing."""
        token = _Token.of(proxy)
        operation = None if token is None or type(method) is not str else _WAITS.get((token.kind, method))
        if token is None or operation is None:
            return None
        first = 1 if method == "put" else 0  # the item may be a number too
        return Call(operation, self._thing(proxy, token), _timeout(arguments, keywords, first))

    def lock(self, proxy: Any) -> ManagedLock | None:
        """The lock that being inside `with proxy` holds; None for what is no lock."""
        token = _Token.of(proxy)
        thing = self._thing(proxy, token) if token is not None and token.kind is ManagedLock else None
        return thing if isinstance(thing, ManagedLock) else None

    def _thing(self, proxy: Any, token: _Token) -> Managed:
        key = (token.address, token.ident)
        thing = self._known.pop(key, None)
        if thing is None:
            if len(self._known) >= _KEPT_MOST:
                self._known.pop(next(iter(self._known)))
            thing = token.kind(*key, f"multiprocessing.managers.{token.type_name}", ref(proxy))
        self._known[key] = thing  # the last that was asked for
        if thing.proxy() is not proxy:
            thing.proxy = ref(proxy)
        return thing


THINGS = ManagedThings()


def of_the_program(thing: Any) -> Any:
    """The object of the program that stands for a thing of a manager; any other thing as it is."""
    return thing.proxy() if issubclass(type(thing), Managed) else thing


def _timeout(arguments: object, keywords: object, first: int) -> float | None:
    values: list[object] = list(cast("tuple[object, ...]", arguments))[first:] if type(arguments) is tuple else []
    if type(keywords) is dict:
        values.append(cast("dict[str, object]", keywords).get("timeout"))
    numbers = [float(cast("float", one)) for one in values if type(one) in (int, float)]
    return next((one for one in reversed(numbers) if one >= 0), None)


def _server_at(address: str) -> int | None:
    number = _listening_at(address) if address else None
    if number is None:
        return None
    wanted = f"socket:[{number}]"
    roots = [pid for pid in (os.getpid(), os.getppid()) if pid > 1]
    for pid in family(roots, _FAMILY_MOST):
        if any(link == wanted for _, link in links(pid, _FILES_MOST)):
            return pid
    return None


def _listening_at(path: str) -> str | None:
    """The inode of the Unix socket that listens there."""
    try:
        with open("/proc/self/net/unix", encoding="utf-8", errors="replace") as table:
            lines = table.read(_TABLE_MOST).splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] == path and fields[3] == "00010000":  # it accepts connections
            return fields[6]
    return None
