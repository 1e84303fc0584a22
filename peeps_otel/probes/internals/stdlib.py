# SPDX-License-Identifier: Apache-2.0
"""Every private name of the standard library's blocking parts that the thread probe relies on: in which attribute a
primitive keeps its state. Which functions wait: `stdlib_waits`.

Nothing in here takes a lock or runs code of the watched program. An attribute is read past any subclass's own
`__getattr__` and properties; one that is missing is None.
"""

from __future__ import annotations

import _queue
import _socket
import os
import re
import socket
import sys
import threading
from collections import deque
from contextlib import _GeneratorContextManager  # pyright: ignore[reportPrivateUsage]  # the class behind contextmanager has no public name
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, NamedTuple, cast

from ... import native
from . import green_threads, versions
from .asyncio_core import whole

CHECKED_ON = versions.on("CPython")

# The system's own, also where others were put in their place before us.
LOCK = cast("type[Any]", type(native.Lock()))
RLOCK: type[Any] = native.RLock
SIMPLE_QUEUE: type[Any] = _queue.SimpleQueue
BUILTIN = BuiltinFunctionType
GENERATOR_MANAGER: type[Any] = _GeneratorContextManager
METHOD_DESCRIPTOR = type(str.join)

_DECORATORS_MOST = 5
IMPORT_LOCK = ("importlib._bootstrap", "_ModuleLock")
"""What a thread has while it runs the body of a module, and others wait for who import the same one."""
IMPORT_MANAGER = "_ModuleLockManager"
"""By which it is entered."""
_OWNER = re.compile(r"owner=(\d+) count=(\d+)")


def undecorated(function: Any) -> Any:
    """The function within its decorators, as far as they tell (`functools.wraps`)."""
    for _ in range(_DECORATORS_MOST):
        inner = function.__dict__.get("__wrapped__") if type(function) is FunctionType else None
        if type(inner) is not FunctionType:
            break
        function = inner
    return function


def attribute(thing: object, name: str) -> Any:
    """An attribute of an instance, module or class, without running code of the program; None where it has none, or
    where only such code could tell."""
    kind = type(thing)
    if kind is ModuleType:
        return cast("ModuleType", thing).__dict__.get(name)
    if issubclass(kind, type):
        return _in_classes(cast("type[object]", thing), name)
    inherited = _in_classes(kind, name)
    plain = inherited is None or type(inherited) in (MemberDescriptorType, GetSetDescriptorType)
    if not plain and _is_descriptor(inherited):
        return _stored(thing, kind, name) if _gives_way(inherited) else None
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def _gives_way(descriptor: object) -> bool:
    """Whether what an instance has stored under its name comes first, as with `functools.cached_property`."""
    return all(_in_classes(type(descriptor), name) is None for name in ("__set__", "__delete__"))


def _stored(thing: object, kind: type[object], name: str) -> Any:
    """What an instance has in its own dictionary."""
    if type(_in_classes(kind, "__dict__")) is not GetSetDescriptorType:
        return None
    values: object = object.__getattribute__(thing, "__dict__")
    return cast("dict[str, Any]", values).get(name) if type(values) is dict else None


def _in_classes(kind: type[object], name: str) -> Any:
    for base in type.__dict__["__mro__"].__get__(kind):
        values = type.__dict__["__dict__"].__get__(base)
        if name in values:
            return values[name]
    return None


def _is_descriptor(value: object) -> bool:
    return _in_classes(type(value), "__get__") is not None


def number(thing: object, name: str) -> int | None:
    return whole(attribute(thing, name))


def length(thing: object, name: str) -> int | None:
    """The length of a collection kept in an attribute; None for a type of the program's own."""
    items = attribute(thing, name)
    return len(items) if type(items) in (deque, list, dict, set) else None


def is_locked(lock: Any) -> bool:
    """Of a plain lock or an RLock."""
    return bool(LOCK.locked(lock)) if type(lock) is LOCK else rlock_owner(lock) is not None


def rlock_owner(lock: Any) -> int | None:
    """The ident of the thread that has an RLock; None: nobody has. By the C function, not a subclass's own."""
    found = _OWNER.search(cast("Any", RLOCK).__repr__(lock))
    return int(found[1]) if found is not None and found[2] != "0" else None


def import_owner(lock: object) -> int | None:
    """The ident of the thread that imports the module of an import lock."""
    return number(lock, "owner")


def import_name(lock: object) -> str:
    """The module that an import lock is for."""
    name = attribute(lock, "name")
    return name if type(name) is str else ""


def condition_lock(condition: object) -> Any:
    lock = attribute(condition, "_lock")
    return lock if issubclass(type(lock), (LOCK, RLOCK)) or green_threads.is_lock(lock) else None


def socket_timeout(connection: socket.socket) -> float | None:
    """After which a blocking call on it gives up; None: never."""
    return _socket.socket.gettimeout(connection)


def sem_lock_type() -> type[Any] | None:
    """The class behind the locks of `multiprocessing`."""
    module = sys.modules.get("_multiprocessing")
    return None if module is None else getattr(module, "SemLock", None)


def is_shared_lock(thing: object) -> bool:
    """Whether it is a lock or semaphore of `multiprocessing`."""
    kind = process_class("multiprocessing.synchronize", "SemLock")
    return kind is not None and issubclass(type(thing), kind)


