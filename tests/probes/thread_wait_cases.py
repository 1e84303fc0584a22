# SPDX-License-Identifier: Apache-2.0
"""Small programs with one thread called `waiter`, each in a wait of its own; the line is marked with its name."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.probes.program import here
from tests.probes.threads_world import World


class Case(NamedTuple):
    """`build` starts the thread `waiter`. `needs`: kind and name of what it waits for. `seconds`: until a timer ends
    it."""

    build: Callable[[World], None]
    operation: str
    needs: tuple[str, ...] = ()
    state: str = "waiting"
    seconds: float | None = None


def lock_with(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)

    def wait() -> None:
        with lock:  # <lock_with>
            pass

    w.start("waiter", wait)


def lock_acquire(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    w.start("waiter", lambda: lock.acquire())  # <lock_acquire>


def lock_acquire_by_alias(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    take = lock.acquire
    w.start("waiter", lambda: take(timeout=-1))  # <lock_acquire_by_alias>


def lock_acquire_handed_on(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    given: tuple[Any, ...] = ()
    how: dict[str, Any] = {"timeout": 500}
    w.start("waiter", lambda: lock.acquire(*given, **how))  # <lock_acquire_handed_on>


def lock_acquire_timeout(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    w.start("waiter", lambda: lock.acquire(True, 500))  # <lock_acquire_timeout>


def lock_acquire_named_timeout(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    w.start("waiter", lambda: lock.acquire(timeout=500.5, blocking=True))  # <lock_acquire_named_timeout>


def lock_of_dict(w: World) -> None:
    locks = {"db": threading.Lock()}
    locks["db"].acquire()
    w.cleaning.append(locks["db"].release)

    def wait() -> None:
        with locks["db"]:  # <lock_of_dict>
            pass

    w.start("waiter", wait)


def lock_of_function(w: World) -> None:
    lock = threading.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)

    def the_lock() -> threading.Lock:
        return lock

    def wait() -> None:
        with the_lock():  # <lock_of_function>
            pass

    w.start("waiter", wait)


def lock_of_self(w: World) -> None:
    class Account:
        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._lock.acquire()
            w.cleaning.append(self._lock.release)

        def wait(self) -> None:
            with self._lock:  # <lock_of_self>
                pass

    w.start("waiter", Account().wait)


def _held_by_other(w: World, lock: Any) -> None:
    done, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait()

    w.start("holder", hold)
    assert taken.wait(10)
    w.cleaning.append(done.set)


def rlock(w: World) -> None:
    lock = threading.RLock()
    _held_by_other(w, lock)

    def wait() -> None:
        with lock:  # <rlock>
            pass

    w.start("waiter", wait)


def semaphore(w: World) -> None:
    permits = threading.Semaphore(0)
    w.cleaning.append(permits.release)
    w.start("waiter", lambda: permits.acquire())  # <semaphore>


def semaphore_timeout(w: World) -> None:
    permits = threading.BoundedSemaphore(1)
    permits.acquire()
    w.cleaning.append(permits.release)
    w.start("waiter", lambda: permits.acquire(timeout=400))  # <semaphore_timeout>


def event(w: World) -> None:
    ready = threading.Event()
    w.cleaning.append(ready.set)
    w.start("waiter", lambda: ready.wait())  # <event>


def condition(w: World) -> None:
    changed = threading.Condition()

    def wait() -> None:
        with changed:
            changed.wait()  # <condition>

    def wake() -> None:
        with changed:
            changed.notify_all()

    w.cleaning.append(wake)
    w.start("waiter", wait)


def condition_wait_for(w: World) -> None:
    changed, values = threading.Condition(), list[int]()

    def wait() -> None:
        with changed:
            changed.wait_for(lambda: values, timeout=300)  # <condition_wait_for>

    def wake() -> None:
        with changed:
            values.append(1)
            changed.notify_all()

    w.cleaning.append(wake)
    w.start("waiter", wait)


def condition_lock(w: World) -> None:
    """Notified, and now waiting for the condition's lock: that is no wait for the condition any more."""
    changed = threading.Condition(threading.Lock())
    waiting = threading.Event()

    def wait() -> None:
        with changed:
            waiting.set()
            changed.wait()  # <condition_lock>

    w.start("waiter", wait)
    assert waiting.wait(10)
    changed.acquire()
    changed.notify()
    w.cleaning.append(changed.release)


def barrier(w: World) -> None:
    gate = threading.Barrier(2)
    w.cleaning.append(gate.abort)
    w.start("waiter", lambda: gate.wait())  # <barrier>


def queue_get(w: World) -> None:
    jobs: queue.Queue[int] = queue.Queue()
    w.cleaning.append(lambda: jobs.put(1))
    w.start("waiter", lambda: jobs.get())  # <queue_get>


def queue_get_timeout(w: World) -> None:
    jobs: queue.LifoQueue[int] = queue.LifoQueue()
    w.cleaning.append(lambda: jobs.put(1))
    w.start("waiter", lambda: jobs.get(timeout=200))  # <queue_get_timeout>


