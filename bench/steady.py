# SPDX-License-Identifier: Apache-2.0
"""What makes two runs of one program comparable. Linux only: it reads /proc."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def pin_arenas() -> list[bytes]:
    """Keeps about thirty of the allocator's arenas alive, nearly empty, for as long as the result is.

    A program whose memory ends at the border of an arena has that arena mapped and unmapped over and over; whether it
    does is decided by chance, and such a run takes up to twice the time of another.
    """
    return [bytes(100) for _ in range(200_000)][::5000]


def processors() -> tuple[int, int]:
    """The processor of what is measured, and that of everything else; the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


def bound_to(processor: int) -> Callable[[], None]:
    """For `preexec_fn`: the process and all its threads stay on one processor."""
    return partial(os.sched_setaffinity, 0, {processor})


def cpu_ns(pid: int) -> int:
    """Processor time of a process, and of every child of it that lives or that it has waited for.

    The scheduler's clock for threads that live. What has ended is known to the kernel in ticks (10 ms) alone: a copy
    that the heap was asked in must not vanish from the sum with its end.
    """
    living, children = 0, list[str]()
    for thread in _threads(pid):
        try:
            living += int((thread / "schedstat").read_text().split()[0])
            children += (thread / "children").read_text().split()
        except OSError:
            continue  # it ended
    own, waited_for = _ticks_ns(pid)
    return max(living, own) + waited_for + sum(cpu_ns(int(child)) for child in children)


def thread_cpu_ns(pid: int, thread: int) -> int:
    """Processor time of one thread that lives, by its kernel id."""
    return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def _ticks_ns(pid: int) -> tuple[int, int]:
    """Of all threads that the process ever had, and of the children that it has waited for (and theirs)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0  # it ended
    user, system, children_user, children_system = (int(field) * _TICK_NS for field in fields[11:15])
    return user + system, children_user + children_system


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