def may_be_taken_here(lock: object) -> bool:
    """Whether a lock or semaphore of `multiprocessing` may have been taken by this process: it counts that, from 0 on
    in a process that `multiprocessing` has forked. In one that was forked otherwise it may count what the parent took:
    up to Python 3.13, on Linux, such a one is known by its main thread, which has the parent's id."""
    inner, kind = attribute(lock, "_semlock"), process_class("_multiprocessing", "SemLock")
    if kind is None or type(inner) is not kind:
        return True
    main = threading.main_thread().native_id
    forked = sys.platform == "linux" and main != os.getpid()
    begun_anew = attribute(sys.modules.get("multiprocessing.process"), "_parent_process") is not None
    return inner._count() > 0 and (begun_anew or not forked)


def is_within(inner: object, lock: object) -> bool:
    """Whether that is what a lock or semaphore of `multiprocessing` has within."""
    return is_shared_lock(lock) and attribute(lock, "_semlock") is inner


def process_class(module: str, name: str) -> type[Any] | None:
    """A class of a module, if the program has loaded it."""
    loaded = sys.modules.get(module)
    found = None if loaded is None else vars(loaded).get(name)
    return found if isinstance(found, type) else None


def thread_ident(thread: threading.Thread) -> int | None:
    return number(thread, "_ident")


ENDS_PROGRAM = {
    ("asyncio/runners.py", "Runner.close"): "asyncio.run",
    ("asyncio/runners.py", "_cancel_all_tasks"): "asyncio.run",
    ("threading.py", "_shutdown"): "the interpreter",
    ("asyncio/base_events.py", "BaseEventLoop._do_shutdown"): "shutdown_default_executor",
    ("multiprocessing/util.py", "_exit_function"): "multiprocessing",
}
"""What is left to do when the program has ended, by file and function."""
ELSEWHERE = "shutdown_default_executor"
"""Of these what is done in a thread of its own, not in the main thread."""


def main_has_ended() -> bool:
    """Whether the main thread has run to its end, and only runs what was registered for then."""
    main = threading.main_thread()
    stopped = attribute(main, "_is_stopped")  # until 3.12
    if stopped is not None:
        return stopped is True
    handle = attribute(main, "_handle") or attribute(main, "_os_thread_handle")  # 3.13, and since
    is_done = getattr(handle, "is_done", None)
    return is_done is not None and is_done() is True


def shutdown_waits_for(known: dict[int, threading.Thread]) -> list[threading.Thread]:
    """The threads without which the interpreter does not end."""
    main = threading.main_thread()
    return [t for t in known.values() if t is not main and attribute(t, "_daemonic") is False]


def class_attribute(kind: type[object], name: str) -> Any:
    """What a class or one of its bases defines under a name; None where none does."""
    return _in_classes(kind, name)


def held_by_manager(manager: object) -> Any:
    """The lock or semaphore that being inside `with manager` holds."""
    if issubclass(type(manager), threading.Condition):
        return condition_lock(manager)
    if type(manager) is process_class(IMPORT_LOCK[0], IMPORT_MANAGER):
        return attribute(manager, "_lock")
    return manager


def stacked(stack: object) -> list[Any]:
    """The callbacks of an `ExitStack`, outermost first."""
    callbacks = attribute(stack, "_exit_callbacks")
    return [entry[1] for entry in list(cast("deque[Any]", callbacks))] if type(callbacks) is deque else []


# --- the state of the primitives: a missing name is None --------------------------------------------------------------


def semaphore_state(semaphore: object) -> tuple[int | None, int | None]:
    """Permits left, and the bound of a BoundedSemaphore."""
    return number(semaphore, "_value"), number(semaphore, "_initial_value")


def event_state(event: object) -> tuple[bool, int | None]:
    """Whether it is set, and how many wait."""
    return attribute(event, "_flag") is True, length(attribute(event, "_cond"), "_waiters")


def condition_waiters(condition: object) -> int | None:
    return length(condition, "_waiters")


def barrier_waiters(barrier: object) -> int | None:
    return number(barrier, "_count")


class QueueState(NamedTuple):
    """`length`: None for a queue of the program's own kind. `capacity`: None or 0 where it is unbounded. `putters`,
    `getters`: how many wait."""

    length: int | None
    capacity: int | None
    putters: int | None
    getters: int | None
    unfinished: int | None


def queue_state(thing: object) -> QueueState:
    capacity = number(thing, "maxsize")
    return QueueState(
        length(thing, "queue"),
        capacity if capacity is not None and capacity > 0 else None,
        length(attribute(thing, "not_full"), "_waiters"),
        length(attribute(thing, "not_empty"), "_waiters"),
        number(thing, "unfinished_tasks"),
    )


def pid(process: object) -> int | None:
    """Of a `subprocess.Popen` or a `multiprocessing.Process`."""
    found = number(process, "pid")
    return found if found is not None else number(attribute(process, "_popen"), "pid")


def process_name(process: object) -> str:
    """The program of a subprocess, without its arguments; the name of a `multiprocessing.Process`."""
    arguments = attribute(process, "args")
    if type(arguments) in (list, tuple) and arguments:
        arguments = arguments[0]
    elif type(arguments) is str:
        arguments = arguments.split(maxsplit=1)[0] if arguments.strip() else ""
    if type(arguments) is bytes:
        arguments = os.fsdecode(arguments)
    if type(arguments) is str:
        return os.path.basename(arguments)
    name = attribute(process, "_name")
    return name if type(name) is str else ""
