# SPDX-License-Identifier: Apache-2.0
"""Which libraries are supported, and which of them the program itself has imported. None is ever imported for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import metadata
from typing import Any, NamedTuple, cast

from .. import native
from ..model import NodeKind
from ..model.coverage import blind
from ..own_log import OwnLog
from . import library as shapes
from .asyncio.library import ASYNCIO
from .call_types import CallInHand, CallType
from .deaths.death import also_used
from .identity import Identities
from .library import ENTRY_POINTS, CancelScopes, FutureReader, Library, Support, TaskWait
from .pool_types import Lent, PoolHandle
from .resource_types import ResourceType
from .threads.library import CONCURRENT, IMPORTS, MULTIPROCESSING, SUBPROCESS, THREADING


class Deferred(NamedTuple):
    """A library of ours that is loaded once the program has `used` one of its modules. `module`: in this folder."""

    used: str
    module: str
    attribute: str

    @property
    def name(self) -> str:
        return self.used

    def load(self) -> tuple[Library, ...]:
        found: Library | tuple[Library, ...] = vars(native.importing.load(f"{__package__}.{self.module}"))[
            self.attribute
        ]
        return found if isinstance(found, tuple) else (found,)


LIBRARIES: tuple[Library | Deferred, ...] = (
    ASYNCIO,
    THREADING,
    IMPORTS,
    CONCURRENT,
    *MULTIPROCESSING,
    SUBPROCESS,
    Deferred("anyio", "anyio.library", "ANYIO"),
    Deferred("asgiref", "asgiref.library", "ASGIREF"),
    Deferred("trio", "trio.library", "TRIO"),
    Deferred("gevent", "gevent.library", "GEVENT"),
    Deferred("aiohttp.connector", "aiohttp.library", "AIOHTTP"),
    Deferred("aiohttp.web_protocol", "aiohttp.server", "AIOHTTP_SERVER"),
    Deferred("grpc.aio", "grpc_aio.library", "GRPC_AIO"),
    Deferred("grpc", "grpc_channel.library", "GRPC_CHANNEL"),
    Deferred("sqlalchemy", "sqlalchemy.library", "SQLALCHEMY"),
    Deferred("sqlite3", "sqlite.library", "SQLITE"),
    Deferred("urllib3", "urllib3.library", "URLLIB3"),
    Deferred("uvicorn", "uvicorn.library", "UVICORN"),
    Deferred("uvicorn", "uvicorn.calls", "UVICORN_CALLS"),
    Deferred("requests", "requests.library", "REQUESTS"),
    Deferred("httpcore", "httpcore.library", "HTTPCORE"),
    Deferred("httpx", "httpx.library", "HTTPX"),
    Deferred("psycopg", "psycopg.library", "PSYCOPG"),
    Deferred("psycopg_pool", "psycopg_pool.library", "PSYCOPG_POOL"),
    Deferred("asyncpg", "asyncpg.library", "ASYNCPG"),
    Deferred("redis", "redis.library", "REDIS"),
    Deferred("filelock", "filelock.library", "FILELOCK"),
    Deferred("filelock.asyncio", "filelock.asynchronous", "FILELOCK_ASYNC"),
    Deferred("celery", "celery.library", "CELERY"),
    Deferred("dramatiq", "dramatiq.library", "DRAMATIQ"),
    Deferred("huey", "huey.library", "HUEY"),
    Deferred("arq", "arq.library", "ARQ"),
    Deferred("janus", "janus.library", "JANUS"),
    Deferred("tornado.locks", "tornado.library", "TORNADO"),
    Deferred("tornado.queues", "tornado.library", "TORNADO_QUEUES"),
    Deferred("peeps_otel.roam", "roam.library", "ROAM"),
)
"""One line for each."""

_logger = OwnLog()
_warned: set[str] = set()
_Holds = Callable[[Any], object | None]


def _nothing(_manager: Any) -> None:
    return None


_NOTHING: tuple[str, _Holds] = ("", _nothing)


def _nothing_lent(_handle: Any) -> tuple[Lent, ...]:
    return ()


_NO_HANDLE = ("", PoolHandle(object, _nothing_lent))


class LibraryRegistry:
    """For the watcher thread only. `libraries`: for tests; otherwise ours and those of installed packages."""

    def __init__(self, libraries: Sequence[Library] | None = None) -> None:
        self._waiting = list[Library | Deferred]((*LIBRARIES, *installed()) if libraries is None else libraries)
        self._active: dict[str, tuple[Library, Support]] = {}
        self._notes: dict[str, str] = {}
        self._unseen: list[str] = []
        self.refused: list[str] = []
        """What to say of libraries that the program uses and whose support does not fit."""
        self._failed: dict[tuple[str, str], int] = {}
        self.revision = 0
        """Grows whenever more is known: what followed from less may be wrong."""
        self.task_waits: list[tuple[str, TaskWait]] = []
        """With the name of the library. Also those that were there before functions were rewritten."""
        self.deadlines: list[tuple[str, Callable[[asyncio.Task[Any]], tuple[float | None, bool]]]] = []
        self.of_futures: list[tuple[str, FutureReader]] = []
        self.scope_types: tuple[type[Any], ...] = ()
        self.cancel_scopes: list[CancelScopes] = []
        self._clear()

    def _clear(self) -> None:
        self._types: dict[int, ResourceType] = {}
        self._managers: tuple[dict[int, tuple[str, _Holds]], ...] = ({}, {})  # in tasks, in threads
        self._managers_met: tuple[Identities[tuple[str, _Holds]], ...] = (Identities(), Identities())
        self._handles: dict[int, tuple[str, PoolHandle]] = {}
        self._call_types: dict[int, tuple[str, CallType]] = {}
        self._handles_met: Identities[tuple[str, PoolHandle]] = Identities()

    def activate_imported(self) -> None:
        """Adds the libraries that the program has imported since. Cheap to ask again."""
        self._load_deferred()
        for library in list(self._waiting):
            if isinstance(library, Deferred):
                continue
            name = str(getattr(library, "name", library))
            try:
                if library.is_imported():
                    self._waiting.remove(library)
                    self._activate(name, library)
            except Exception as error:
                if library in self._waiting:
                    self._waiting.remove(library)
                self._refuse(name, error, library)

    def _load_deferred(self) -> None:
        for library in [one for one in self._waiting if isinstance(one, Deferred) and one.used in sys.modules]:
            at = self._waiting.index(library)
            try:
                self._waiting[at : at + 1] = library.load()
            except Exception as error:
                self._waiting.pop(at)
                self._refuse(library.name, error, library)

    def reload(self) -> None:
        """Asks the active ones again: functions of theirs were rewritten."""
        for name, (library, _) in list(self._active.items()):
            try:
                self._activate(name, library)
            except Exception as error:
                self._refuse(name, error, library)

    def _refuse(self, name: str, error: Exception, library: object) -> None:
        note = f"this {name} is not known, its waits are not seen: {type(error).__name__}: {error}"
        self.refused.append(note)
        self._unseen.append(blind(note) if getattr(library, "is_runtime", False) is True else note)
        if note not in _warned:  # once, not in each registry
            _warned.add(note)
            _logger.warning("peeps: %s", note)

    def _activate(self, name: str, library: Library) -> None:
        support = library.support()
        _check(support)
        if name not in self._active and (note := _version_note(library)):
            self._notes[name] = note
        self._active[name] = (library, support)
        also_used(name, support.resource_types)
        self.task_waits += [(name, row) for row in support.task_waits]
        self._rebuild()

    def _rebuild(self) -> None:
        """Tables over all active libraries. What comes first, ours, goes before."""
        self.revision += 1
        self._clear()
        self.deadlines, self.of_futures, self.scope_types, self.cancel_scopes = [], [], (), []
        for name, (_, support) in self._active.items():
            for row in (*support.resource_types, *(pool.as_resource_type() for pool in support.pools)):
                self._types.setdefault(id(row.cls), row)
            for manager in (*support.managers, *support.thread_managers):
                self._managers[0].setdefault(id(manager), (name, support.held_by_manager))
            for manager in support.thread_managers:
                self._managers[1].setdefault(id(manager), (name, support.held_by_manager))
            for handle in support.pool_handles:
                self._handles.setdefault(id(handle.cls), (name, handle))
            for call_type in support.call_types:
                self._call_types.setdefault(id(call_type.cls), (name, call_type))
            if support.deadline is not None:
                self.deadlines.append((name, support.deadline))
            if support.of_future is not None:
                self.of_futures.append((name, support.of_future))
            self.scope_types += support.scope_types
            if support.cancel_scopes is not None:
                self.cancel_scopes.append(support.cancel_scopes)

    def supports(self) -> Iterator[Support]:
        """Of the active libraries."""
        return (support for _, support in self._active.values())

    # --- what is asked of all of them ---------------------------------------------------------------------------------

    def resource_type(self, kind: type[object]) -> ResourceType | None:
        """The most special known type that a class is derived from; None: it is no resource."""
        for base in cast("tuple[type[object], ...]", type.__dict__["__mro__"].__get__(kind)):
            found = self._types.get(id(base))
            if found is not None:
                return found
        for name, (_, support) in self._active.items():
            if support.resource_type_of is not None:
                try:
                    found = support.resource_type_of(kind)
                except Exception as error:
                    self.failed(name, "resources", error)
                    continue
                if found is not None:
                    return found
        return None

    def resource_type_for(self, thing: object) -> ResourceType | None:
        """What an object is: what a library says of this very one, else what its type says."""
        for name, (_, support) in self._active.items():
            if support.resource_type_for is not None:
                try:
                    found = support.resource_type_for(thing)
                except Exception as error:
                    self.failed(name, "resources", error)
                    continue
                if found is not None:
                    return found
        return self.resource_type(type(thing))

    def held_by_manager(self, manager: object, by_thread: bool = False) -> object | None:
        """The lock or permit that being inside `with manager` or `async with manager` holds. `by_thread`: of those only
        that a thread can hold."""
        kind = type(manager)
        met, known = self._managers_met[by_thread], self._managers[by_thread]
        holds = met.get(kind)
        if holds is None:
            bases = cast("tuple[type[object], ...]", type.__dict__["__mro__"].__get__(kind))
            holds = next((known[id(base)] for base in bases if id(base) in known), _NOTHING)
            met.put(kind, holds)
        try:
            return holds[1](manager)
        except Exception as error:
            self.failed(holds[0], "holders", error)
            return None

    def call_in_hand(self, thing: object) -> CallInHand | None:
        """The call that something in a live function stands for; None for most things."""
        name, call_type = self._call_types.get(id(type(thing)), ("", None))
        try:
            return None if call_type is None else call_type.read(thing)
        except Exception as error:
            self.failed(name, "calls", error)
            return None

    @property
    def has_call_types(self) -> bool:
        """Whether a library is active whose servers have calls in their hands."""
        return bool(self._call_types)

    @property
    def has_pool_handles(self) -> bool:
        """Whether a library is active whose pools lend what can be seen in live functions."""
        return bool(self._handles)

    def is_handle(self, thing: object) -> bool:
        """Whether it is of a type by which the program uses what a pool has lent."""
        return self._handle(thing) is not _NO_HANDLE

    def lent_by(self, thing: object) -> Sequence[Lent]:
        """What of a pool a handle has; nothing for any other object."""
        name, handle = self._handle(thing)
        if not name:
            return ()
        try:
            return tuple(handle.lent(thing))
        except Exception as error:
            self.failed(name, "what it has lent", error)
            return ()

    def _handle(self, thing: object) -> tuple[str, PoolHandle]:
        kind = type(thing)
        found = self._handles_met.get(kind)
        if found is None:
            bases = cast("tuple[type[object], ...]", type.__dict__["__mro__"].__get__(kind))
            found = next((self._handles[id(base)] for base in bases if id(base) in self._handles), _NO_HANDLE)
            self._handles_met.put(kind, found)
        return found

    def deadline(self, task: asyncio.Task[Any], now: Callable[[], float]) -> tuple[list[float], bool]:
        """The loop times at which scopes of libraries end the wait of a task; and whether all could be told. `now`:
        the loop's time."""
        found: list[float] = []
        told = True
        for name, read in self.deadlines:
            try:
                deadline, cancelled = read(task)
                found += [] if deadline is None else [float(deadline)]
                found += [now()] if cancelled else []
            except Exception as error:
                self.failed(name, "deadlines", error)
                told = False
        return found, told

    def cancelled_by(self, task: asyncio.Task[Any]) -> str | None:
        """What of a library has asked a task to cancel."""
        for name, (_, support) in self._active.items():
            if support.cancelled_by is not None:
                try:
                    found = support.cancelled_by(task)
                except Exception as error:
                    self.failed(name, "who cancelled", error)
                    continue
                if found is not None:
                    return found
        return None

    def living_pools(self) -> Iterator[object]:
        """The pools that libraries know of by themselves."""
        for name, (_, support) in self._active.items():
            if support.find_pools is not None:
                try:
                    yield from list(support.find_pools())
                except Exception as error:
                    self.failed(name, "pools", error)

    # --- what is said -------------------------------------------------------------------------------------------------

    def failed(self, name: str, part: str, error: Exception) -> None:
        """A function of a library's support raised."""
        if (name, part) not in self._failed:
            _logger.warning(
                "peeps: support for %s failed (%s); the program is not affected", name, part, exc_info=error
            )
        self._failed[name, part] = self._failed.get((name, part), 0) + 1

    def coverage_notes(self) -> list[str]:
        """What to say in a look about libraries of which something is not seen."""
        found = [*self._notes.values(), *self._unseen]
        for name, (_, support) in self._active.items():
            if support.coverage is not None:
                try:
                    found += support.coverage()
                except Exception as error:
                    self.failed(name, "coverage", error)
        return found + [
            f"{name}: {part} could not be read ({count} times)" for (name, part), count in self._failed.items()
        ]


