# SPDX-License-Identifier: Apache-2.0
"""Since when the threads of a process have not run, also from before anybody looked: the scheduler notes when it last
let each of them go.

It notes that by a clock of each processor's own, which may lag behind the time (interrupts, a stopped machine) but
never runs ahead of it, and is asked of us there. So an age is one that the sleep has at least. Nothing is known where
the kernel does not tell (`/proc/PID/sched`), or where we may not run on that processor.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping

from . import kernel_view

_STARTED = "se.exec_start"
_PROCESSOR = 36  # of `stat`, behind the name
_LEASTS_S = (600, 120, 32, 16)
"""A verdict that rests on time is told from 10, 15 or 30 seconds on."""

Base = tuple[int, list[int]]


def ages_ns(pid: int) -> dict[int, int]:
    """How long each thread has not run, at least; by the id that its process knows it by. On the calling thread, which
    goes from processor to processor for it."""
    by_processor: dict[int, list[tuple[int, float]]] = {}
    for thread in kernel_view.threads(pid):
        told, processor = _let_go_ms(pid, thread), _processor(pid, thread)
        if told is not None and processor is not None:
            known_as = kernel_view.inner_id(kernel_view.status(pid, thread), thread)
            by_processor.setdefault(processor, []).append((known_as, told))
    found: dict[int, int] = {}
    allowed = os.sched_getaffinity(0)
    try:
        for processor in by_processor.keys() & allowed:
            os.sched_setaffinity(0, {processor})
            now_ms = _let_go_ms(os.getpid(), threading.get_native_id())
            for known_as, told in by_processor[processor] if now_ms is not None else ():
                found[known_as] = max(0, int((now_ms - told) * 1e6)) if now_ms is not None else 0
    except OSError:
        return found
    finally:
        os.sched_setaffinity(0, allowed)
    return found


def bases(ages: Mapping[int, int], watched_ns: int) -> list[Base]:
    """The oldest first: an age, and the threads that have not run for so long. `watched_ns`: as old are all known."""
    found: list[Base] = []
    for least_s in _LEASTS_S:
        threads = sorted(known_as for known_as, age_ns in ages.items() if age_ns >= least_s * 1_000_000_000)
        age_ns = min((ages[one] for one in threads), default=0)
        if age_ns > watched_ns and all(threads != known for _, known in found):
            found.append((age_ns, threads))
    return found


def without(ages: Mapping[int, int], moved: Iterable[int]) -> dict[int, int]:
    """Those of the threads that have not run meanwhile."""
    gone = set(moved)
    return {known_as: age_ns for known_as, age_ns in ages.items() if known_as not in gone}


def _let_go_ms(pid: int, thread: int) -> float | None:
    for line in kernel_view.read_text(f"/proc/{pid}/task/{thread}/sched").splitlines():
        if line.startswith(_STARTED):
            try:
                return float(line.rpartition(":")[2])
            except ValueError:
                return None
    return None


def _processor(pid: int, thread: int) -> int | None:
    fields = kernel_view.read_text(f"/proc/{pid}/task/{thread}/stat").rpartition(") ")[2].split()
    return int(fields[_PROCESSOR]) if len(fields) > _PROCESSOR else None