def queue_put(w: World) -> None:
    jobs: queue.Queue[int] = queue.Queue(1)
    jobs.put(1)
    w.cleaning.append(lambda: jobs.get())
    w.start("waiter", lambda: jobs.put(2))  # <queue_put>


def queue_join(w: World) -> None:
    jobs: queue.Queue[int] = queue.Queue()
    jobs.put(1)
    w.cleaning.append(jobs.task_done)
    w.start("waiter", lambda: jobs.join())  # <queue_join>


def simple_queue(w: World) -> None:
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    w.cleaning.append(lambda: jobs.put(1))
    w.start("waiter", lambda: jobs.get())  # <simple_queue>


def join(w: World) -> None:
    done = threading.Event()
    w.cleaning.append(done.set)
    other = w.start("other", done.wait)
    w.start("waiter", lambda: other.join())  # <join>


def join_timeout(w: World) -> None:
    done = threading.Event()
    w.cleaning.append(done.set)
    other = w.start("other", done.wait)
    w.start("waiter", lambda: other.join(100))  # <join_timeout>


def future_result(w: World) -> None:
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    w.cleaning.append(lambda: promised.set_result(1))
    w.start("waiter", lambda: promised.result())  # <future_result>


def futures_wait(w: World) -> None:
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    w.cleaning.append(lambda: promised.set_result(1))
    w.start("waiter", lambda: concurrent.futures.wait([promised], timeout=50))  # <futures_wait>


def futures_as_completed(w: World) -> None:
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    w.cleaning.append(lambda: promised.set_result(1))
    w.start("waiter", lambda: list(concurrent.futures.as_completed([promised])))  # <futures_as_completed>


def sleep(w: World) -> None:
    def short() -> None:
        time.sleep(2.5)  # <sleep>

    w.start("waiter", short)


def socket_recv(w: World) -> None:
    ours, theirs = socket.socketpair()

    def close() -> None:
        theirs.close()
        w.threads["waiter"].join(10)
        ours.close()

    w.cleaning.append(close)
    w.start("waiter", lambda: ours.recv(1))  # <socket_recv>


def socket_file(w: World) -> None:
    ours, theirs = socket.socketpair()
    file = ours.makefile("rb")

    def close() -> None:
        theirs.close()
        w.threads["waiter"].join(10)
        file.close()
        ours.close()

    w.cleaning.append(close)
    w.start("waiter", lambda: file.readline())  # <socket_file>


def tls_handshake(w: World) -> None:
    ours, theirs = socket.socketpair()

    def greet() -> None:
        with contextlib.suppress(OSError):
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(ours, server_side=True)  # <tls_handshake>

    def close() -> None:
        theirs.close()
        w.threads["waiter"].join(10)
        ours.close()

    w.cleaning.append(close)
    w.start("waiter", greet)


def select_call(w: World) -> None:
    ours, theirs = socket.socketpair()
    chosen = selectors.DefaultSelector()
    chosen.register(ours, selectors.EVENT_READ)

    def close() -> None:
        theirs.close()
        w.threads["waiter"].join(10)
        chosen.close()
        ours.close()

    w.cleaning.append(close)
    w.start("waiter", lambda: chosen.select())  # <select_call>


def pipe_read(w: World) -> None:
    reading, writing = os.pipe()

    def close() -> None:
        os.close(writing)
        w.threads["waiter"].join(10)
        os.close(reading)

    w.cleaning.append(close)
    w.start("waiter", lambda: os.read(reading, 1))  # <pipe_read>


