# SPDX-License-Identifier: Apache-2.0
"""Every private name of the standard library's blocking parts that the thread probe relies on: which functions wait,
and in which attribute a primitive keeps its state. Checked on CPython 3.11.7, 3.12.1 and 3.13.0.

Nothing in here takes a lock or runs code of the watched program. An attribute is read past any subclass's own
`__getattr__` and properties; one that is missing is None.
"""

from __future__ import annotations

import _thread
import queue
import re
import sys
import threading
from collections import deque
from types import BuiltinFunctionType, CodeType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, NamedTuple, cast

from .asyncio_core import whole

LOCK: type[Any] = _thread.LockType
RLOCK: type[Any] = type(threading.RLock())
SIMPLE_QUEUE: type[Any] = queue.SimpleQueue
BUILTIN = BuiltinFunctionType
METHOD_DESCRIPTOR = type(str.join)

_MODULES = (
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
    "anyio._backends._asyncio",
)

_OWNER = re.compile(r"owner=(\d+) count=(\d+)")


class Operation(NamedTuple):
    """What a function of the standard library waits for. `finds`: the local that holds it. `idle`: its thread has
    nothing to do."""

    name: str
    finds: str | None = None
    idle: bool = False


_JOIN = Operation("thread.join", "self")
_IDLE = Operation("idle", None, True)
_RESULT = Operation("future.result", "self")
_PROCESS = Operation("process.wait", "self")
_RECEIVE = Operation("connection.recv")
_BARRIER = Operation("barrier.wait", "self")
_OPERATIONS: tuple[tuple[str, str, Operation], ...] = (
    ("threading", "Condition.wait", Operation("condition.wait", "self")),
    ("threading", "Condition.wait_for", Operation("condition.wait", "self")),
    ("threading", "Event.wait", Operation("event.wait", "self")),
    ("threading", "Semaphore.acquire", Operation("semaphore.acquire", "self")),
    ("threading", "Barrier.wait", _BARRIER),
    ("threading", "Barrier._wait", _BARRIER),
    ("threading", "Barrier._enter", _BARRIER),
    ("threading", "Thread.join", _JOIN),
    ("threading", "Thread._wait_for_tstate_lock", _JOIN),
    ("threading", "_shutdown", Operation("interpreter.shutdown")),
    ("queue", "Queue.get", Operation("queue.get", "self")),
    ("queue", "Queue.put", Operation("queue.put", "self")),
    ("queue", "Queue.join", Operation("queue.join", "self")),
    ("concurrent.futures._base", "Future.result", _RESULT),
    ("concurrent.futures._base", "Future.exception", _RESULT),
    ("concurrent.futures._base", "wait", Operation("futures.wait", "not_done")),
    ("concurrent.futures._base", "as_completed", Operation("futures.as_completed", "pending")),
    ("concurrent.futures.thread", "_worker", _IDLE),
    ("concurrent.futures.process", "_ExecutorManagerThread.run", _IDLE),
    ("concurrent.futures.process", "_ExecutorManagerThread.wait_result_broken_or_wakeup", _RECEIVE),
    ("multiprocessing.process", "BaseProcess.join", Operation("process.join", "self")),
    ("multiprocessing.queues", "Queue.get", Operation("queue.get", "self")),
    ("multiprocessing.queues", "Queue.put", Operation("queue.put", "self")),
    ("multiprocessing.queues", "JoinableQueue.put", Operation("queue.put", "self")),
    ("multiprocessing.queues", "JoinableQueue.join", Operation("queue.join", "self")),
    ("multiprocessing.queues", "SimpleQueue.get", Operation("queue.get", "self")),
    ("multiprocessing.queues", "Queue._feed", _IDLE),
    ("multiprocessing.connection", "_ConnectionBase.recv", _RECEIVE),
    ("multiprocessing.connection", "_ConnectionBase.recv_bytes", _RECEIVE),
    ("multiprocessing.connection", "_ConnectionBase.poll", Operation("connection.poll")),
    ("multiprocessing.connection", "_ConnectionBase.send", Operation("connection.send")),
    ("multiprocessing.connection", "Listener.accept", Operation("connection.accept")),
    ("multiprocessing.connection", "wait", Operation("connection.wait")),
    ("multiprocessing.pool", "ApplyResult.wait", Operation("pool.result", "self")),
    ("multiprocessing.pool", "ApplyResult.get", Operation("pool.result", "self")),
    ("multiprocessing.pool", "IMapIterator.next", Operation("pool.result", "self")),
    ("multiprocessing.pool", "Pool._wait_for_updates", _RECEIVE),
    ("multiprocessing.pool", "Pool._handle_workers", _IDLE),
    ("multiprocessing.pool", "Pool._handle_tasks", _IDLE),
    ("multiprocessing.pool", "Pool._handle_results", _IDLE),
    ("multiprocessing.pool", "worker", _IDLE),
    ("multiprocessing.synchronize", "SemLock.__enter__", Operation("lock.acquire", "self")),
    ("multiprocessing.synchronize", "Condition.wait", Operation("condition.wait", "self")),
    ("multiprocessing.synchronize", "Event.wait", Operation("event.wait", "self")),
    ("subprocess", "Popen.wait", _PROCESS),
    ("subprocess", "Popen._wait", _PROCESS),
    ("subprocess", "Popen.communicate", _PROCESS),
    ("subprocess", "Popen._communicate", _PROCESS),
    ("asyncio.base_events", "BaseEventLoop._run_once", _IDLE),
    ("anyio._backends._asyncio", "WorkerThread.run", _IDLE),
)
# Where the library hands over to the program: beyond these nothing belongs to the same wait.
_HANDS_OVER: tuple[tuple[str, str], ...] = (
    ("asyncio.events", "Handle._run"),
    ("threading", "Thread.run"),
    ("threading", "Timer.run"),
    ("concurrent.futures.thread", "_WorkItem.run"),
    ("multiprocessing.process", "BaseProcess.run"),
)
_NAMED: tuple[tuple[str, str, str], ...] = (
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
    ("builtins", "file.read", "input"),
    ("_socket", "socket.recv", "recv recv_into recvfrom recvfrom_into recvmsg"),
    ("_socket", "socket.send", "send sendall sendto sendmsg"),
    ("_socket", "socket.connect", "connect"),
    ("_socket", "socket.accept", "_accept"),
    ("_socket", "name.lookup", "getaddrinfo gethostbyname getnameinfo"),
)
CALLS = {(owner, name): operation for owner, operation, names in _WAITING_CALLS for name in names.split()}
LOOP_RUNS = frozenset({"run_until_complete", "run_forever"})
"""By these a program runs an event loop that has no Python frames of its own."""