@cache
def installed() -> tuple[Library, ...]:
    """The libraries that installed packages bring. Reads the environment's metadata once; not on the watcher's way."""
    found: list[Library] = []
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            found.append(point.load())
        except Exception:
            _logger.warning("peeps: entry point %s of %s cannot be loaded", point.name, ENTRY_POINTS, exc_info=True)
    return tuple(found)


def _version_note(library: Library) -> str:
    """What to say of a version that was not checked; empty for the others."""
    if not library.distribution:
        return ""
    version = _version(library.distribution)
    if any(version == known or version.startswith(f"{known}.") for known in library.checked):
        return ""
    return f"{library.name} {version or 'of an unknown version'} was not checked: holders and waits may be missing"


@cache
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _check(support: object) -> None:
    """Raises TypeError for rows that are not what they must be."""
    if type(support) is not Support:
        raise TypeError(f"support() returns a Support, not {type(support).__name__}")
    for found, wanted in (
        (support.resource_types, ResourceType),
        (support.pools, shapes.PoolType),
        (support.pool_handles, PoolHandle),
        (support.call_types, CallType),
        (support.task_waits, TaskWait),
        (support.thread_waits, shapes.ThreadWait),
        ((*support.managers, *support.thread_managers, *support.scope_types), type),
    ):
        for row in cast("tuple[object, ...]", found):
            if not isinstance(row, wanted):
                raise TypeError(f"{row!r} is no {wanted.__name__}")
    for row in support.task_waits:
        _check_row(row)
    for row in support.resource_types:
        if not row.kinds or any(type(kind) is not NodeKind for kind in row.kinds):
            raise TypeError(f"{row.cls!r} has no kinds")


def _check_row(row: TaskWait) -> None:
    if type(row.code) is not shapes.CodeType or type(row.operation) is not shapes.Operation:
        raise TypeError(f"{row!r} is no wait")
