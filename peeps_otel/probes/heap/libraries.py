# SPDX-License-Identifier: Apache-2.0
"""Which libraries' code may come to act in this program at all, as far as their modules tell.

OpenTelemetry's instrumentations load the libraries that they instrument, whether the program uses them or not; what is
there for them alone ends nobody's wait. And no library uses a variable of a module that it does not know.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

from ..internals.heap import attribute, home_of

_SITE = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_WATCHING = frozenset({"opentelemetry", "peeps_otel", "peeps_otel_distro"})
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
OWN = ""


def package_of(file: str) -> str:
    """The top-level package of a file of an installed library; empty for every other file."""
    if file.startswith(_OURS):
        return "peeps_otel"
    for site in _SITE:
        _, found, inside = file.rpartition(site)
        if found:
            return inside.partition(os.sep)[0].removesuffix(".py")
    return OWN


class Libraries:
    """By what the modules refer to, and by what functions name or import when they run. `modules`: `sys.modules`;
    `functions`: the code of all functions; `is_standard_library`: of a file."""

    def __init__(
        self,
        modules: Mapping[str, Any],
        functions: Mapping[str, Sequence[CodeType]],
        is_standard_library: Callable[[str], bool],
    ) -> None:
        self._files = {name: file for name, one in list(modules.items()) if (file := file_of(one)) is not None}
        self._packages: dict[str, str | None] = {}
        self._is_standard_library = is_standard_library
        self._refers: dict[str, set[str]] = {}
        for name, one in list(modules.items()):
            package = self._package(name)
            if package is not None:
                self._refers.setdefault(package, set()).update(self._referred_to(one))
        self._unneeded = self._reached(_WATCHING & self._refers.keys()) - _WATCHING
        self._unneeded -= {OWN, self._package("__main__")}
        if self._unneeded:
            self._name_at_run_time(functions)
            needed = self._reached(self._refers.keys() - self._unneeded - _WATCHING)
            self._unneeded -= needed

    def is_needed(self, file: str) -> bool:
        """Whether code of `file` is there for the program, and not for what watches it alone."""
        package = package_of(file)
        return package not in self._unneeded and package not in _WATCHING

    def knows(self, file: str, module: str) -> bool:
        """Whether code of `file` may use the variables of a module: its own package's, or one that it refers to."""
        package, other = package_of(file), self._package(module)
        return other is None or package in (OWN, other) or other in self._refers.get(package, ())

    def is_followed(self, module: str) -> bool:
        """Whether the code of a module is there for the program, and of a library or its own."""
        package = self._package(module)
        return package is not None and package not in self._unneeded and package not in _WATCHING

    def _package(self, module: str) -> str | None:
        """None for the standard library and for what has no file."""
        if module not in self._packages:
            file = self._files.get(module)
            if file is None:
                self._packages[module] = OWN if module == "__main__" else None
            else:
                self._packages[module] = None if self._is_standard_library(file) else package_of(file)
        return self._packages[module]

    def _referred_to(self, module: object) -> set[str]:
        fields = attribute(module, "__dict__") if issubclass(type(module), ModuleType) else None
        if type(fields) is not dict:
            return set()
        names = {_home(value) for value in list(cast("dict[str, object]", fields).values())}
        return {package for name in names if name is not None and (package := self._package(name)) is not None}

    def _reached(self, roots: Iterable[str]) -> set[str]:
        found, work = set(roots), list(roots)
        while work:
            new = self._refers.get(work.pop(), set()) - found - _WATCHING
            found |= new
            work += new
        return found

    def _name_at_run_time(self, functions: Mapping[str, Sequence[CodeType]]) -> None:
        """Adds what functions import when they are called, or load by its name."""
        names = {name: package for name in self._files if (package := self._package(name)) in self._unneeded}
        for codes in functions.values():
            for code in codes:
                if self._is_standard_library(code.co_filename):
                    continue
                texts = (one.partition(":")[0] for one in code.co_consts if type(one) is str)
                named = {package for one in (*code.co_names, *texts) if (package := names.get(one)) is not None}
                if named:
                    self._refers.setdefault(package_of(code.co_filename), set()).update(named)


def file_of(module: object) -> str | None:
    """The file of a module; None for what is none, or has none."""
    if not issubclass(type(module), ModuleType):
        return None
    fields = attribute(module, "__dict__")
    file = cast("dict[str, object]", fields).get("__file__") if type(fields) is dict else None
    return file if type(file) is str else None


def _home(value: object) -> str | None:
    """The name of the module that a value of a module comes from, or is."""
    kind = type(value)
    if kind is FunctionType:
        name = cast("FunctionType", value).__globals__.get("__name__")
    elif issubclass(kind, ModuleType):
        fields = attribute(value, "__dict__")
        name = cast("dict[str, object]", fields).get("__name__") if type(fields) is dict else None
    else:
        owner = cast("type[Any]", value if issubclass(kind, type) else kind)
        name = home_of(owner)
    return name if type(name) is str and name else None
