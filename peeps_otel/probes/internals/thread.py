# SPDX-License-Identifier: Apache-2.0
"""What can be told of a thread from outside: CPU time, stack, kernel state, and CPython's own record of it.

Checked on Linux alone. Nothing in here takes a lock (`threading.enumerate` would) or
runs code of the watched program. Any thread may call all of it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple, cast

from ... import native
from . import green_threads, versions

CHECKED_ON = versions.on("CPython")

_CPU_CLOCK = 6  # Linux: CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED
_LINUX = sys.platform == "linux"
FUTEX = frozenset({202, 98, 422})
"""Numbers of the system call by which a thread waits for a lock, the GIL among them: x86-64, the others, its newer
form."""

READS = frozenset({0, 63})
"""`read`: x86-64, the others."""
WRITES = frozenset({1, 20, 64, 66})
"""`write` and `writev`: x86-64, the others."""
TRANSFERS = READS | WRITES | frozenset({19, 44, 45, 46, 47, 65, 206, 207, 211, 212})
"""Those, and `readv`, `sendto`, `recvfrom`, `sendmsg`, `recvmsg`: their first argument is a descriptor."""


STARTED_WITH = ("_target", "_args", "_kwargs")
"""Of a `Thread`: only that thread itself uses them."""


class ThreadFacts(NamedTuple):
    """`native_id` is None for a thread that `threading` does not know, or does not know yet."""

    ident: int
    name: str
    native_id: int | None
    daemon: bool | None


class SeenThread(NamedTuple):
    """What the kernel said of a thread. `sleeps`: in one call, all the time while the copy was made. `cpu_ns`: None
    where it is not told. `call`: number and first argument of its system call."""

    sleeps: bool
    cpu_ns: int | None
    call: tuple[int, int] | None
    started_ns: int | None


def seen_before(seen: dict[int, SeenThread], native_ids: dict[int, int]) -> None:
    """We are a copy of the process, which has none of its threads: this is what was seen of them, by native id, when
    the copy was made, and their native ids by ident. The kernel is not asked again. For the rest of the life of the
    copy."""
    global _seen, _native_ids
    _seen, _native_ids = seen, native_ids


def is_copy() -> bool:
    """Whether we are a copy of the process, made to be looked at."""
    return _seen is not None


_seen: dict[int, SeenThread] | None = None
_native_ids: dict[int, int] = {}


def known_threads() -> dict[int, threading.Thread]:
    """The living threads of the system that `threading` knows, by ident: one copy, without the lock that a thread may
    hold which was stopped while it started another."""
    return green_threads.of_the_system(all_threads())


def all_threads() -> dict[int, threading.Thread]:
    """The same, with those that are greenlets, by the ident that `threading` knows them by."""
    return dict(cast("dict[int, threading.Thread]", getattr(threading, "_active", {})))


def main_ident() -> int | None:
    """The system's ident of the main thread."""
    ident = green_threads.main_thread_ident() if green_threads.patched_by() else None
    return ident or threading.main_thread().ident


def facts(ident: int, thread: threading.Thread | None) -> ThreadFacts:
    """Read past the properties, which a subclass may have replaced."""
    if thread is None:
        return ThreadFacts(ident, f"Thread {ident:#x}", _native_ids.get(ident), None)
    values: dict[str, Any] = object.__getattribute__(thread, "__dict__")
    name, native_id, daemon = values.get("_name"), values.get("_native_id"), values.get("_daemonic")
    if _forking is not None and _forking[:2] == (ident, native_id):
        native_id = _forking[2]
    native_id = _native_ids.get(ident, native_id)
    return ThreadFacts(
        ident,
        name if type(name) is str else f"Thread {ident:#x}",
        native_id if type(native_id) is int else None,
        daemon if type(daemon) is bool else None,
    )


