# SPDX-License-Identifier: Apache-2.0
"""The processes that may share locks and queues of `multiprocessing` with this one: those it has forked or spawned, and
the one it came from. By the module's own records and Linux's `/proc`; where that cannot be read there may be some."""

from __future__ import annotations

import os
import re
import sys
from types import FunctionType
from typing import Any, NamedTuple, cast

from . import versions
from .process_files import family
from .stdlib import attribute, number, pid, process_name
from .thread import FUTEX, READS, known_threads, system_call

CHECKED_ON = versions.on("CPython")

_CHILDREN_MOST = 500
_TABLES = ("_cache", "pending_work_items", "_pending_work_items")
_HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.semaphore_tracker", b"watchdog.sidecar")
"""Processes that run this interpreter and take no part in what the program shares."""


COPY_NAME = b"peeps-copy"
"""What a copy of a process that we look at calls itself: it is nobody of the program's."""
_SPAWNED = re.compile(rb"multiprocessing\.(spawn|forkserver)")


class Child(NamedTuple):
    """`exit_code`: as `multiprocessing` has noted it, negative for a signal; None where it has not."""

    pid: int
    name: str
    exit_code: int | None
    popen: Any


def children() -> list[Child]:
    """The `multiprocessing.Process` objects that were started and not yet joined, and those that the program still
    refers to."""
    module = sys.modules.get("multiprocessing.process")
    found: list[Child] = []
    own = os.getpid()
    processes: list[Any] = [] if module is None else _processes(vars(module))
    for process in processes:
        popen, ident = attribute(process, "_popen"), pid(process)
        if popen is not None and ident is not None and number(process, "_parent_pid") == own:
            found.append(Child(ident, process_name(process), number(popen, "returncode"), popen))
    return found


def _processes(module: dict[str, Any]) -> list[Any]:
    started, referred = module.get("_children"), attribute(module.get("_dangling"), "data")
    found: list[Any] = list(cast("set[Any]", started))[:_CHILDREN_MOST] if type(started) is set else []
    alive = [one() for one in list(cast("set[Any]", referred))[:_CHILDREN_MOST]] if type(referred) is set else []
    known = {id(one) for one in found}
    return found + [one for one in alive if one is not None and id(one) not in known]


def exit_code(popen: Any) -> int | None:
    return number(popen, "returncode")


def ended_with(ident: int) -> int | None:
    """How a child has ended that nobody has waited for yet, as `exit_code`; None: it lives, or that is not told."""
    try:
        with open(f"/proc/{ident}/stat", "rb") as file:
            fields = file.read(2048).rpartition(b") ")[2].split()
    except OSError:
        return None
    if fields[0] != b"Z":
        return None
    status = int(fields[-1])  # as of `waitpid`
    return -(status & 0x7F) if status & 0x7F else status >> 8


def pool_workers(pool: Any) -> list[int]:
    """The living worker processes of a pool of processes, or of the one that owes this result; none where that is not
    told of all of them."""
    processes = attribute(pool, "_processes")
    if type(processes) is dict:  # of `concurrent.futures`
        workers: list[Any] = list(cast("dict[int, Any]", processes).values())
    else:
        found = attribute(pool_of(pool), "_pool")
        workers = list(cast("list[Any]", found)) if type(found) is list else []
    pids = [pid(worker) for worker in workers[:_CHILDREN_MOST]]
    return sorted(ident for ident in pids if ident is not None and is_alive(ident)) if None not in pids else []


def pool_of(result: Any) -> Any:
    """The `multiprocessing.Pool` that owes a result, or that it is itself."""
    return result if type(attribute(result, "_pool")) is list else attribute(result, "_pool")


def results_have_ended(pool: Any) -> bool:
    """Whether the thread that takes the results of a `multiprocessing.Pool` from its workers has ended."""
    thread = attribute(pool, "_result_handler")
    ident = number(thread, "_ident")
    return ident is not None and known_threads().get(ident) is not thread


def results_table(owner: Any) -> dict[Any, Any] | None:
    """The table of all to whom a pool of processes owes a result: that table itself, or of one of the results of a
    `multiprocessing.Pool`, of an executor, of its thread; None for anything else."""
    for found in (owner, *(attribute(owner, name) for name in _TABLES)):
        if issubclass(cast("type[object]", type(found)), dict):
            return cast("dict[Any, Any]", found)
    return None


