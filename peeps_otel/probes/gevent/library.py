# SPDX-License-Identifier: Apache-2.0
"""gevent's waits and primitives. Its greenlets are read by `probe`.

A lock of gevent's does not know who has it: that is on the stacks of suspended greenlets. And a timer that no variable
leads to (`gevent.Timeout(…).start()`) may end any wait, so nothing is more than likely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import semconv
from ...model import NodeKind
from ...model.coverage import blind
from ...model.operations import operation
from ..internals import gevent as internals
from ..internals import versions
from ..internals.gevent import Types
from ..library import (
    CHANNEL,
    Around,
    Channel,
    PoolHolder,
    PoolState,
    PoolType,
    Providers,
    ResourceType,
    State,
    Support,
    ThreadWait,
    of_lock,
    owned_lock,
    semaphore_of,
    whole_numbers,
)

_WAITS: tuple[tuple[str, str, str, str | None], ...] = (
    ("gevent.thread", "LockType.acquire", "lock.acquire", "self"),
    ("gevent.lock", "RLock.acquire", "lock.acquire", "self"),
    ("gevent.pool", "Pool.add", "pool.acquire", "self"),
    ("gevent.pool", "Pool.wait_available", "pool.acquire", "self"),
    ("gevent.pool", "Group.join", "greenlet.join", "self"),
    ("gevent.hub", "sleep", "sleep", None),
    ("gevent.hub", "Hub.run", "idle", None),
    ("gevent.hub", "Hub.join", "greenlet.wait", None),
    ("gevent.baseserver", "BaseServer.serve_forever", "server.serve", None),
    ("gevent.select", "select", "select", None),
    ("gevent.select", "poll.poll", "select", None),
    ("gevent.selectors", "GeventSelector.select", "select", None),
    ("gevent.os", "waitpid", "process.wait", None),
    ("gevent.subprocess", "Popen.wait", "process.wait", None),
    ("gevent.threadpool", "ThreadPool.join", "greenlet.wait", None),
    ("gevent.resolver.thread", "Resolver.getaddrinfo", "name.lookup", None),
    *(("gevent._socket3", f"socket.{name}", f"socket.{name}", None) for name in ("recv", "recv_into", "recvfrom")),
    *(("gevent._socketcommon", f"SocketMixin.{name}", f"socket.{name}", None) for name in ("recv", "recv_into")),
    *(("gevent._socket3", f"socket.{name}", f"socket.{name}", None) for name in ("send", "sendall", "connect")),
    *(("gevent._socketcommon", f"SocketMixin.{name}", f"socket.{name}", None) for name in ("send", "sendall")),
    ("gevent._socketcommon", "SocketMixin.connect", "socket.connect", None),
    ("gevent._socketcommon", "SocketMixin.accept", "socket.accept", None),
    *(("gevent.ssl", f"SSLSocket.{name}", f"ssl.{name}", None) for name in ("read", "write")),
    ("gevent.ssl", "SSLSocket.do_handshake", "ssl.handshake", None),
)
_MODULES = (
    "gevent.threading",
    "gevent.timeout",
    "gevent._fileobjectcommon",
    "gevent._fileobjectposix",
    "gevent.libev.watcher",
    "gevent._ffi.loop",
)


class Gevent:
    """A `Library`."""

    name = "gevent"
    distribution = "gevent"
    checked = versions.GEVENT
    is_runtime = True

    def is_imported(self) -> bool:
        return internals.is_imported()

    def support(self) -> Support:
        """Of what does not know greenlets as they are known here: nothing, and that is said."""
        types = internals.known()
        if types is None:
            return Support(coverage=_not_found)
        return Support(
            resource_type_for=_resource_type_for(types),
            thread_waits=tuple(
                ThreadWait(module, function, operation(name), finds) for module, function, name, finds in _WAITS
            ),
            thread_modules=_MODULES,
        )


class GeventModule:
    """A `Library`: what is entered by `with` of a module that a program need not have imported."""

    distribution = ""
    checked = ()

    def __init__(self, module: str, kind: str) -> None:
        self.name = module
        self._kind = kind

    def is_imported(self) -> bool:
        return internals.known() is not None and internals.named(self.name, self._kind) is not None

    def support(self) -> Support:
        found = internals.named(self.name, self._kind)
        return Support(thread_managers=() if found is None else (found,))


def _not_found() -> list[str]:
    return [blind("gevent is not as it is known: its greenlets are not seen")]


def _resource_type_for(types: Types) -> Callable[[object], ResourceType | None]:
    """Its classes come one after the other, as the program imports its modules: each is looked for when it is met.
    Asked first: where `threading` was patched, `threading.Event` is gevent's."""
    rows: dict[str, Callable[[type[Any]], ResourceType]] = {
        "LockType": lambda cls: ResourceType(cls, (NodeKind.LOCK,), _lock(types), type_name="threading.Lock"),
        "RLock": lambda cls: ResourceType(cls, (NodeKind.LOCK,), _rlock(types), type_name="gevent.RLock"),
        "BoundedSemaphore": lambda cls: ResourceType(cls, (NodeKind.SEMAPHORE,), _semaphore(types), type_name=_called),
        "Semaphore": lambda cls: ResourceType(cls, (NodeKind.SEMAPHORE,), _semaphore(types), type_name=_called),
        "Event": lambda cls: ResourceType(cls, (NodeKind.EVENT,), _event(types), type_name=_called),
        "AsyncResult": lambda cls: ResourceType(cls, (NodeKind.EVENT,), _event(types), type_name=_called),
        "Queue": lambda cls: ResourceType(cls, CHANNEL, _queue(types), type_name=_called),
        "SimpleQueue": lambda cls: ResourceType(cls, CHANNEL, _queue(types), type_name=_called),
        "Channel": lambda cls: ResourceType(cls, CHANNEL, _queue(types), type_name=_called),
        "Pool": lambda cls: PoolType(cls, "gevent.Pool", _pool(types)).as_resource_type(),
    }

    def find(thing: object) -> ResourceType | None:
        kind: type[object] = type(thing)
        known = internals.classes()
        by_class = {id(known[name]): row for name, row in rows.items() if name in known}
        for base in type.__dict__["__mro__"].__get__(kind):
            row = by_class.get(id(base))
            if row is not None:
                return row(base)
        return None

    return find


