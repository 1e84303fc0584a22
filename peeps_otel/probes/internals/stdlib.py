# SPDX-License-Identifier: Apache-2.0
"""Every private name of the standard library's blocking parts that the thread probe relies on: which functions wait,
and in which attribute a primitive keeps its state.

Nothing in here takes a lock or runs code of the watched program. An attribute is read past any subclass's own
`__getattr__` and properties; one that is missing is None.
"""

from __future__ import annotations

import _socket
import _thread
import os
import queue
import re
import socket
import sys
import threading
from collections import deque
from contextlib import _GeneratorContextManager  # pyright: ignore[reportPrivateUsage]
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, NamedTuple, cast

from . import versions
from .asyncio_core import whole

CHECKED_ON = versions.on("CPython")

LOCK: type[Any] = _thread.LockType
RLOCK: type[Any] = type(threading.RLock())
SIMPLE_QUEUE: type[Any] = queue.SimpleQueue
BUILTIN = BuiltinFunctionType
GENERATOR_MANAGER: type[Any] = _GeneratorContextManager
METHOD_DESCRIPTOR = type(str.join)

MODULES = (
    "threading",
    "queue",
    "concurrent.futures._base",
    "concurrent.futures.thread",
    "concurrent.futures.process",
    "multiprocessing.process",
    "multiprocessing.popen_fork",
    "multiprocessing.popen_forkserver",
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.queues",
    "multiprocessing.connection",
    "multiprocessing.pool",
    "multiprocessing.synchronize",
    "multiprocessing.managers",
    "subprocess",
    "selectors",
    "socket",
    "ssl",
    "asyncio.base_events",
    "asyncio.events",
    "asyncio.runners",
    "importlib._bootstrap",
)
"""Those whose frames stand between a caller and the call that sleeps."""

_DECORATORS_MOST = 5
IMPORT_LOCK = ("importlib._bootstrap", "_ModuleLock")
"""What a thread has while it runs the body of a module, and others wait for who import the same one."""
IMPORT_MANAGER = "_ModuleLockManager"
"""By which it is entered."""
_OWNER = re.compile(r"owner=(\d+) count=(\d+)")


class Function(NamedTuple):
    """A function of the standard library in which threads wait. `finds`: the local that holds what is waited for."""

    module: str
    name: str
    operation: str
    finds: str | None = None


