# SPDX-License-Identifier: Apache-2.0
"""What the copy needs to look: the looking part of this package, in one piece of bytes. Nothing is read from the disk
of the process, which may be another one, and nothing is written there."""

from __future__ import annotations

import importlib.util
import marshal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT.name
_MARSHAL = 2  # every Python reads it
_PYC_HEADER = 16
_LEFT_OUT = frozenset(
    {"agent", "dump", "export", "instrumentor", "parts", "providers", "pytest_plugin", "roam", "sdk_setup", "watchdog"}
)
_OF_ATTACH = frozenset({"__init__", "as_the_process", "in_copy", "runs", "standing"})


def carried(magic: bytes | None) -> dict[str, tuple[bool, str, bytes, bytes]]:
    """By module name: whether it is a package, its file, its source, and its code for Pythons of this `magic` number,
    empty where there is none. None: no such Python."""
    own = magic == importlib.util.MAGIC_NUMBER
    return {
        name: (file.stem == "__init__", str(file), file.read_bytes(), _code(file) if own else b"")
        for name, file in _files()
    }


def packed(message: dict[str, Any]) -> bytes:
    """`None`, numbers, strings, bytes and what is made of them, for any Python."""
    return marshal.dumps(message, _MARSHAL)


def unpacked(data: bytes) -> object:
    """Raises ValueError, EOFError and TypeError where it was cut off."""
    return marshal.loads(data)


def _files() -> Iterator[tuple[str, Path]]:
    for file in sorted(_ROOT.rglob("*.py")):
        parts = file.relative_to(_ROOT).with_suffix("").parts
        if parts[0] in _LEFT_OUT or (parts[0] == "attach" and parts[1] not in _OF_ATTACH):
            continue
        name = ".".join((_PACKAGE, *(part for part in parts if part != "__init__")))
        yield name, file


def _code(file: Path) -> bytes:
    """Of the cache that Python keeps beside the source, where that is of this very source."""
    try:
        cached = Path(importlib.util.cache_from_source(str(file))).read_bytes()
        facts = file.stat()
    except (OSError, NotImplementedError):
        return b""
    fresh = cached[:4] == importlib.util.MAGIC_NUMBER and cached[4:8] == bytes(4)
    fresh = fresh and cached[8:12] == (int(facts.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")
    return cached[_PYC_HEADER:] if fresh else b""
