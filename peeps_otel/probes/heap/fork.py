# SPDX-License-Identifier: Apache-2.0
"""Running a long computation on a copy of this process, so that the program pauses for milliseconds only.

The copy is made by the C library's `fork`, not by `os.fork`: that one runs the program's fork hooks, ends the other
threads' states (and with them thread-local objects, by their destructors) and warns. In the copy nothing of Python has
changed: the forking thread holds the interpreter and nobody else is there. It computes, writes the answer into a pipe
and leaves by `_exit`. No hook, destructor, signal handler or `atexit` function runs, and the program's open files and
sockets are closed at once, so that no connection stays open because of it.

Where gRPC is loaded the copy is made without the handlers of C libraries (`internals/libc_fork.py`). A lock of `malloc`
may then stay taken in it; such a copy gives no answer and is killed.

Calls that would give the interpreter up are made through `ctypes.PyDLL`, which keeps it: the lock behind it may have
been in another thread's hands in the moment of the fork.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from ...model.change import Change
from ..internals import libc_fork
from ..internals.sharing import COPY_NAME
from .copy_allowance import FOR_EVER_NS, CopyAllowance

CHANGES = (
    Change(
        "the process",
        "a copy by `fork`, for one leak proof or question; it runs nothing of the program and is killed",
        "when a leak proof, or who could end a wait, is asked for",
        "it is gone when the answer is there",
        "`PEEPS_LEAKS_EVERY_S`, `peeps leaks`; by itself for settled waits",
    ),
    Change(
        "`gc.disable`, `sys.setswitchinterval`, the signal mask of our thread",
        "while the copy is made, for milliseconds",
        "when a leak proof, or who could end a wait, is asked for",
        "as they were, at once",
        "`PEEPS_LEAKS_EVERY_S`, `peeps leaks`; by itself for settled waits",
    ),
)

_STARTED, _ANSWER, _FAILURE = b"s", b"a", b"f"
_START_S = 5.0
_TRIES = 2
_FILES_MOST = 65_536
_PIECE = 65_536
_PR_SET_NAME = 15
_PAGE = 4096
_POLL_MOST_S = 1.0
_one_at_a_time = threading.Lock()
_at_work: list[CopyAllowance] = []


class CannotFork(Exception):
    """There is no copy to be had; the message says why."""


class CopyDied(RuntimeError):
    """The copy ended without an answer."""


class Forked(NamedTuple):
    """`pause_ns`: how long the program stood still."""

    answer: bytes
    pause_ns: int


def obstacle() -> str:
    """Why no copy may be made here; empty where one may."""
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        return f"copies of a process are only made on Linux, not on {sys.platform}"
    if callable(signal.getsignal(signal.SIGCHLD)):
        return "the program handles SIGCHLD, and the end of a copy would come as one"
    if libc_fork.fork_of(ctypes.PyDLL(None)) is None:
        return "gRPC's threads are stopped by a fork, and this C library cannot make a copy without that"
    rss, free = _memory()
    if free is not None and free < rss:
        return f"a copy may need {rss >> 20} MiB and {free >> 20} MiB are free"
    return ""


def on_a_copy(
    work: Callable[[Any], bytes],
    timeout_s: float,
    prepare: Callable[[], Any] = lambda: None,
    allowance: CopyAllowance | None = None,
) -> Forked:
    """`work(prepare())` of a copy of this process. Blocks; the interpreter is free meanwhile. `allowance`: what `work`
    is paced by; the time for which it lets the copy sleep does not count, until somebody else wants a copy.

    `prepare` runs in the process itself, right before the copy is made: for what takes a lock that another thread may
    hold at that moment. `work` must neither block nor start anything. Raises CannotFork, CopyDied, TimeoutError, and
    RuntimeError with what `work` raised.
    """
    reason = obstacle()
    if reason:
        raise CannotFork(reason)
    deadline = time.monotonic() + timeout_s
    if not _one_at_a_time.acquire(blocking=False):
        for one in _at_work:
            one.allow(FOR_EVER_NS)
        if not _one_at_a_time.acquire(timeout=timeout_s):
            raise CannotFork("another copy of the process is at work")
    if allowance is not None:
        _at_work.append(allowance)
    try:
        for _ in range(_TRIES):
            child = _Child(work, prepare, allowance)
            try:
                if child.started():
                    return Forked(child.answer(deadline), child.pause_ns)
            finally:
                child.end()
    finally:
        _at_work.clear()
        _one_at_a_time.release()
    raise CannotFork("a copy of the process did not come to life")


class _Child:
    """One copy and the pipe from it."""

    def __init__(
        self, work: Callable[[Any], bytes], prepare: Callable[[], Any], allowance: CopyAllowance | None
    ) -> None:
        self._allowance = allowance
        self._slept_s = 0.0
        self._libc = ctypes.PyDLL(None, use_errno=True)
        make_copy = libc_fork.fork_of(self._libc)
        if make_copy is None:  # gRPC was imported a moment ago
            raise CannotFork(obstacle())
        self._reading, writing = os.pipe()
        was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        # A thread that waits for the interpreter asks for it after this interval. Were one to ask while the copy is
        # made, the copy would hand the interpreter to a thread that it does not have.
        sys.setswitchinterval(max(interval, 0.02 + 0.2 * _memory()[0] / (1 << 30)))
        time.sleep(interval)  # those that wait already get their turn, and begin anew with the longer interval
        prepared: list[Any] = []
        began = time.perf_counter_ns()
        try:
            gc.disable()
            prepared.append(prepare())
            self._pid = libc_fork.fork_that_ends_with_us(self._libc, make_copy)
            if self._pid == 0:
                _live(self._libc, writing, lambda: work(prepared[0]))
        finally:
            prepared.clear()
            if was_enabled:
                gc.enable()
            sys.setswitchinterval(interval)
            self.pause_ns = time.perf_counter_ns() - began
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(writing)
        if self._pid < 0:
            os.close(self._reading)
            raise CannotFork(f"fork failed: {os.strerror(ctypes.get_errno())}")

    def started(self) -> bool:
        return self._read(1, time.monotonic() + _START_S) == _STARTED

    def answer(self, deadline: float) -> bytes:
        head = self._read(9, deadline)
        body = self._read(int.from_bytes(head[1:], "little"), deadline)
        if head[:1] == _FAILURE:
            raise RuntimeError(body.decode(errors="replace"))
        return body

    def end(self) -> None:
        """Leaves nothing behind, whatever state the copy is in."""
        os.close(self._reading)
        try:
            os.kill(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # somebody reaps all children of this program
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            return

    def _read(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes. Raises TimeoutError; CopyDied. The first byte may fail to
        come: then empty."""
        found = bytearray()
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while len(found) < size:
            began = time.monotonic()
            left = deadline + self._slept_s - began
            while left > 0 and not poll.poll(min(left, _POLL_MOST_S) * 1000):
                now = time.monotonic()
                if self._allowance is not None and self._allowance.is_spent:
                    self._slept_s += now - began
                began, left = now, deadline + self._slept_s - now
            if left <= 0:
                if size == 1:
                    return b""
                raise TimeoutError("the copy of the process was not ready in time")
            piece = os.read(self._reading, min(size - len(found), _PIECE))  # room is made for what is asked for
            if not piece:
                raise CopyDied("the copy of the process died; perhaps memory was short")
            found += piece
        return bytes(found)


