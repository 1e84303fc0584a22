# SPDX-License-Identifier: Apache-2.0
"""A function's instructions and the regions of its exception handlers, decoded.

A test walks the standard library and finds the same depth of the value stack on every way to an instruction.
"""

from __future__ import annotations

import dis
import sys
from typing import NamedTuple

from . import versions

CHECKED_ON = versions.on("CPython")

_V311 = sys.version_info < (3, 12)
_EXTENDED, _CACHE = dis.opmap["EXTENDED_ARG"], dis.opmap["CACHE"]
SILENT = frozenset({_EXTENDED, _CACHE})
"""Codes that are parts of another instruction."""


class Op(NamedTuple):
    """One instruction. `start`: of the prefixes before it, which is where jumps to it go."""

    start: int
    offset: int
    name: str
    argument: int


class Region(NamedTuple):
    """The instructions `start` to `end` (excluded), whose exceptions go to `target` with `depth` values left."""

    start: int
    end: int
    target: int
    depth: int
    pushes_lasti: bool


def decode(code: bytes) -> list[Op]:
    ops: list[Op] = []
    argument = start = 0
    for offset in range(0, len(code), 2):
        op = code[offset]
        argument |= code[offset + 1]
        if op == _EXTENDED:
            argument <<= 8
            continue
        if op != _CACHE:
            ops.append(Op(start, offset, dis.opname[op], argument))
        argument, start = 0, offset + 2
    return ops


def effect(op: Op, jump: bool) -> int:
    """How the instruction changes the depth of the stack."""
    number = dis.opmap[op.name]
    if _V311:
        if op.name == "PRECALL":
            return 0  # on this version `dis` counts the arguments here although they stay where they are
        if op.name == "CALL":
            return -(op.argument + 1)
    if op.name == "RETURN_GENERATOR":
        return 1  # on resumption the value sent lies there
    return dis.stack_effect(number, op.argument if number >= dis.HAVE_ARGUMENT else None, jump=jump)


def regions(table: bytes) -> list[Region]:
    """The exception table (Objects/exception_handling_notes.txt of CPython)."""
    found: list[Region] = []
    position = 0

    def number() -> int:
        nonlocal position
        byte = table[position]
        position += 1
        value = byte & 63
        while byte & 64:
            byte = table[position]
            position += 1
            value = value << 6 | byte & 63
        return value

    while position < len(table):
        start, length, target, depth = number() * 2, number() * 2, number() * 2, number()
        found.append(Region(start, start + length, target, depth >> 1, bool(depth & 1)))
    return found
