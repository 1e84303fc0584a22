# SPDX-License-Identifier: Apache-2.0
"""Word of a module when it has been imported, before the program uses it.

One finder stands first in `sys.meta_path` and answers for nothing but the named modules, once each: it lets the other
finders find the module, and its loader gives way to theirs before the module runs. The finder is never taken out again,
because whoever is walking through `sys.meta_path` at that moment would miss the finder behind it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

from ...model.change import Change

CHANGES = (
    Change(
        "`sys.meta_path`",
        "one finder in front, which answers for uvloop and gevent alone and lets the others find them",
        "at the start",
        "it stays, and answers for nothing once recording has ended",
        "`PEEPS_RECORD`",
    ),
)

Told = Callable[[], None]


def when_imported(name: str, told: Told) -> Told:
    """Has `told` called once, by the thread that imports `name`; at once where it is there already.

    What `told` raises is swallowed: the import succeeds. Returns how to undo it.
    """
    if name in sys.modules:
        told()
        return lambda: None
    return _finder.add(name, told)


class _Finder:
    """A finder as `sys.meta_path` has them; any thread."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[Told]] = {}
        self._asking: set[int] = set()  # threads for which the other finders are being asked

    def add(self, name: str, told: Told) -> Told:
        if not any(finder is self for finder in sys.meta_path):
            sys.meta_path.insert(0, self)
        self._wanted.setdefault(name, []).append(told)

        def undo() -> None:
            waiting = self._wanted.get(name, [])
            if told in waiting:
                waiting.remove(told)

        return undo

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        thread = threading.get_ident()
        if not self._wanted.get(fullname) or thread in self._asking:
            return None
        self._asking.add(thread)
        try:
            found = self._by_others(fullname, path, target)
        finally:
            self._asking.discard(thread)
        if found is not None and found.loader is not None and hasattr(found.loader, "exec_module"):
            found.loader = cast("Any", _Loader(found.loader, self))
        return found

    def _by_others(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            found = None if find is None else find(fullname, path, target)
            if found is not None:
                return found
        return None

    def imported(self, name: str) -> None:
        for told in self._wanted.pop(name, []):
            try:
                told()
            except Exception:  # ours must not make their import fail
                continue


class _Loader:
    """Stands for the module's own loader until it has been asked to run the module."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__  # it may take another one: gevent's Python modules become their compiled ones
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._finder.imported(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


_finder = _Finder()