def forked() -> None:
    """From the fork hook, in the child: until 3.13 `Thread.native_id` of the thread that forked stays the parent's."""
    global _forking
    ident = native.get_ident()
    thread = known_threads().get(ident)
    stale: object = None if thread is None else object.__getattribute__(thread, "__dict__").get("_native_id")
    _forking = (ident, stale, threading.get_native_id())


_forking: tuple[int, object, int] | None = None  # its ident, what `threading` says of its native id, and that id


def cpu_ns(native_id: int | None) -> int | None:
    """CPU time that a thread of this process has used, in nanoseconds. None where it cannot be told or it has ended.

    By the clock id that the kernel derives from a thread id: `pthread_getcpuclockid` reads freed memory for a thread
    that has ended.
    """
    if native_id is None or not _LINUX:
        return None
    if _seen is not None:
        return _seen[native_id].cpu_ns if native_id in _seen else None
    try:
        return time.clock_gettime_ns((~native_id << 3) | _CPU_CLOCK)
    except OSError:
        return None


def cpu_clock(native_id: int) -> Iterator[int]:
    """The CPU time of a thread, read anew at each step, in nanoseconds. A step is no call of a function: the
    interpreter cannot hand the GIL to another thread right after it. OSError when the thread has ended."""
    if _seen is not None:
        return repeat(_seen[native_id].cpu_ns or 0)
    return map(time.clock_gettime_ns, repeat((~native_id << 3) | _CPU_CLOCK))


def cpu_clock_is_fine() -> bool:
    """Whether the CPU clock shows every step of a thread. Takes a quarter of a millisecond of CPU time.

    Some sandboxes let it tick at 10 ms: then a thread may have run although its clock has not moved.
    """
    if _seen is not None:
        return True
    native_id = threading.get_native_id()
    if cpu_ns(native_id) is None:
        return False
    for _ in range(5):
        before = cpu_ns(native_id)
        end = time.perf_counter_ns() + 50_000
        while time.perf_counter_ns() < end:
            pass
        if cpu_ns(native_id) == before:
            return False
    return True


def system_call(native_id: int | None, pid: int | None = None) -> tuple[int, int] | None:
    """Number and first argument of the system call a thread is in; None where it is in none or it is not told. `pid`:
    of the child process whose thread it is, else it is ours."""
    if native_id is None or not _LINUX:
        return None
    if _seen is not None and pid is None:
        return _seen[native_id].call if native_id in _seen else None
    try:
        with open(f"/proc/{pid or 'self'}/task/{native_id}/syscall", "rb", buffering=0) as file:
            words = file.read(64).split()
        return int(words[0]), int(words[1], 16)
    except (OSError, ValueError, IndexError):
        return None


def on_processor(native_id: int | None) -> bool | None:
    """Whether the kernel has a thread running or ready to run; None where it is not told."""
    if native_id is None or not _LINUX:
        return None
    if _seen is not None:
        return not _seen[native_id].sleeps if native_id in _seen else None
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb", buffering=0) as file:
            return file.read(512).rpartition(b") ")[2][:1] == b"R"
    except OSError:
        return None


def ready_ns(native_id: int | None) -> int | None:
    """For how long, in all, a thread of this process has been ready to run while others had the processors, in
    nanoseconds. None where the kernel does not tell, of a copy too."""
    if native_id is None or not _LINUX or _seen is not None:
        return None
    try:
        with open(f"/proc/self/task/{native_id}/schedstat", "rb", buffering=0) as file:
            return int(file.read(64).split()[1])
    except (OSError, ValueError, IndexError):
        return None


def started_ns(native_id: int | None, now_ns: int) -> int | None:
    """When a thread was started, to about 10 ms; None where it is not told."""
    if native_id is None or not _LINUX:
        return None
    if _seen is not None:
        return _seen[native_id].started_ns if native_id in _seen else None
    try:
        with open(f"/proc/self/task/{native_id}/stat", "rb", buffering=0) as file:
            ticks = int(file.read(512).rpartition(b") ")[2].split()[19])
        booted = now_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return min(now_ns, booted + ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK")))
    except (OSError, ValueError, IndexError):
        return None