WAITS: tuple[Function, ...] = (
    Function("threading", "Condition.wait", "condition.wait", "self"),
    Function("threading", "Condition.wait_for", "condition.wait", "self"),
    Function("threading", "Event.wait", "event.wait", "self"),
    Function("threading", "Semaphore.acquire", "semaphore.acquire", "self"),
    Function("threading", "Barrier.wait", "barrier.wait", "self"),
    Function("threading", "Barrier._wait", "barrier.wait", "self"),
    Function("threading", "Barrier._enter", "barrier.wait", "self"),
    Function("importlib._bootstrap", "_ModuleLock.acquire", "import", "self"),
    Function("threading", "Thread.join", "thread.join", "self"),
    Function("threading", "Thread._wait_for_tstate_lock", "thread.join", "self"),
    Function("threading", "_shutdown", "interpreter.shutdown"),
    Function("queue", "Queue.get", "queue.get", "self"),
    Function("queue", "Queue.put", "queue.put", "self"),
    Function("queue", "Queue.join", "queue.join", "self"),
    Function("concurrent.futures._base", "Future.result", "future.result", "self"),
    Function("concurrent.futures._base", "Future.exception", "future.result", "self"),
    Function("concurrent.futures._base", "wait", "futures.wait", "not_done"),
    Function("concurrent.futures._base", "as_completed", "futures.as_completed", "pending"),
    Function("concurrent.futures.thread", "_worker", "idle"),
    Function("concurrent.futures.process", "_ExecutorManagerThread.run", "idle"),
    Function("concurrent.futures.process", "_ExecutorManagerThread.wait_result_broken_or_wakeup", "connection.recv"),
    Function("multiprocessing.process", "BaseProcess.join", "process.join", "self"),
    Function("multiprocessing.queues", "Queue.get", "queue.get", "self"),
    Function("multiprocessing.queues", "Queue.put", "queue.put", "self"),
    Function("multiprocessing.queues", "JoinableQueue.put", "queue.put", "self"),
    Function("multiprocessing.queues", "JoinableQueue.join", "queue.join", "self"),
    Function("multiprocessing.queues", "SimpleQueue.get", "queue.get", "self"),
    Function("multiprocessing.queues", "Queue._feed", "idle"),
    Function("multiprocessing.connection", "_ConnectionBase.recv", "connection.recv"),
    Function("multiprocessing.connection", "_ConnectionBase.recv_bytes", "connection.recv"),
    Function("multiprocessing.connection", "_ConnectionBase.poll", "connection.poll"),
    Function("multiprocessing.connection", "_ConnectionBase.send", "connection.send"),
    Function("multiprocessing.connection", "Listener.accept", "connection.accept"),
    Function("multiprocessing.connection", "wait", "connection.wait"),
    Function("multiprocessing.pool", "ApplyResult.wait", "pool.result", "self"),
    Function("multiprocessing.pool", "ApplyResult.get", "pool.result", "self"),
    Function("multiprocessing.pool", "IMapIterator.next", "pool.result", "self"),
    Function("multiprocessing.pool", "Pool.join", "pool.join", "self"),
    Function("multiprocessing.pool", "Pool._wait_for_updates", "connection.recv"),
    Function("multiprocessing.pool", "Pool._handle_workers", "idle"),
    Function("multiprocessing.pool", "Pool._handle_tasks", "idle"),
    Function("multiprocessing.pool", "Pool._handle_results", "idle"),
    Function("multiprocessing.pool", "worker", "idle"),
    Function("multiprocessing.synchronize", "SemLock.__enter__", "lock.acquire", "self"),
    Function("multiprocessing.synchronize", "Condition.wait", "condition.wait", "self"),
    Function("multiprocessing.synchronize", "Event.wait", "event.wait", "self"),
    Function("subprocess", "Popen.wait", "process.wait", "self"),
    Function("subprocess", "Popen._wait", "process.wait", "self"),
    Function("subprocess", "Popen.communicate", "process.wait", "self"),
    Function("subprocess", "Popen._communicate", "process.wait", "self"),
    Function("asyncio.base_events", "BaseEventLoop._run_once", "idle"),
)
# Where the library hands over to the program: beyond these nothing belongs to the same wait.
HANDS_OVER: tuple[tuple[str, str], ...] = (
    ("asyncio.events", "Handle._run"),
    ("threading", "Thread.run"),
    ("threading", "Timer.run"),
    ("concurrent.futures.thread", "_WorkItem.run"),
    ("multiprocessing.process", "BaseProcess.run"),
)
NAMED: tuple[tuple[str, str, str], ...] = (
    ("threading", "Condition.wait", "condition_wait"),
    ("concurrent.futures.thread", "_worker", "worker"),
    ("concurrent.futures.thread", "_WorkItem.run", "work_item"),
    ("concurrent.futures.process", "_ExecutorManagerThread.run", "manager"),
    ("asyncio.base_events", "BaseEventLoop._run_once", "run_once"),
)
# The module of a C function or of its type, what it waits in, and its names. All of them let go of the GIL.
_WAITING_CALLS: tuple[tuple[str, str, str], ...] = (
    ("time", "sleep", "sleep"),
    ("_queue", "queue.get", "get"),
    ("select", "select", "select poll epoll control"),
    ("posix", "process.wait", "wait wait3 wait4 waitpid waitid"),
    ("posix", "file.read", "read readv"),
    ("posix", "file.write", "write writev fsync"),
    ("posix", "file.open", "open"),
    ("signal", "signal.wait", "sigwait sigwaitinfo sigtimedwait pause"),
    ("_ssl", "ssl.read", "read"),
    ("_ssl", "ssl.write", "write"),
    ("_ssl", "ssl.handshake", "do_handshake"),
    ("_ssl", "ssl.shutdown", "shutdown"),
    ("fcntl", "file.lock", "flock lockf fcntl"),
    ("_io", "file.read", "read read1 readline readinto readall"),
    ("_io", "file.write", "write writelines flush close"),
    ("builtins", "file.read", "input"),
    ("builtins", "file.write", "print"),
    ("_socket", "socket.recv", "recv recv_into recvfrom recvfrom_into recvmsg"),
    ("_socket", "socket.send", "send sendall sendto sendmsg"),
    ("_socket", "socket.connect", "connect"),
    ("_socket", "socket.accept", "_accept"),
    ("_socket", "name.lookup", "getaddrinfo gethostbyname getnameinfo"),
)
CALLS = {(owner, name): operation for owner, operation, names in _WAITING_CALLS for name in names.split()}
WAITS_FOR_THREADS = frozenset({"join", "_shutdown"})
"""C functions that wait for threads (since 3.13)."""
REACQUIRE = "_acquire_restore"
"""By which `Condition.wait` takes its lock again."""
LOOP_RUNS = frozenset({"run_until_complete", "run_forever"})
"""By these a program runs an event loop that has no Python frames of its own."""


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
    return lock if issubclass(type(lock), (LOCK, RLOCK)) else None


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
    """`capacity`: None where it is unbounded."""

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