def _called(kind: type[object]) -> str:
    return f"gevent.{type.__dict__['__name__'].__get__(kind)}"


def _waiting(types: Types, thing: Any) -> int:
    return sum(1 for _ in internals.links(types, thing))


def _at_most_likely(state: State) -> State:
    if state.providers is Providers.CLOSED:
        state.providers = Providers.ESTIMATED
    return state


def _lock(types: Types) -> Callable[[Any, Around], State]:
    def read(lock: Any, around: Around) -> State:
        attributes = whole_numbers({semconv.RESOURCE_WAITERS: _waiting(types, lock)})
        attributes[semconv.LOCK_LOCKED] = internals.permits(lock) == 0
        if not attributes[semconv.LOCK_LOCKED]:
            return State(attributes)
        return State(attributes, of_lock(around.on_stacks, sure=False), around.on_stacks)

    return read


def _rlock(types: Types) -> Callable[[Any, Around], State]:
    def read(lock: Any, around: Around) -> State:
        return _at_most_likely(owned_lock(internals.rlock_owner(lock), _waiting(types, lock), around))

    return read


def _semaphore(types: Types) -> Callable[[Any, Around], State]:
    def read(semaphore: Any, around: Around) -> State:
        available, most = internals.permits(semaphore), internals.most_permits(semaphore)
        return _at_most_likely(semaphore_of(available, most, _waiting(types, semaphore), around))

    return read


def _event(types: Types) -> Callable[[Any, Around], State]:
    def read(event: Any, _around: Around) -> State:
        attributes = whole_numbers({semconv.RESOURCE_WAITERS: _waiting(types, event)})
        is_set = internals.is_set(event)
        if is_set is not None:
            attributes[semconv.EVENT_IS_SET] = is_set
        return State(attributes)

    return read


def _queue(types: Types) -> Callable[[Any, Around], State]:
    def read(queue: Any, _around: Around) -> State:
        length, capacity, unfinished = internals.queue_state(queue)
        links = list(internals.links(types, queue))
        putters = sum(link.puts for link in links)
        values = {
            semconv.CHANNEL_LENGTH: length,
            semconv.CHANNEL_CAPACITY: capacity,
            semconv.CHANNEL_UNFINISHED: unfinished,
        }
        return State(whole_numbers(values), channel=Channel(putters, len(links) - putters))

    return read


def _pool(types: Types) -> Callable[[Any], PoolState]:
    def read(pool: Any) -> PoolState:
        size = internals.pool_size(pool)
        members = internals.members(pool)
        free = internals.permits(internals.inner(pool))
        return PoolState(
            capacity=size,
            in_use=None if size is None or free is None else size - free,
            holders=tuple(PoolHolder(one) for one in members),
            waiters=_waiting(types, pool),
            unbounded=size is None,
        )

    return read


GEVENT = (Gevent(), GeventModule("gevent._gevent_c_semaphore", "Semaphore"), GeventModule("gevent.lock", "RLock"))