def _full_pipe(w: World) -> int:
    """Its end for writing, with which somebody else fills it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, bytes(1000)):
            pass
    os.set_blocking(writing, True)

    def close() -> None:
        os.close(reading)
        w.threads["waiter"].join(10)

    w.cleaning.append(close)
    return writing


def pipe_write(w: World) -> None:
    file = os.fdopen(_full_pipe(w), "wb", 0)

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), file:
            file.write(bytes(1_000_000))  # <pipe_write>

    w.start("waiter", write)


def pipe_print(w: World) -> None:
    file = os.fdopen(_full_pipe(w), "w")

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), file:
            print("x" * 1_000_000, file=file, flush=True)  # <pipe_print>

    w.start("waiter", write)


def _program() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def process_wait(w: World) -> None:
    process = _program()
    assert process.stdin is not None
    assert process.stdout is not None

    def close() -> None:
        process.kill()
        w.threads["waiter"].join(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    w.cleaning.append(close)
    w.start("waiter", lambda: process.wait())  # <process_wait>


def process_communicate(w: World) -> None:
    process = subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    w.cleaning.append(process.kill)
    w.start("waiter", lambda: process.communicate(timeout=30))  # <process_communicate>


_SPAWN = multiprocessing.get_context("spawn")


def multiprocessing_lock(w: World) -> None:
    lock = _SPAWN.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)

    def wait() -> None:
        with lock:  # <multiprocessing_lock>
            pass

    w.start("waiter", wait)


def multiprocessing_lock_acquire(w: World) -> None:
    locks = {"db": _SPAWN.RLock()}
    for_main: Any = locks["db"]
    for_main.acquire()
    w.cleaning.append(for_main.release)
    w.start("waiter", lambda: locks["db"].acquire(timeout=500))  # <multiprocessing_lock_acquire>


def multiprocessing_lock_handed_on(w: World) -> None:
    lock = _SPAWN.Lock()
    lock.acquire()
    w.cleaning.append(lock.release)
    given: tuple[Any, ...] = ()
    w.start("waiter", lambda: lock.acquire(*given))  # <multiprocessing_lock_handed_on>


def multiprocessing_queue(w: World) -> None:
    jobs: Any = _SPAWN.Queue()

    def close() -> None:
        jobs.put(1)
        w.threads["waiter"].join(10)
        jobs.close()
        jobs.join_thread()

    w.cleaning.append(close)
    w.start("waiter", lambda: jobs.get())  # <multiprocessing_queue>


def connection_recv(w: World) -> None:
    ours, theirs = _SPAWN.Pipe()

    def close() -> None:
        theirs.send(1)
        w.threads["waiter"].join(10)
        theirs.close()
        ours.close()

    w.cleaning.append(close)
    w.start("waiter", lambda: ours.recv())  # <connection_recv>


def multiprocessing_join(w: World) -> None:
    process = _SPAWN.Process(target=time.sleep, args=(60,), name="child")
    process.start()
    w.cleaning.append(process.kill)
    w.start("waiter", lambda: process.join())  # <multiprocessing_join>


CASES = [
    Case(lock_with, "lock.acquire", ("lock lock",)),
    Case(lock_acquire, "lock.acquire", ("lock lock",)),
    Case(lock_acquire_by_alias, "lock.acquire", ("lock ",)),
    Case(lock_acquire_handed_on, "lock.acquire", ("lock lock",), seconds=500),
    Case(lock_acquire_timeout, "lock.acquire", ("lock lock",), seconds=500),
    Case(lock_acquire_named_timeout, "lock.acquire", ("lock lock",), seconds=500.5),
    Case(lock_of_dict, "lock.acquire", ("lock locks['db']",)),
    Case(lock_of_function, "lock.acquire", ("lock ",)),
    Case(lock_of_self, "lock.acquire", ("lock _lock",)),
    Case(rlock, "lock.acquire", ("lock lock",)),
    Case(semaphore, "semaphore.acquire", ("semaphore permits",)),
    Case(semaphore_timeout, "semaphore.acquire", ("semaphore permits",), seconds=400),
    Case(event, "event.wait", ("event ready",)),
    Case(condition, "condition.wait", ("condition changed",)),
    Case(condition_wait_for, "condition.wait", ("condition changed",), seconds=300),
    Case(condition_lock, "lock.acquire", ("lock _lock",)),
    Case(barrier, "barrier.wait", ("barrier gate",)),
    Case(queue_get, "queue.get", ("rx jobs",)),
    Case(queue_get_timeout, "queue.get", ("rx jobs",), seconds=200),
    Case(queue_put, "queue.put", ("tx jobs",)),
    Case(queue_join, "queue.join", ("rx jobs",)),
    Case(simple_queue, "queue.get", ("rx jobs",)),
    Case(join, "thread.join", ("thread other",)),
    Case(join_timeout, "thread.join", ("thread other",), seconds=100),
    Case(future_result, "future.result", ("future concurrent.futures.Future",)),
    Case(futures_wait, "futures.wait", ("future concurrent.futures.Future",), seconds=50),
    Case(futures_as_completed, "futures.as_completed", ("future concurrent.futures.Future",)),
    Case(sleep, "sleep", (), seconds=2.5),
    Case(socket_recv, "socket.recv", ("io",), "blocked"),
    Case(socket_file, "socket.recv", ("io",), "blocked"),
    Case(select_call, "select", (), "blocked"),
    Case(tls_handshake, "ssl.handshake", ("io",), "blocked"),
    Case(pipe_read, "file.read", ("io",), "blocked"),
    Case(pipe_write, "file.write", ("io",), "blocked"),
    Case(pipe_print, "file.write", ("io",), "blocked"),
    Case(process_wait, "process.wait", (f"command {os.path.basename(sys.executable)}",)),
    Case(process_communicate, "process.wait", ("command sleep",), seconds=30),
    Case(multiprocessing_lock, "lock.acquire", ("lock lock",)),
    Case(multiprocessing_lock_acquire, "lock.acquire", ("lock locks['db']",), seconds=500),
    Case(multiprocessing_lock_handed_on, "lock.acquire", ("lock lock",)),
    Case(multiprocessing_queue, "queue.get", ("rx jobs",)),
    Case(connection_recv, "connection.recv", ("io",), "blocked"),
    Case(multiprocessing_join, "process.join", ("command child",)),
]


def place(case: Case) -> str:
    """`path:line` at which the waiter of a case waits."""
    return here(case.build.__name__)
