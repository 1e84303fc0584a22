# SPDX-License-Identifier: Apache-2.0
"""Whose code is it: the program's own, or a library's, and then which one's? Decided here, once for each file.

By where this interpreter keeps its standard library and its packages, and by what installers have recorded; what is
installed from a directory of this machine (`pip install .`, editable or not) is the program's own. `PEEPS_OWN` and
`PEEPS_LIBRARY` come before all that. Everything else reads the answer from the frames.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ...model.own_line import PYTHON
from .installed import Folder

GENERATED = "generated code"

_FILES_MOST = 10_000
_FOLDERS_MOST = 2_000
_ABOVE_MOST = 16
_ABOVE_STRANGE = 2  # directories above a file that no entry of `sys.path` contains
_SITE = ("site-packages", "dist-packages")
_TYPED = ("<string>", "<stdin>", "<console>", "<input>", "<python-input-", "<ipython-input-", "<doctest ")
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


def _spellings(*paths: str | None) -> tuple[str, ...]:
    return tuple({spelling + os.sep for path in paths if path for spelling in (path, os.path.realpath(path))})


def _paths() -> dict[str, str]:
    """As `sysconfig.get_paths()`, which reads for that how this Python was built: a megabyte that is kept."""
    values = {
        "base": sys.prefix,
        "platbase": sys.exec_prefix,
        "installed_base": sys.base_prefix,
        "installed_platbase": sys.base_exec_prefix,
        "platlibdir": sys.platlibdir,
        "py_version_short": f"{sys.version_info.major}.{sys.version_info.minor}",
        "implementation_lower": "python",
        "abi_thread": "",  # no such build is watched
    }
    try:
        templates = sysconfig.get_paths(expand=False)
        wanted = ("purelib", "platlib", "scripts", "stdlib", "platstdlib")
        return {name: os.path.normpath(templates[name].format_map(values)) for name in wanted}
    except KeyError:
        return sysconfig.get_paths()


_PATHS = _paths()
_PACKAGES = _spellings(_PATHS.get("purelib"), _PATHS.get("platlib"))
_SCRIPTS = _spellings(_PATHS.get("scripts"))
_STDLIB = _spellings(_PATHS.get("stdlib"), _PATHS.get("platstdlib"), os.path.dirname(os.__file__))
_STDLIB_ZIP = f"{os.sep}python{sys.version_info.major}{sys.version_info.minor}.zip{os.sep}"


def is_standard_library(file: str) -> bool:
    """Whether code of `file` comes with this interpreter. By its path alone: reads nothing."""
    if file.startswith("<frozen"):
        return True
    return (file.startswith(_STDLIB) and not file.startswith(_PACKAGES)) or _STDLIB_ZIP in file


class Ownership:
    """Thread-safe as far as two threads may find out the same thing twice. Looks at directories and reads records the
    first time that a file is asked about: not for the program's threads."""

    def __init__(self, path: Sequence[str] | None = None, own: Sequence[str] = (), library: Sequence[str] = ()) -> None:
        """`path`: the program's `sys.path`; None: this process's, as it is at each question. `own`, `library`: globs;
        with a `/` for whole paths, else for the names of distributions and top-level packages."""
        self._path = path
        self._own, self._library = tuple(own), tuple(library)
        self._known: dict[str, str] = {}
        self._folders: dict[str, Folder] = {}

    def is_own(self, file: str) -> bool:
        """Whether code of `file` (`co_filename`) is the program's own."""
        return not self.library(file)

    def library(self, file: str) -> str:
        """The library that `file` belongs to: the name of a distribution, else of a top-level package; `Python` for the
        standard library. Empty for the program's own."""
        known = self._known.get(file)
        if known is None:
            if len(self._known) >= _FILES_MOST:
                self._known.clear()
            try:
                known = self._decided(file)
            except (OSError, ValueError):
                known = ""
            self._known[file] = known
        return known

    def to_json(self) -> dict[str, list[str]]:
        """What another process needs to decide in the same way: the arguments of `Ownership`."""
        return {
            "path": [entry for entry in self._entries() if os.path.isabs(entry)],
            "own": list(self._own),
            "library": list(self._library),
        }

    def _entries(self) -> list[str]:
        return [entry for entry in (sys.path if self._path is None else self._path) if type(entry) is str]

    def _decided(self, file: str) -> str:
        if file.startswith(_OURS):
            return "peeps-otel"
        name, package = self._by_place(file)
        names = {name, package} - {""}
        if _matches(self._own, file, names):
            return ""
        if _matches(self._library, file, names):
            return name or package or os.path.basename(os.path.dirname(file))
        return name

    def _by_place(self, file: str) -> tuple[str, str]:
        """The library, and the top-level package whatever it belongs to."""
        if file.startswith("<"):
            return _without_file(file), ""
        if not os.path.isabs(file):
            return self._relative(file)
        site = _site(file)
        if site is not None:
            inside = _inside(file, site)
            owner = self._folder(site).owner(inside)
            package = _package(inside)
            if owner is None:
                return package, package
            return ("" if owner.is_local else owner.name), package
        if file.startswith(_STDLIB) or _STDLIB_ZIP in file:
            return PYTHON, ""
        script = self._script(file)
        return (script, "") if script is not None else self._beside_records(file)

    def _relative(self, file: str) -> tuple[str, str]:
        """Code that was compiled elsewhere: frozen applications, `compileall -d`."""
        inside = file.replace("\\", "/")
        package = _package(inside)
        if os.path.exists(file):
            return "", package
        if package in sys.stdlib_module_names:
            return PYTHON, package
        for entry in self._entries():
            owner = self._folder(entry).owner(inside) if os.path.isabs(entry) else None
            if owner is not None:
                return ("" if owner.is_local else owner.name), package
        return "", package

    def _script(self, file: str) -> str | None:
        """`bin/uvicorn` is uvicorn's. None where it is no installed script."""
        if not file.startswith(_SCRIPTS):
            return None
        for packages in _PACKAGES:
            path = os.path.relpath(file, packages).replace(os.sep, "/")
            owner = self._folder(packages.rstrip(os.sep)).owner(path)
            if owner is not None:
                return "" if owner.is_local else owner.name
        return None

    def _beside_records(self, file: str) -> tuple[str, str]:
        """In a folder that `pip install --target` has filled, a layer or a zip, with code of the program or without."""
        entries = (entry.rstrip(os.sep) for entry in self._entries() if os.path.isabs(entry))
        entry = max((one for one in entries if file.startswith(one + os.sep)), key=len, default="")
        package = _package(_inside(file, entry)) if entry else ""
        for folder in _above(file, entry):
            known = self._folder(folder)
            if known.has_distributions:
                owner = known.owner(_inside(file, folder))
                if owner is not None:
                    return ("" if owner.is_local else owner.name), package
        return "", package

    def _folder(self, path: str) -> Folder:
        known = self._folders.get(path)
        if known is None:
            if len(self._folders) >= _FOLDERS_MOST:
                self._folders.clear()
            known = self._folders[path] = Folder(path)
        return known


