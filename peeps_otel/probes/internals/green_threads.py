# SPDX-License-Identifier: Apache-2.0
"""Whether gevent or eventlet have put themselves in the place of `threading`.

Their threads are greenlets: `sys._current_frames` shows the one that runs, and what a lock of theirs waits for is
nowhere in a thread's state. Nothing of either is ever imported or called.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, cast

from . import versions

CHECKED_ON = versions.on("gevent", "eventlet")

_GEVENT = ("gevent.monkey._state", "gevent.monkey")  # newer, older
_EVENTLET = "eventlet.patcher"
_MODULES = ("threading", "thread", "_thread", "socket", "time")


def patched_by() -> str:
    """`gevent` or `eventlet` where one of them has patched threads, sockets or sleep; else empty. Any thread."""
    for name in _GEVENT:
        if any(module in _table(name, "saved") for module in _MODULES):
            return "gevent"
    if any(_table(_EVENTLET, "already_patched").get(module) for module in _MODULES):
        return "eventlet"
    return ""


def know_again(thread: threading.Thread) -> None:
    """At the end of `thread`, which runs: a library that came after its start gives it another ident, under which
    `threading` will look for it."""
    active: dict[int, threading.Thread] = getattr(threading, "_active", {})
    active.pop(thread.ident or 0, None)
    active[threading.get_ident()] = thread


def _table(module: str, name: str) -> dict[str, Any]:
    found: object = vars(loaded).get(name) if (loaded := sys.modules.get(module)) is not None else None
    return cast("dict[str, Any]", found) if type(found) is dict else {}
