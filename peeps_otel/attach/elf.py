# SPDX-License-Identifier: Apache-2.0
"""Symbols and executable bytes of one ELF file, and where it is loaded."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from .refused import Refused

_X86_64 = 62
_LOAD, _EXECUTABLE, _SYMTAB, _DYNSYM = 1, 1, 2, 11
_PAGE = 4096


class Symbol(NamedTuple):
    """`at`: as in the file; the address is that and the base."""

    at: int
    size: int


class Mapping(NamedTuple):
    """A line of `/proc/PID/maps`."""

    start: int
    end: int
    permissions: str
    path: str


def mappings(text: str) -> list[Mapping]:
    found: list[Mapping] = []
    for line in text.splitlines():
        words = line.split(None, 5)
        start, _, end = words[0].partition("-")
        found.append(Mapping(int(start, 16), int(end, 16), words[1], words[5].strip() if len(words) > 5 else ""))
    return found


class Elf:
    """Raises Refused where it is no file for x86-64, or damaged."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        data = self._data
        if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != _X86_64:
            raise Refused(f"{name} is not for x86-64: attaching is shown to be safe there alone")
        self._moves = struct.unpack_from("<H", data, 16)[0] == 3
        at = struct.unpack_from("<Q", data, 32)[0]
        size, count = struct.unpack_from("<HH", data, 54)
        segments = [struct.unpack_from("<IIQQQQQQ", data, at + i * size) for i in range(count)]
        self._segments = [one for one in segments if one[0] == _LOAD]

    def symbols(self, wanted: Iterable[str]) -> dict[str, Symbol]:
        """Those that it has."""
        left = {name.encode() for name in wanted}
        found: dict[str, Symbol] = {}
        data = self._data
        at = struct.unpack_from("<Q", data, 40)[0]
        size, count = struct.unpack_from("<HH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, at + i * size) for i in range(count)]
        tables = [one for one in sections if one[1] in (_SYMTAB, _DYNSYM)]
        for table in sorted(tables, key=lambda one: one[1] != _DYNSYM):
            strings = sections[table[6]]
            names = data[strings[4] : strings[4] + strings[5]]
            body = data[table[4] : table[4] + table[5]]
            for name_at, _info, _other, section, value, length in struct.iter_unpack("<IBBHQQ", body):
                if section and value:
                    name = names[name_at : names.index(b"\0", name_at)]
                    if name in left:
                        left.discard(name)
                        found[name.decode()] = Symbol(value, length)
            if not left:
                break
        return found

    def find(self, code: bytes) -> int | None:
        """Where these bytes are among what can be executed."""
        for segment in self._segments:
            if segment[1] & _EXECUTABLE:
                at = self._data.find(code, segment[2], segment[2] + segment[5])
                if at >= 0:
                    return at - segment[2] + segment[3]
        return None

    def base(self, mapped: Iterable[Mapping]) -> int:
        """What to add to an address of the file, where these are its mappings."""
        first = min(self._segments, key=lambda one: one[3])
        return min(one.start for one in mapped) - (first[3] & ~(_PAGE - 1)) if self._moves else 0
