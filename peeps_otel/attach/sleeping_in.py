# SPDX-License-Identifier: Apache-2.0
"""Where a thread sleeps that is left alone, in words: what can be said of it without touching it."""

from __future__ import annotations

import os
from functools import lru_cache

from . import kernel_view
from .parked_calls import NAMES, Call

_OTHERS = {
    1: "write",
    20: "writev",
    42: "connect",
    44: "sendto",
    46: "sendmsg",
    72: "fcntl",
    74: "fsync",
    257: "openat",
}
_OF_A_FILE = frozenset({"read", "write", "writev", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg", "accept"})
_PROCESSES_MOST = 2000
_NAMED_MOST = 3


@lru_cache(maxsize=64)  # asked again and again while no moment comes
def in_words(pid: int, call: Call) -> str:
    """`in write of a pipe (fd 5), which sort (pid 12) has too`."""
    name = NAMES.get(call.number) or _OTHERS.get(call.number)
    if name is None:
        return f"in system call {call.number}"
    if name == "futex":
        return "on a lock of the C library or the interpreter"
    if name not in _OF_A_FILE:
        return f"in {name}"
    fd = call.arguments[0] & 0xFFFFFFFF
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return f"in {name} of fd {fd}"
    kind, _, _ = link.partition(":[")
    if kind != "pipe":
        return f"in {name} of {f'a {kind}' if link != kind else link} (fd {fd})"
    others = _who_has(link, pid)
    return f"in {name} of a pipe (fd {fd})" + (f", which {' and '.join(others)} has too" if others else "")


def _who_has(link: str, pid: int) -> list[str]:
    """Other processes with this pipe, of those that we may see into."""
    found: list[str] = []
    for name in [name for name in os.listdir("/proc") if name.isdecimal() and int(name) != pid][:_PROCESSES_MOST]:
        folder = f"/proc/{name}/fd"
        try:
            if any(os.readlink(f"{folder}/{fd}") == link for fd in os.listdir(folder)):
                found.append(f"{kernel_view.read_text(f'/proc/{name}/comm').strip()} (pid {name})")
        except OSError:
            continue
        if len(found) == _NAMED_MOST:
            break
    return found