def worker_numbers(pool: Any) -> set[int]:
    """Those of the workers of a `multiprocessing.Pool`, of which none is given twice; none where that is not told, or
    where it replaces workers by itself."""
    workers = attribute(pool, "_pool")
    if type(workers) is not list or attribute(pool, "_maxtasksperchild") is not None:
        return set()
    numbers: set[int] = set()
    for worker in cast("list[Any]", workers)[:_CHILDREN_MOST]:
        identity = attribute(worker, "_identity")
        last: object = cast("tuple[Any, ...]", identity)[-1] if type(identity) is tuple and identity else None
        if type(last) is not int:
            return set()
        numbers.add(last)
    return numbers


def initializer(pool: Any) -> str:
    """With which function the workers of a pool begin, as `connect at app/db.py:12`; empty for none."""
    function = attribute(pool, "_initializer")
    if type(function) is not FunctionType:
        return ""
    return f"{function.__qualname__} at {function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def has_replaced_a_worker(result: Any) -> bool:
    """Whether the pool that owes this result, or is this, has another worker in place of one that it lost: their
    numbers have a gap, and it does not replace workers by itself."""
    numbers = worker_numbers(pool_of(result))
    return bool(numbers) and max(numbers) - min(numbers) + 1 > len(numbers)


def has_parent() -> bool:
    """Whether this process was itself made by `multiprocessing`."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and vars(module).get("_parent_process") is not None


def this_process() -> object | None:
    """What stands for this process in `multiprocessing`; in a fork that was not made by it, that of who forked."""
    module = sys.modules.get("multiprocessing.process")
    return None if module is None else vars(module).get("_current_process")


def own_name() -> str:
    """What `multiprocessing` calls this process, or Celery's billiard in its place; empty where neither has made it."""
    process = this_process()
    is_made = has_parent() or attribute(process, "_parent_pid") is not None
    return process_name(process) if is_made else ""


def is_alive(ident: int) -> bool:
    """False for a process that is gone, or has ended and was not waited for."""
    try:
        with open(f"/proc/{ident}/stat", "rb") as file:
            return file.read(512).rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except FileNotFoundError:
        return False
    except OSError:
        return True


def waits_for_work(ident: int) -> bool:
    """Whether the main thread of a worker reads from a pipe, or waits for its turn to."""
    call = system_call(ident, ident)
    return call is not None and call[0] in READS | FUTEX


def sharers() -> list[int] | None:
    """The living children that run this interpreter; None where that cannot be told."""
    found: list[int] = []
    try:
        own = os.readlink("/proc/self/exe")
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                found += [int(ident) for ident in file.read().split()]
    except (OSError, ValueError):
        return None
    return [ident for ident in found[:_CHILDREN_MOST] if is_alive(ident) and _takes_part(ident, own)]


def family_of(forked: bool) -> list[int]:
    """All living processes that may share something with this one, itself too; none where there may be more than that.
    `forked`: this process is itself a fork."""
    root = os.getpid()
    if forked or has_parent():
        parent = os.getppid()
        own, other = (_read(one, "cmdline") for one in (root, parent))
        # A fork has the command of its parent. Who was spawned, or forked by a server for that, tells of it; who is
        # above that one may share as well.
        while parent > 1 and other and (other == own or _SPAWNED.search(own)):
            root, own = parent, other
            parent = _parent(root)
            other = _read(parent, "cmdline")
        if root == os.getpid():
            return []
    try:
        own_image = os.readlink("/proc/self/exe")
    except OSError:
        return []
    found = [ident for ident in family([root], _CHILDREN_MOST) if is_alive(ident) and _takes_part(ident, own_image)]
    return sorted(found) if len(found) < _CHILDREN_MOST else []


def _read(ident: int, name: str) -> bytes:
    try:
        with open(f"/proc/{ident}/{name}", "rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _parent(ident: int) -> int:
    try:
        with open(f"/proc/{ident}/stat", "rb") as file:
            return int(file.read(2048).rpartition(b") ")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _takes_part(ident: int, own: str) -> bool:
    try:
        if os.readlink(f"/proc/{ident}/exe") != own:
            return False
    except OSError:
        return True
    command = _read(ident, "cmdline")
    return _read(ident, "comm").strip() != COPY_NAME and not any(helper in command for helper in _HELPERS)
