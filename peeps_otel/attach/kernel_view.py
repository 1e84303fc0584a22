# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of a process and its threads without touching it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

_ANCESTORS_MOST = 5


class ThreadMoment(NamedTuple):
    """A thread at one moment. `id`: as its own process knows it. `switches`, `cpu_ns`: equal at two moments, it has not
    run in between. `call`: number and arguments of the system call it sleeps in, as the kernel writes them; empty where
    it is in none."""

    id: int
    state: str
    switches: int
    cpu_ns: int
    call: str
    started_ticks: int

    @property
    def sleeps(self) -> bool:
        return self.state == "S" and bool(self.call)


def status(pid: int, thread: int | None = None) -> dict[str, str]:
    """The lines of its `status`; empty where it has ended."""
    text = read_text(f"/proc/{pid}/status" if thread is None else f"/proc/{pid}/task/{thread}/status")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def has_ended(pid: int) -> bool:
    """Also where its parent has not noticed yet."""
    return status(pid).get("State", "X")[:1] in "ZX"


def threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def children(pid: int) -> list[int]:
    """Of all its threads."""
    found: list[int] = []
    for thread in threads(pid):
        found += [int(child) for child in read_text(f"/proc/{pid}/task/{thread}/children").split()]
    return found


def sockets_of_ancestors(pid: int) -> list[str]:
    """What a process that was forked may have from those above it, as `socket:[1]`: of a few of them, the nearest."""
    found: set[str] = set()
    for _ in range(_ANCESTORS_MOST):
        pid = int(status(pid).get("PPid", "0"))
        if pid <= 1:
            break
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(link for link in found if link.startswith("socket:"))


def moment(pid: int, thread: int) -> ThreadMoment | None:
    """None where it has ended."""
    facts, folder = status(pid, thread), f"/proc/{pid}/task/{thread}"
    fields = read_text(f"{folder}/stat").rpartition(") ")[2].split()
    if not facts or not fields:
        return None
    call = read_text(f"{folder}/syscall").strip()
    switches = int(facts.get("voluntary_ctxt_switches", 0)) + int(facts.get("nonvoluntary_ctxt_switches", 0))
    ran = read_text(f"{folder}/schedstat").split()
    return ThreadMoment(
        inner_id(facts, thread),
        facts.get("State", "?")[:1],
        switches,
        int(ran[0]) if ran else 0,
        call if call[:1].isdigit() else "",
        int(fields[19]),
    )


def moments(pid: int) -> dict[int, ThreadMoment]:
    """Of all its threads, by the id that we know them by."""
    found = {thread: moment(pid, thread) for thread in threads(pid)}
    return {thread: one for thread, one in found.items() if one is not None}


def inner_id(facts: dict[str, str], known_as: int) -> int:
    """Of a thread or process in the innermost namespace that it is in."""
    return int(facts.get("NSpid", str(known_as)).split()[-1])


def inner_parent(facts: dict[str, str]) -> int:
    """The parent of the process with this `status`, as the process knows it; 0 where it is outside of its namespace."""
    depth, parent = len(facts.get("NSpid", "").split()), int(facts.get("PPid", "0"))
    known_as = status(parent).get("NSpid", str(parent)).split() if parent else ["0"]
    return int(known_as[-1]) if len(known_as) == depth or not depth else 0


def same_namespace(pid: int, kind: str) -> bool:
    """`kind`: net, mnt, pid, time. True where it is not told."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    except OSError:
        return True


def read_text(path: str) -> str:
    """Empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