def _live(libc: Any, writing: int, work: Callable[[], bytes]) -> NoReturn:
    """The whole life of the copy."""
    try:
        libc.prctl(_PR_SET_NAME, COPY_NAME, 0, 0, 0)
        _close_others(libc, writing)
        _write(libc, writing, _STARTED)
        libc.nice(5)
        _be_the_first_to_go(libc)
        _die_quietly(libc)
        answer = work()
        _write(libc, writing, _ANSWER + len(answer).to_bytes(8, "little") + answer)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}".encode()
        _write(libc, writing, _FAILURE + len(text).to_bytes(8, "little") + text)
    finally:
        libc._exit(0)  # the name of a C function
    raise AssertionError


def _write(libc: Any, file: int, data: bytes) -> None:
    libc.write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    libc.write.restype = ctypes.c_ssize_t
    while data:
        written: int = libc.write(file, data, len(data))
        if written <= 0:
            return
        data = data[written:]


def _close_others(libc: Any, kept: int) -> None:
    close_range = getattr(libc, "close_range", None)
    if close_range is not None and (kept == 0 or close_range(0, kept - 1, 0) == 0):
        close_range(kept + 1, 0x7FFFFFFF, 0)
        return
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _FILES_MOST)
    for file in range(most):
        if file != kept:
            libc.close(file)


def _be_the_first_to_go(libc: Any) -> None:
    """Where memory runs out, the copy is killed and not the program."""
    file: int = libc.open(b"/proc/self/oom_score_adj", os.O_WRONLY)
    if file >= 0:
        _write(libc, file, b"1000")
        libc.close(file)


def _die_quietly(libc: Any) -> None:
    """Should it crash, it runs no handler of the program for that (signals are blocked, and `abort` alone unblocks its
    own), and leaves no picture of its memory."""
    libc.signal(int(signal.SIGABRT), None)
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))  # less than a page: nothing is written, or piped to anybody


def _memory() -> tuple[int, int | None]:
    """Bytes this process has in memory, and bytes that are free to it (None: not known)."""
    rss = int(_first("/proc/self/statm", "0 0").split()[1]) * _PAGE
    free: int | None = None
    for line in _first("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) << 10
    limit, used = _first("/sys/fs/cgroup/memory.max"), _first("/sys/fs/cgroup/memory.current")
    if limit.strip().isdigit() and used.strip().isdigit():
        left = int(limit) - int(used)
        free = left if free is None else min(free, left)
    return rss, free


def _first(path: str, otherwise: str = "") -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return otherwise
