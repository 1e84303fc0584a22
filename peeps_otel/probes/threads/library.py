# SPDX-License-Identifier: Apache-2.0
"""The standard library's blocking parts: `threading`, `queue`, pools, `multiprocessing`, `subprocess`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from ...model import NodeKind
from ...model.operations import operation
from ..internals import managed, stdlib_waits
from ..internals import stdlib as internals
from ..internals.file_locks import FileLock
from ..internals.stdlib import LOCK, RLOCK, SIMPLE_QUEUE
from ..library import CHANNEL, Around, Known, ResourceType, State, Support, ThreadWait
from . import states


class _Part:
    """A `Library`: some modules of the standard library. `classes`: by name, with what is read of each; they are there
    once the program has loaded the first of the modules."""

    distribution = ""
    checked = ()

    def __init__(
        self,
        *modules: str,
        types: tuple[ResourceType, ...] = (),
        classes: dict[str, tuple[tuple[NodeKind, ...], Callable[[Any, Around], State]]] | None = None,
        static_attributes: Callable[[Any], Known] | None = None,
        manager: str = "",
        managers: tuple[type[Any], ...] = (),
        held: Callable[[Any], object | None] = internals.held_by_manager,
    ) -> None:
        self.name = modules[0]
        self._modules = modules
        self._types = types
        self._classes = classes or {}
        self._static_attributes = static_attributes
        self._manager = manager
        self._managers = managers
        self._held = held

    def is_imported(self) -> bool:
        wanted = [*self._classes, *([self._manager] if self._manager else [])]
        return all(internals.process_class(self.name, name) is not None for name in wanted)

    def support(self) -> Support:
        found: list[ResourceType] = []
        for name, (kinds, reads) in self._classes.items():
            cls = internals.process_class(self.name, name)
            if cls is not None:
                found.append(_type(cls, kinds, reads)._replace(static_attributes=self._static_attributes))
        shared = internals.process_class(self.name, self._manager)
        return Support(
            resource_types=(*self._types, *found),
            thread_waits=tuple(
                ThreadWait(row.module, row.name, operation(row.operation), row.finds)
                for row in stdlib_waits.WAITS
                if row.module in self._modules
            ),
            thread_modules=tuple(name for name in stdlib_waits.MODULES if name in self._modules),
            hands_over=tuple(row for row in stdlib_waits.HANDS_OVER if row[0] in self._modules),
            thread_managers=(*self._managers, *(() if shared is None else (shared,))),
            held_by_manager=self._held,
        )


def _type(cls: type[Any], kinds: tuple[NodeKind, ...], reads: Callable[[Any, Around], State]) -> ResourceType:
    return ResourceType(cls, kinds, reads, type_name=_full_name, while_used=True)


def _managed(cls: type[Any], *kinds: NodeKind) -> ResourceType:
    """Of what a `multiprocessing.Manager` has."""
    reads = states.of_a_shared_queue if kinds == CHANNEL else states.of_a_shared_thing
    if cls is managed.ManagedLock:
        reads = states.of_a_managed_lock
    return _type(cls, kinds, reads)._replace(
        static_attributes=states.managed_called, type_name="multiprocessing.managers"
    )


IMPORT = "importlib.import"
"""The type of the node of an import that somebody waits for."""
FILE_LOCK = "fcntl.file lock"
"""And of the lock of a file, however it is taken."""
_PUBLIC = {id(LOCK): "threading.Lock", id(RLOCK): "threading.RLock", id(SIMPLE_QUEUE): "queue.SimpleQueue"}


def _full_name(kind: type[object]) -> str:
    module = str(type.__dict__["__module__"].__get__(kind))
    if kind is internals.process_class(*internals.IMPORT_LOCK):
        return IMPORT
    return _PUBLIC.get(id(kind)) or f"{module}.{kind.__name__}"


THREADING = _Part(
    *("threading", "queue", "selectors", "socket", "ssl"),
    *("asyncio.base_events", "asyncio.events", "asyncio.runners"),
    types=(
        _type(LOCK, (NodeKind.LOCK,), states.of_a_lock),
        _type(RLOCK, (NodeKind.LOCK,), states.of_an_rlock),
        _type(threading.Condition, (NodeKind.CONDITION,), states.of_a_condition),
        _type(threading.Semaphore, (NodeKind.SEMAPHORE,), states.of_a_semaphore),
        _type(threading.Event, (NodeKind.EVENT,), states.of_an_event),
        _type(threading.Barrier, (NodeKind.BARRIER,), states.of_a_barrier),
        _type(queue.Queue, CHANNEL, states.of_a_queue),
        _type(SIMPLE_QUEUE, CHANNEL, states.of_a_simple_queue),
        _type(FileLock, (NodeKind.LOCK,), states.of_a_file_lock)._replace(
            static_attributes=states.file_lock_called, type_name=FILE_LOCK
        ),
    ),
    managers=(LOCK, RLOCK, threading.Semaphore, threading.Condition),
)
IMPORTS = _Part(
    internals.IMPORT_LOCK[0],
    classes={internals.IMPORT_LOCK[1]: ((NodeKind.LOCK,), states.of_an_import)},
    static_attributes=states.import_called,
    manager=internals.IMPORT_MANAGER,
)
CONCURRENT = _Part("concurrent.futures._base", "concurrent.futures.thread", "concurrent.futures.process")
MULTIPROCESSING = (
    _Part(
        "multiprocessing.synchronize",
        classes={
            "Lock": ((NodeKind.LOCK,), states.of_a_shared_lock),
            "RLock": ((NodeKind.LOCK,), states.of_a_shared_lock),
            "Semaphore": ((NodeKind.SEMAPHORE,), states.of_a_shared_thing),
            "Condition": ((NodeKind.CONDITION,), states.of_a_shared_thing),
            "Event": ((NodeKind.EVENT,), states.of_a_shared_thing),
        },
        manager="SemLock",
    ),
    _Part(
        "multiprocessing.managers",
        types=(
            _managed(managed.ManagedLock, NodeKind.LOCK),
            _managed(managed.ManagedSemaphore, NodeKind.SEMAPHORE),
            _managed(managed.ManagedEvent, NodeKind.EVENT),
            _managed(managed.ManagedCondition, NodeKind.CONDITION),
            _managed(managed.ManagedBarrier, NodeKind.BARRIER),
            _managed(managed.ManagedQueue, *CHANNEL),
        ),
        manager="AcquirerProxy",
        held=managed.THINGS.lock,
    ),
    _Part(
        "multiprocessing.queues",
        classes={"Queue": (CHANNEL, states.of_a_shared_queue), "SimpleQueue": (CHANNEL, states.of_a_shared_queue)},
    ),
    _Part(
        *("multiprocessing.process", "multiprocessing.popen_fork", "multiprocessing.popen_forkserver"),
        *("multiprocessing.popen_spawn_posix", "multiprocessing.connection", "multiprocessing.pool"),
        classes={"BaseProcess": ((NodeKind.COMMAND,), states.of_a_process)},
        static_attributes=states.called,
    ),
)
SUBPROCESS = _Part(
    "subprocess",
    classes={"Popen": ((NodeKind.COMMAND,), states.of_a_process)},
    static_attributes=states.called,
)