class Functions:
    """The standard library's waiting functions by code object: those of the modules that are loaded."""

    def __init__(self) -> None:
        self._operations: dict[int, Operation] = {}
        self._hand_over: set[int] = set()
        self._globals: set[int] = set()
        self._learned: set[str] = set()
        self._codes: list[CodeType] = []  # keeps the identities valid
        self.condition_wait = self.worker = self.work_item = self.manager = self.run_once = 0
        self.learn()

    def learn(self) -> None:
        """Adds the modules that have been imported since."""
        for name in _MODULES:
            if name in self._learned:
                continue
            module = sys.modules.get(name)
            if type(module) is not ModuleType:
                continue
            self._learned.add(name)
            self._globals.add(id(vars(module)))
            for owner, path, operation in _OPERATIONS:
                if owner == name and (code := self._code(module, path)) is not None:
                    self._operations[id(code)] = operation
            for owner, path in _HANDS_OVER:
                if owner == name and (code := self._code(module, path)) is not None:
                    self._hand_over.add(id(code))
            for owner, path, name_here in _NAMED:
                if owner == name:
                    setattr(self, name_here, id(self._code(module, path)))

    def operation(self, code: CodeType) -> Operation | None:
        return self._operations.get(id(code))

    def hands_over(self, code: CodeType) -> bool:
        return id(code) in self._hand_over

    def is_own(self, module_globals: dict[str, Any]) -> bool:
        """Whether these are the globals of a module whose frames stand between a caller and what he asked for."""
        return id(module_globals) in self._globals

    def _code(self, module: ModuleType, path: str) -> CodeType | None:
        holder: Any = module
        *owners, name = path.split(".")
        for owner in owners:
            holder = vars(holder).get(owner)
            if not isinstance(holder, type):
                return None
        function = vars(holder).get(name)
        function = getattr(function, "__func__", function)  # a class method
        code = getattr(function, "__code__", None)
        if code is not None:
            self._codes.append(code)
        return code


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
        return None
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


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


def condition_lock(condition: object) -> Any:
    lock = attribute(condition, "_lock")
    return lock if issubclass(type(lock), (LOCK, RLOCK)) else None


def sem_lock_type() -> type[Any] | None:
    """The class behind the locks of `multiprocessing`."""
    module = sys.modules.get("_multiprocessing")
    return None if module is None else getattr(module, "SemLock", None)


def process_class(module: str, name: str) -> type[Any] | None:
    """A class of a module, if the program has loaded it."""
    loaded = sys.modules.get(module)
    found = None if loaded is None else vars(loaded).get(name)
    return found if isinstance(found, type) else None


def thread_ident(thread: threading.Thread) -> int | None:
    return number(thread, "_ident")


def shutdown_waits_for(known: dict[int, threading.Thread]) -> list[threading.Thread]:
    """The threads without which the interpreter does not end."""
    main = threading.main_thread()
    return [t for t in known.values() if t is not main and attribute(t, "_daemonic") is False]


def class_attribute(kind: type[object], name: str) -> Any:
    """What a class or one of its bases defines under a name; None where none does."""
    return _in_classes(kind, name)


def held_by_manager(manager: object) -> Any:
    """The lock or semaphore that being inside `with manager` holds."""
    kind = type(manager)
    if issubclass(kind, (LOCK, RLOCK, threading.Semaphore)):
        return manager
    if issubclass(kind, threading.Condition):
        return condition_lock(manager)
    shared = process_class("multiprocessing.synchronize", "SemLock")
    return manager if shared is not None and issubclass(kind, shared) else None


def stacked(stack: object) -> list[Any]:
    """The callbacks of an `ExitStack`, outermost first."""
    callbacks = attribute(stack, "_exit_callbacks")
    return [entry[1] for entry in list(cast("deque[Any]", callbacks))] if type(callbacks) is deque else []
