# SPDX-License-Identifier: Apache-2.0
"""Which providers there are, without keeping alive what they report of.

Registering needs nothing that runs: a provider may be there before watching begins and after it ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakMethod, ref

from ..probes.internals.asyncio_core import getframe
from .reading import TEXT_MOST
from .rpc import RpcReport
from .shm import ShmReport

Report = Callable[[], "RpcReport | ShmReport"]

_entries: dict[int, Entry] = {}
_numbers = count(1)


class Entry:
    """One provider, as the watcher knows it. `pid`: of the process that registered it; a forked child has only copies
    of what it reports of. `source`: where it was registered. `ready_made`: one of ours, which may take a tenth of what
    others may."""

    __slots__ = ("__weakref__", "_function", "kind", "name", "number", "pid", "ready_made", "source")

    def __init__(
        self, name: str, kind: str, function: Callable[[], Report | None], source: str, ready_made: bool = False
    ) -> None:
        self.number = next(_numbers)
        self.name, self.kind, self.source = name, kind, source
        self.ready_made = ready_made
        self.pid = os.getpid()
        self._function = function

    def function(self) -> Report | None:
        """What to call; None once its owner is gone. Not to be kept."""
        return self._function()


class ProviderHandle:
    """What `register_provider` returns. `close` from any thread, more than once if you like; also a context manager.

    `name`: of the provider, with a number where there was one of that name.
    """

    def __init__(self, entry: Entry, keeps: Report | None) -> None:
        self._entry = entry
        self._keeps = keeps
        self.name = entry.name
        self.kind = entry.kind

    def close(self) -> None:
        """The provider is not asked again, and what it reported is gone from the next look on."""
        self._keeps = None
        _entries.pop(self._entry.number, None)

    def __enter__(self) -> ProviderHandle:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def register(name: str, kind: str, function: Report, depth: int = 1) -> ProviderHandle:
    """See `peeps_otel.register_provider`. `depth`: of the caller's frame."""
    if type(name) is not str or not name or type(kind) is not str or not kind:
        raise ValueError("name and kind must be text, and not empty")
    if not callable(function):
        raise TypeError(f"a provider must be callable, {type(function).__name__} is not")
    finds, keeps = _weakly(function)
    frame = getframe(depth)
    source = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    entry = Entry(_unique(name[:TEXT_MOST]), kind[:TEXT_MOST], finds, source)
    _entries[entry.number] = entry
    return ProviderHandle(entry, keeps)


def living() -> list[Entry]:
    """The providers whose owners live, in the order of their registration. On any thread."""
    found = list(_entries.values())
    for entry in found:
        if entry.function() is None:
            _entries.pop(entry.number, None)
    return [entry for entry in found if entry.number in _entries]


def _weakly(function: Any) -> tuple[Callable[[], Report | None], Report | None]:
    """How to find it again, and what its handle keeps: a method is its object's, a function that refers to nothing
    around it is the module's; anything else may refer to a transport, so it lives as long as the handle."""
    if type(function) is MethodType:
        try:
            return WeakMethod(function), None
        except TypeError:  # its object takes no weak reference
            return _by_handle(function)
    if type(function) is FunctionType and not function.__closure__ and not function.__defaults__:
        return (lambda: function), None
    return _by_handle(function)


class _Kept:
    """Holds a callable that takes no weak reference itself."""

    __slots__ = ("__weakref__", "function")

    def __init__(self, function: Report) -> None:
        self.function = function

    def __call__(self) -> RpcReport | ShmReport:
        return self.function()


def _by_handle(function: Report) -> tuple[Callable[[], Report | None], Report]:
    kept = _Kept(function)
    return ref(kept), kept


def _unique(name: str) -> str:
    taken = {entry.name for entry in _entries.values()}
    if name not in taken:
        return name
    return next(numbered for number in count(2) if (numbered := f"{name} #{number}") not in taken)
