# SPDX-License-Identifier: Apache-2.0
"""The functions in which threads wait, by code object: those of the modules that the program has loaded."""

from __future__ import annotations

import sys
from types import CodeType, ModuleType
from typing import Any, cast

from ..internals.stdlib import undecorated
from ..internals.stdlib_waits import NAMED
from ..library import Operation, ThreadWait
from ..library_registry import LibraryRegistry


class Functions:
    """For the watcher thread only."""

    def __init__(self, libraries: LibraryRegistry) -> None:
        self._libraries = libraries
        self._revision = -1
        self._rows: dict[str, list[ThreadWait]] = {}
        self._hand_overs: dict[str, list[str]] = {}
        self._modules: dict[str, None] = {}  # in the order they were named in
        self._waits: dict[int, ThreadWait] = {}
        self._hand_over: set[int] = set()
        self._globals: set[int] = set()
        self._foreign: set[int] = set()  # of these, not the standard library's
        self._learned: set[str] = set()
        self._codes: list[CodeType] = []  # keeps the identities valid
        self.any_polls = False
        """Whether there is one that waits by looking round."""
        self.condition_wait = self.worker = self.work_item = self.manager = self.run_once = 0
        self.refresh()

    def refresh(self) -> None:
        """Adds the libraries that have become active and the modules that have been imported since."""
        if self._revision != self._libraries.revision:
            self._revision = self._libraries.revision
            self._read_rows()
        for name in self._modules:
            if name in self._learned:
                continue
            module = sys.modules.get(name)
            if type(module) is ModuleType:
                self._learned.add(name)
                self._learn(name, module)

    def _read_rows(self) -> None:
        self._rows, self._hand_overs = {}, {}
        self._learned.clear()
        for support in self._libraries.supports():
            for row in support.thread_waits:
                self._rows.setdefault(row.module, []).append(row)
                self._modules[row.module] = None
            for module, function in support.hands_over:
                self._hand_overs.setdefault(module, []).append(function)
            self._modules |= dict.fromkeys(support.thread_modules)

    def _learn(self, name: str, module: ModuleType) -> None:
        self._globals.add(id(vars(module)))
        if name.partition(".")[0] not in sys.stdlib_module_names:
            self._foreign.add(id(vars(module)))
        for row in self._rows.get(name, ()):
            if (code := self._code(module, row.function)) is not None:
                self._waits[id(code)] = row
                self.any_polls = self.any_polls or row.operation.polls
        for path in self._hand_overs.get(name, ()):
            if (code := self._code(module, path)) is not None:
                self._hand_over.add(id(code))
        for owner, path, name_here in NAMED:
            if owner == name:
                setattr(self, name_here, id(self._code(module, path)))

    def wait(self, code: CodeType) -> ThreadWait | None:
        return self._waits.get(id(code))

    def operation(self, code: CodeType) -> Operation | None:
        row = self._waits.get(id(code))
        return None if row is None else row.operation

    def hands_over(self, code: CodeType) -> bool:
        return id(code) in self._hand_over

    def is_own(self, module_globals: dict[str, Any]) -> bool:
        """Whether these are the globals of a module whose frames stand between a caller and what he asked for."""
        return id(module_globals) in self._globals

    def is_foreign(self, module_globals: dict[str, Any]) -> bool:
        """The same, of a library that is not the standard one."""
        return id(module_globals) in self._foreign

    def _code(self, module: ModuleType, path: str) -> CodeType | None:
        holder: Any = module
        *owners, name = path.split(".")
        for owner in owners:
            holder = vars(holder).get(owner)
            if not isinstance(holder, type):
                return None
        function = vars(holder).get(name)
        if function is None and isinstance(holder, type):
            function = _of_the_module(module, holder, name)
        function = undecorated(getattr(function, "__func__", function))  # a class method
        code = getattr(function, "__code__", None)
        if type(code) is not CodeType:
            return None
        self._codes.append(code)
        return code


def _of_the_module(module: ModuleType, put_in_its_place: type[Any], name: str) -> Any:
    """The method of a class of the module's own, in whose place another one was put that is derived from it, as
    gevent does with `threading.Thread`."""
    bases = cast("tuple[type[Any], ...]", type.__dict__["__mro__"].__get__(put_in_its_place))
    for base in bases[1:]:
        if type.__dict__["__module__"].__get__(base) == module.__name__ and name in vars(base):
            return vars(base)[name]
    return None
