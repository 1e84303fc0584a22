# SPDX-License-Identifier: Apache-2.0
"""What a function that stands at an instruction does not have for its own use although its frame refers to it: local
variables that it will set before it reads them again, and what was on its value stack before. So an acceptor that is in
`connection, _ = server.accept()` has the last connection no more."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import cast

from ..internals.instructions import regions
from ..threads.bytecode import analysis

_INSTRUCTIONS_MOST = 200
_CACHES_MOST = 24  # bytes behind an instruction that are part of it
_ENDS = ("RETURN", "RAISE", "RERAISE", "YIELD", "SEND", "FOR_ITER", "CLEANUP_THROW")
_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})


def dead_locals(code: CodeType, lasti: int) -> frozenset[str]:
    """Of a function that stands at this instruction, by straight reading: what comes after a jump is not looked at. One
    that a handler of an exception of this instruction reads counts as alive."""
    instructions = list(dis.get_instructions(code))
    stored, read = set[str](), set[str]()
    for one in _ahead(instructions, lasti):
        for name, stores in _uses(one):
            if stores and name not in read:
                stored.add(name)
            elif not stores and name not in stored:
                read.add(name)
    if not stored:
        return frozenset()
    for region in regions(code.co_exceptiontable):
        if not region.start <= lasti < region.end:
            continue
        for one in _ahead(instructions, region.target - 1, past_jumps=True):
            stored.difference_update(name for name, stores in _uses(one) if not stores)
    return frozenset(stored)


def stack_depth(code: CodeType, lasti: int) -> int | None:
    """How many values its stack may have there: beyond these lies what was there before. None: not known."""
    depths = analysis(code).depths
    return next((depths[at] for at in range(lasti, lasti - _CACHES_MOST, -2) if at in depths), None)


def _ahead(instructions: list[dis.Instruction], after: int, past_jumps: bool = False) -> Iterator[dis.Instruction]:
    for number, one in enumerate(one for one in instructions if one.offset > after):
        ends = one.opname.startswith(_ENDS) or (one.opcode in _JUMPS and not past_jumps)
        if ends or number > _INSTRUCTIONS_MOST:
            return
        yield one


def _uses(one: dis.Instruction) -> Iterator[tuple[str, bool]]:
    """The local variables of an instruction, in order: whether it sets them."""
    if "_FAST" not in one.opname and "_DEREF" not in one.opname:
        return
    argument: object = one.argval
    names = cast("tuple[object, ...]", argument) if type(argument) is tuple else (argument,)
    parts = [part for part in one.opname.replace("_DEREF", "_FAST").split("_FAST") if part]
    for place, name in enumerate(names):
        part = parts[min(place, len(parts) - 1)]
        if type(name) is str:
            yield name, "STORE" in part
