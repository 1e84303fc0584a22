# SPDX-License-Identifier: Apache-2.0
"""Which distribution has put a file where it is, by the records that installers leave (`*.dist-info`).

Read when a file is first asked about and kept. Nothing is imported: the records are text.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator

_ENTRIES_MOST = 20_000
_RECORD_MOST = 16_000_000  # bytes
_METADATA_MOST = 8_000
_RUNS = re.compile(r"[-_.]+")
_NAME = re.compile(rb"^Name:[ \t]*(\S+)", re.MULTILINE)


class Folder:
    """A directory, or a zip file, into which distributions may have been installed. For one thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._zip = False
        self._infos = {info: normalised(info) for info in sorted(self._found())}
        self._read: dict[str, Distribution] = {}
        self._owners: dict[str, Distribution] = {}

    @property
    def has_distributions(self) -> bool:
        return bool(self._infos)

    def owner(self, path: str) -> Distribution | None:
        """Of a file, by its path relative to this folder with `/` between the parts. The records that are likely to
        have it are read first, and no more than are needed."""
        parent, _, name = path.rpartition("/")
        keys = (path, f"{parent}/", f"{path.partition('/')[0]}/**") if parent else (path,)
        likely = normalised(path.partition("/")[0] if not path.startswith("..") else name).strip("-")
        likely = likely.removesuffix("-py")
        for info in sorted(self._infos, key=lambda one: not self._infos[one].startswith(likely)):
            for key in keys:
                if key in self._owners:
                    return self._owners[key]
            if info not in self._read:
                self._take(info)
        return next((self._owners[key] for key in keys if key in self._owners), None)

    def read(self, path: str, most: int) -> bytes | None:
        """The beginning of a file of this folder. None where there is none."""
        try:
            if self._zip:
                with zipfile.ZipFile(self.path) as archive, archive.open(path) as file:
                    return file.read(most)
            with open(os.path.join(self.path, *path.split("/")), "rb") as file:
                return file.read(most)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def _found(self) -> Iterator[str]:
        try:
            with os.scandir(self.path) as entries:
                for _, entry in zip(range(_ENTRIES_MOST), entries, strict=False):
                    if entry.name.endswith(".dist-info"):
                        yield entry.name
        except NotADirectoryError:
            yield from self._found_in_zip()
        except (OSError, ValueError):
            return

    def _found_in_zip(self) -> Iterator[str]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                tops = {name.partition("/")[0] for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile):
            return
        self._zip = True
        yield from (top for top in tops if top.endswith(".dist-info"))

    def _take(self, info: str) -> None:
        one = self._read[info] = Distribution(self, info)
        for key in one.holds():
            self._owners.setdefault(key, one)


class Distribution:
    """One `*.dist-info`."""

    def __init__(self, folder: Folder, info: str) -> None:
        self._folder = folder
        self._info = info
        self._name = ""
        self._is_local: bool | None = None

    @property
    def name(self) -> str:
        if not self._name:
            found = _NAME.search(self._folder.read(f"{self._info}/METADATA", _METADATA_MOST) or b"")
            stem = self._info.removesuffix(".dist-info")
            self._name = stem.rpartition("-")[0] or stem if found is None else found[1].decode("utf-8", "replace")
        return self._name

    @property
    def is_local(self) -> bool:
        """Whether it was built from a directory of this machine (`pip install .`): the program itself, no library."""
        if self._is_local is None:
            text = self._folder.read(f"{self._info}/direct_url.json", _METADATA_MOST)
            try:
                url: object = None if text is None else json.loads(text)
            except ValueError:
                url = None
            self._is_local = isinstance(url, dict) and "dir_info" in url
        return self._is_local

    def holds(self) -> set[str]:
        """The directories, with `/` at the end, in which it has modules, or `/**` with all that is in them; files
        themselves at the top or outside."""
        found: set[str] = set()
        record = self._folder.read(f"{self._info}/RECORD", _RECORD_MOST)
        if record is None:  # distributions of an operating system may have none
            tops = (self._folder.read(f"{self._info}/top_level.txt", _METADATA_MOST) or b"").decode("utf-8", "replace")
            for top in tops.split() or [self.name.replace("-", "_")]:
                found |= {f"{top}/**", f"{top}.py"}
            return found
        for line in record.decode("utf-8", "replace").splitlines():
            path = line[1:].partition('",')[0] if line.startswith('"') else line.partition(",")[0]
            parent, _, _ = path.rpartition("/")
            if path.startswith("..") or (path.endswith(".py") and not parent):
                found.add(path)
            elif path.endswith((".py", ".so", ".pyd")):
                found.add(f"{parent}/")
        return found


def normalised(name: str) -> str:
    """As distributions are compared: `Foo_Bar.baz` and `foo-bar-baz` are one."""
    return _RUNS.sub("-", name).lower()
