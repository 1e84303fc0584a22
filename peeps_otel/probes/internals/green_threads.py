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
_LOCKS = (("gevent.thread", "LockType"), ("gevent.lock", "RLock"))
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


def is_lock(thing: object) -> bool:
    """Whether it is one of those that gevent puts in the place of the locks of `threading`."""
    found = [vars(sys.modules[name]).get(kind) for name, kind in _LOCKS if name in sys.modules]
    return any(isinstance(cls, type) and issubclass(type(thing), cls) for cls in found)


def of_the_system(active: dict[int, threading.Thread]) -> dict[int, threading.Thread]:
    """Of the threads that `threading` knows, those that are the system's, by the system's ident: where gevent has
    patched it, the others are greenlets, and the main thread goes by the address of one."""
    main_ident = main_thread_ident()
    if main_ident is None or not patched_by():
        return active
    main = threading.main_thread()
    found, met = {main_ident: main}, {_native_id(main)}
    for ident, thread in active.items():
        native_id = _native_id(thread)
        if native_id not in met:  # the first one of a thread is itself, whatever it runs later
            met.add(native_id)
            found[ident] = thread
    return found


def main_thread_ident() -> int | None:
    """The system's ident of the main thread, if gevent has noted it."""
    ident: object = vars(sys.modules.get("gevent.hub", sys)).get("MAIN_THREAD_IDENT")
    return ident if type(ident) is int else None


def _native_id(thread: threading.Thread) -> object:
    return object.__getattribute__(thread, "__dict__").get("_native_id")


def know_again(thread: threading.Thread) -> None:
    """At the end of `thread`, which runs: a library that came after its start gives it another ident, under which
    `threading` will look for it."""
    active: dict[int, threading.Thread] = getattr(threading, "_active", {})
    active.pop(thread.ident or 0, None)
    active[threading.get_ident()] = thread


def _table(module: str, name: str) -> dict[str, Any]:
    found: object = vars(loaded).get(name) if (loaded := sys.modules.get(module)) is not None else None
    return cast("dict[str, Any]", found) if type(found) is dict else {}
