# SPDX-License-Identifier: Apache-2.0
"""Whether a process of this machine still exists: a killed one says no goodbye, and a stopped one says nothing."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from ..decode.resource import ProcessInfo

_HOST = socket.gethostname()
_CLOCKS_DIFFER_NS = 3_000_000_000
_STATES = {"R": "runs", "S": "sleeps", "D": "waits in the kernel", "T": "is stopped", "t": "is stopped by a debugger"}


def is_alive(info: ProcessInfo, first_seen_ns: int = 0, image: int = 0) -> bool | None:
    """None where it cannot be told: another host, no pid.

    `first_seen_ns`: a process that began later has only got its pid. `image`: what `image_of` said when it spoke:
    another one has replaced it. Another pid namespace under the same host name can make the answer wrong, so it is
    asked only about a process that has fallen silent.
    """
    if info.pid is None or info.pid <= 0 or info.host != _HOST or os.name == "nt":
        return None
    try:
        os.kill(info.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it exists, and is somebody else's
    fields = _stat(info.pid)
    if not fields:
        return True
    began_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(fields[19]) * _TICK_NS
    if first_seen_ns and began_ns > first_seen_ns + _CLOCKS_DIFFER_NS:
        return False
    return fields[0] != "Z" and _image(fields) in (image or _image(fields), 0)


def image_of(info: ProcessInfo) -> int:
    """Names the program that a living process of this host runs: another number after `exec`, which keeps pid and time
    of the start. 0 where it cannot be told: another host, another user's process."""
    return 0 if info.pid is None or not is_here(info) else _image(_stat(info.pid))


def is_here(info: ProcessInfo) -> bool:
    """Whether it says that it runs on this machine."""
    return info.host == _HOST


def doing(info: ProcessInfo) -> str:
    """What the kernel says of a living process of this host, as a verb: `sleeps`; empty where it says nothing."""
    fields = [] if info.pid is None else _stat(info.pid)
    return _STATES.get(fields[0], "") if fields else ""


_TICK_NS = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


def _image(fields: list[str]) -> int:
    """Where the stack of the first thread starts: the kernel draws it anew for each program."""
    return int(fields[25]) if len(fields) > 25 else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty where there are none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()  # the name before it may contain anything
