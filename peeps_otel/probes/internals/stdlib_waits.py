# SPDX-License-Identifier: Apache-2.0
"""In which functions of the standard library threads wait: those written in Python, by their frames, and those in C."""

from __future__ import annotations

from typing import NamedTuple

from . import versions

CHECKED_ON = versions.on("CPython")

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


MANAGED = "manager.call"
"""A call of a proxy; which method it calls says what it waits for."""


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
    Function("concurrent.futures.process", "_process_worker", "idle"),
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
    Function("multiprocessing.managers", "BaseProxy._callmethod", MANAGED, "self"),
    # What it calls itself, such as the `acquire` of a lock, is a wait of the client, which it is told of.
    Function("multiprocessing.managers", "Server.serve_client", "idle"),
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
