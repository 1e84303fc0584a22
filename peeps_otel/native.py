# SPDX-License-Identifier: Apache-2.0
"""Threads, events, locks and sleep of the system, for our own threads, whatever the program has put in their place.

gevent and eventlet replace those of `threading` and `time` by their own, which hand over to other greenlets of the same
thread: a watcher made of them would run on the program's thread and see nothing while that is stuck. They may come
before us or after, and eventlet also replaces the `RLock`s that exist by then. So everything here rests on `_thread`'s
plain lock: what this module has found at its import, or a fresh copy of the built-in module where that was too late.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.machinery import BuiltinImporter
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

from .probes.internals.green_threads import know_again, patched_by

_ATTEMPTS = 3
_STEP_S = 0.05


def _pristine(name: str) -> Any:
    """A built-in module as it is without patches."""
    spec = BuiltinImporter.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if patched_by():
    _system = _pristine("_thread")
    sleep: Callable[[float], None] = _pristine("time").sleep
else:
    import _thread as _system

    sleep = time.sleep
Lock: Callable[[], Any] = _system.allocate_lock
"""A lock that is not reentrant, with `acquire`, `release` and `with`."""
RLock: type[Any] = _system.RLock
get_ident: Callable[[], int] = _system.get_ident
_start_new_thread: Callable[..., int] = _system.start_new_thread

own_idents: set[int] = set()
"""Of our threads that `threading` does not know."""


class Event:
    """As `threading.Event`. Any number of waiters; `clear` and `set` from any thread."""

    def __init__(self) -> None:
        self._flag = False
        self._gate = Lock()
        self._gate.acquire()

    def is_set(self) -> bool:
        return self._flag

    def set(self) -> None:
        self._flag = True
        self._open()

    def clear(self) -> None:
        self._flag = False
        self._gate.acquire(False)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it is set, at the end of the wait."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._flag:
            left_s = -1 if end is None else max(0.0, end - time.monotonic())
            if not self._gate.acquire(timeout=left_s):
                break
            if self._flag:
                self._open()  # for the next who waits
        return self._flag

    def _open(self) -> None:
        with suppress(RuntimeError):  # it is open
            self._gate.release()


class Thread:
    """A daemon thread of ours. One of `threading` where that is the system's: the program sees whose it is. `listed`:
    False where nobody may count it."""

    def __init__(self, target: Callable[..., None], name: str, *args: Any, listed: bool = True) -> None:
        self._target, self._args = target, args
        self._ended = Event()
        known = listed and not patched_by()
        self._thread = threading.Thread(target=self._run_known, name=name, daemon=True) if known else None

    def start(self) -> None:
        """RuntimeError where no thread can be started."""
        if self._thread is not None:
            self._thread.start()
        else:
            _start_new_thread(self._run, ())

    def join(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)
        else:
            self._ended.wait(timeout_s)

    def _run_known(self) -> None:
        try:
            self._target(*self._args)
        finally:
            if patched_by() and self._thread is not None:
                know_again(self._thread)

    def _run(self) -> None:
        ident = _system.get_ident()
        own_idents.add(ident)
        try:
            self._target(*self._args)
        finally:
            own_idents.discard(ident)
            self._ended.set()


class Importing:
    """`with importing:` round each import that a thread of ours makes while the program runs.

    A forked child has none of the parent's other threads, but the locks they had: a module that one of ours was just
    importing could never be imported there, by nobody. So a fork waits until that import is done. `close` before it,
    for `MOST_S` at most, and `reopen` after it, on the thread that forks.
    """

    MOST_S = 2.0

    def __init__(self) -> None:
        self._lock = RLock()
        self._closed = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def load(self, name: str) -> ModuleType:
        """A module of ours. The program may put greenlets in the place of threads at that very moment: a lock of the
        import system was taken under an ident of the system then, and cannot be given back under one of a greenlet."""
        for _ in range(_ATTEMPTS - 1):
            try:
                with self:
                    return import_module(name)
            except RuntimeError:
                sleep(_STEP_S)
        with self:
            return import_module(name)

    def close(self) -> None:
        self._closed = self._lock.acquire(timeout=self.MOST_S)

    def reopen(self, in_child: bool = False) -> None:
        closed, self._closed = self._closed, False
        if closed:
            self._lock.release()
        elif in_child:
            self._lock = RLock()  # whoever had it is not here


importing = Importing()
