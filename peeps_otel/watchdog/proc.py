# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a process and its threads: /proc on Linux."""

from __future__ import annotations

import os


class Task:
    """One thread: the kernel's letter for its state, and the CPU time it has used, in clock ticks."""

    __slots__ = ("state", "ticks")  # a class by hand: `dataclasses` and `typing` are too large for the sidecar

    def __init__(self, state: str, ticks: int) -> None:
        self.state, self.ticks = state, ticks


def task(pid: int, tid: int) -> Task | None:
    """A thread of a process; None where it is gone."""
    return _task(f"/proc/{pid}/task/{tid}/stat")


def process(pid: int) -> Task | None:
    """The state of the main thread, and the CPU time of all threads together."""
    return _task(f"/proc/{pid}/stat")


def tasks(pid: int) -> dict[int, Task]:
    """All threads by native id."""
    try:
        tids = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return {}
    found = ((tid, task(pid, tid)) for tid in tids)
    return {tid: one for tid, one in found if one is not None}


def run_times(pid: int) -> dict[int, int]:
    """Nanoseconds of CPU that each thread has used, by native id; of the living ones."""
    found: dict[int, int] = {}
    for tid in tasks(pid):
        fields = _read(f"/proc/{pid}/task/{tid}/schedstat").split()
        if fields:
            found[tid] = int(fields[0])
    return found


def turns(pid: int, tid: int) -> int:
    """How often a thread went to sleep of its own accord."""
    for line in _read(f"/proc/{pid}/task/{tid}/status").splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0


def catches(pid: int, signum: int) -> bool:
    """Whether the process handles this signal: one that does not may be ended by it."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signum - 1) & 1)
    return False


def used_signals() -> int:
    """The signals that this process handles or ignores, as a mask."""
    mask = 0
    for line in _read("/proc/self/status").splitlines():
        if line.startswith(("SigCgt:", "SigIgn:")):
            mask |= int(line.split()[1], 16)
    return mask


def oom_kills() -> int:
    """How many processes of this machine the kernel has killed for want of memory; 0 where it does not say."""
    for line in _read("/proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _task(path: str) -> Task | None:
    text = _read(path)
    if not text:
        return None
    fields = text[text.rfind(")") + 2 :].split()  # the name before it may contain anything
    return Task(fields[0], int(fields[11]) + int(fields[12]))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