def _without_file(file: str) -> str:
    """Of code that was never in a file: what a person has typed is the program's own."""
    if file.startswith(_TYPED):
        return ""
    if file.startswith("<frozen "):
        module = file[len("<frozen ") :].rstrip(">").partition(".")[0]
        return PYTHON if module in sys.stdlib_module_names or module.startswith("_") else ""
    return GENERATED


def _site(file: str) -> str | None:
    """The innermost folder of packages of an interpreter, this one or another, that `file` is in."""
    parts = file.split(os.sep)
    for number in range(len(parts) - 2, 0, -1):
        if parts[number] in _SITE:
            return os.sep.join(parts[: number + 1])
    return next((one.rstrip(os.sep) for one in _PACKAGES if file.startswith(one) and one not in _STDLIB), None)


def _above(file: str, last: str) -> Iterator[str]:
    """The directories above a file, innermost first, up to `last`."""
    folder = os.path.dirname(file)
    for _ in range(_ABOVE_MOST if last else _ABOVE_STRANGE):
        yield folder
        above = os.path.dirname(folder)
        if folder in (last, above):
            return
        folder = above


def _inside(file: str, folder: str) -> str:
    return file[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")


def _package(inside: str) -> str:
    return inside.partition("/")[0].removesuffix(".py")


def _matches(globs: Sequence[str], file: str, names: set[str]) -> bool:
    return any(
        fnmatchcase(file, glob) if "/" in glob or os.sep in glob else any(fnmatchcase(name, glob) for name in names)
        for glob in globs
    )
