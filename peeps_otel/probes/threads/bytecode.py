# SPDX-License-Identifier: Apache-2.0
"""What a function's bytecode says of one instruction: the `with` blocks around it, the call it makes, how deep the
value stack is, and by which expression a thing was named. No source file is needed.

Results are kept by code object. For the watcher thread only; not thread-safe.
"""

from __future__ import annotations

import dis
import sys
from types import CodeType
from typing import Any, NamedTuple

from ..internals.instructions import SILENT, Op, Region, decode, effect, regions
from ..of_code import OfCode

_KEPT = 1024
_LARGEST = 20_000  # bytes: a function beyond that is not analysed
_WALK_MOST = 64
_V311 = sys.version_info < (3, 12)
_ENTERING = "BEFORE_WITH"
_CALLS = ("CALL", "PRECALL", "CALL_KW")
_LOOP = "FOR_ITER"
_SPREAD_CALL = "CALL_FUNCTION_EX"  # `f(*arguments, **named)`
NO_FALL_THROUGH = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"}) | {
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
}
_JUMPS = frozenset(dis.hasjrel)
_LOCAL = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_CLOSURE"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})


class WithBlock(NamedTuple):
    """A `with` block: where its `__exit__` lies on the value stack, and the instruction that entered it; None where
    that was not found."""

    slot: int
    entered_at: int | None


class CallSite(NamedTuple):
    """A call: its callable and what may be its receiver lie at `slot` and `slot + 1`, then so many `arguments`, the
    last of which are the named ones. `spread`: it is `f(*arguments, **named)`: these are one tuple, and one dictionary
    if there are two."""

    slot: int
    arguments: int
    names: tuple[str, ...]
    spread: bool = False


class Path(NamedTuple):
    """An expression that is a plain reference: `self._lock`, `locks["db"]`, `LOCK`.

    `local`: the place of the first name among the locals; None: it is a global. `steps`: attributes (text) and constant
    indexes (a tuple of one).
    """

    name: str
    local: int | None
    steps: tuple[str | tuple[object], ...]

    @property
    def text(self) -> str:
        """As it is written."""
        return self.name + self._rest()

    @property
    def short(self) -> str:
        """Without `self.`."""
        rest = self._rest()
        return rest.removeprefix(".") if self.name in ("self", "cls") and rest.startswith(".") else self.name + rest

    def _rest(self) -> str:
        return "".join(f".{step}" if isinstance(step, str) else f"[{step[0]!r}]" for step in self.steps)


class Code:
    """The analysis of one code object, each part made when it is first asked for."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self._regions: list[Region] | None = None
        self._ops: list[Op] | None = None
        self._index: dict[int, int] = {}
        self._depths: dict[int, int] | None = None
        self._entries: dict[int, int] | None = None
        self._blocks: dict[int, list[WithBlock]] = {}
        self._calls: dict[frozenset[str], list[tuple[int, str, Path]]] = {}

    @property
    def regions(self) -> list[Region]:
        if self._regions is None:
            self._regions = list(regions(self.code.co_exceptiontable))
        return self._regions

    @property
    def ops(self) -> list[Op]:
        if self._ops is None:
            self._ops = decode(self.code.co_code) if len(self.code.co_code) <= _LARGEST else []
            self._index = {op.offset: number for number, op in enumerate(self._ops)}
            self._index |= {op.start: number for number, op in enumerate(self._ops)}
            # A function that has called another is at the last of the cache entries behind its call, before 3.13.
            at = 0
            for offset in range(0, len(self.code.co_code), 2):
                at = self._index.setdefault(offset, at)
        return self._ops

    def op_at(self, offset: int) -> Op | None:
        ops = self.ops
        number = self._index.get(offset)
        return None if number is None else ops[number]

    # --- with ---------------------------------------------------------------------------------------------------------

    def with_blocks(self, lasti: int) -> list[WithBlock]:
        """The `with` blocks whose body the instruction is in, innermost first: the way an exception would take."""
        known = self._blocks.get(lasti)
        if known is not None:
            return known
        found: list[WithBlock] = []
        position = lasti
        for _ in range(_WALK_MOST):
            region = self._region(position)
            if region is None:
                break
            if self._ends_a_with(region.target):
                found.append(WithBlock(region.depth - 1, self._entered_at().get(region.target)))
            position = region.target
        self._blocks[lasti] = found
        return found

    def iterated(self, lasti: int) -> list[int]:
        """The places on the value stack of what the `for` loops around the instruction go through, outermost first."""
        op = self.op_at(lasti)
        depth = None if op is None else self.depths.get(op.offset)
        if op is None or depth is None:
            return []
        found: list[int] = []
        for number, loop in enumerate(self.ops):
            if loop.name == _LOOP and loop.offset < op.offset < (self.target(number) or 0):
                slot = self.depths.get(loop.offset, 0) - 1
                if 0 <= slot < depth:
                    found.append(slot)
        return found

    def entering(self, lasti: int) -> int | None:
        """The place on the value stack of the manager that the instruction, a `with`, is entering; None for any other
        instruction."""
        op = self.op_at(lasti)
        if op is None or op.name != _ENTERING:
            return None
        region = self._region(self.ops[self._index[lasti] + 1].offset)
        return None if region is None else region.depth - 1

    def _region(self, offset: int) -> Region | None:
        return next((region for region in self.regions if region.start <= offset < region.end), None)

    def _ends_a_with(self, target: int) -> bool:
        code = self.code.co_code
        following = [code[i] for i in range(target, min(target + 8, len(code)), 2) if code[i] not in SILENT]
        return [dis.opname[op] for op in following[:2]] == ["PUSH_EXC_INFO", "WITH_EXCEPT_START"]

    def _entered_at(self) -> dict[int, int]:
        """By exception handler: the instruction that entered its `with` block."""
        if self._entries is None:
            self._entries = {}
            for op, following in zip(self.ops, self.ops[1:], strict=False):
                if op.name == _ENTERING:
                    region = self._region(following.offset)
                    if region is not None:
                        self._entries.setdefault(region.target, op.offset)
        return self._entries

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, lasti: int) -> CallSite | None:
        """The call that the instruction makes; None where it makes none or the depth of the stack is not known."""
        op = self.op_at(lasti)
        depth = None if op is None else self.depths.get(op.offset)
        if op is None or depth is None:
            return None
        if op.name == _SPREAD_CALL:
            count = 1 + (op.argument & 1)
            return CallSite(depth - count - 2, count, (), spread=True)
        if op.name not in _CALLS:
            return None
        names: Any = ()
        if op.name == "CALL_KW":
            depth -= 1  # their names lie on top
        before = self.ops[max(0, self._index[lasti] - 2) : self._index[lasti]]
        for earlier in before:
            if earlier.name == "KW_NAMES" or (op.name == "CALL_KW" and earlier is before[-1]):
                names = self.code.co_consts[earlier.argument]
        return CallSite(depth - op.argument - 2, op.argument, names)

    @property
    def depths(self) -> dict[int, int]:
        """Values on the stack before each instruction that can be reached."""
        if self._depths is None:
            self._depths = self._walk()
        return self._depths

    def _walk(self) -> dict[int, int]:
        ops, index = self.ops, self._index
        depths: dict[int, int] = {}
        work: list[tuple[int, int]] = []
        if ops:
            work.append((ops[0].offset, 0))
        work.extend((region.target, region.depth + region.pushes_lasti + 1) for region in self.regions)
        while work:
            offset, depth = work.pop()
            number = index.get(offset)
            while number is not None and number < len(ops):
                op = ops[number]
                if op.offset in depths:
                    break
                depths[op.offset] = depth
                target = self.target(number)
                if target is not None:
                    work.append((target, depth + effect(op, True)))
                if op.name in NO_FALL_THROUGH:
                    break
                depth += effect(op, False)
                number += 1
        return depths

    def target(self, number: int) -> int | None:
        """Where the instruction with this number may jump to."""
        op = self.ops[number]
        if dis.opmap.get(op.name) not in _JUMPS:
            return None
        following = self.ops[number + 1].start if number + 1 < len(self.ops) else len(self.code.co_code)
        target = self._index.get(following + 2 * (-op.argument if "BACKWARD" in op.name else op.argument))
        return None if target is None else self.ops[target].offset

    def can_reach(self, start: int, end: int, around: frozenset[int]) -> bool:
        """Whether the instruction at `end` may be run after the one at `start` without passing one of `around`."""
        _ = self.ops
        first = self._index.get(start)
        return first is not None and self._leads_to(first + 1, end, around)

    def follows_success(self, call: int, end: int, around: frozenset[int]) -> bool:
        """Whether the instruction at `end` is run only after the call at `call` has given something true, without
        passing one of `around`. False where the result is not tested at once: it may be anything then."""
        branches = self._branches(call)
        if branches is None:
            return False
        true, false = branches
        return self._leads_to(true, end, around) and not self._leads_to(false, end, around | {call})

    def _branches(self, call: int) -> tuple[int, int] | None:
        """The numbers of the instructions that follow a call whose result is tested at once, if true and if false."""
        ops = self.ops
        number = self._index.get(call)
        negated = False
        while number is not None and number + 1 < len(ops):
            number += 1
            name = ops[number].name
            if name == "UNARY_NOT":
                negated = not negated
            elif name.startswith("POP_JUMP") and name.endswith(("IF_TRUE", "IF_FALSE")):
                target = self.target(number)
                if target is None:
                    return None
                jumps_if_true = name.endswith("IF_TRUE") is not negated
                jumped, passed = self._index[target], number + 1
                return (jumped, passed) if jumps_if_true else (passed, jumped)
            elif name != "TO_BOOL":
                return None
        return None

    def _leads_to(self, first: int, end: int, around: frozenset[int]) -> bool:
        """Whether the instruction at `end` may be run after the one with number `first`, or is it."""
        ops, index = self.ops, self._index
        seen: set[int] = set()
        last = index.get(end)
        work = [first]
        while work:
            number = work.pop()
            if number in seen or number >= len(ops):
                continue
            seen.add(number)
            op = ops[number]
            if number == last:
                return True
            if op.offset in around:
                continue
            target = self.target(number)
            if target is not None:
                work.append(index[target])
            if op.name not in NO_FALL_THROUGH:
                work.append(number + 1)
        return False

    # --- names --------------------------------------------------------------------------------------------------------

    def path_before(self, offset: int) -> Path | None:
        """The plain reference whose value the instruction at `offset` takes from the top of the stack."""
        _ = self.ops
        number = self._index.get(offset)
        return None if number is None else self._path(number - 1)

    def receiver(self, lasti: int) -> tuple[Path | None, str]:
        """Of the call `x.method(...)` at `lasti`: the reference `x` and the method's name; None and an empty text where
        that is not how it is written."""
        site = self.call(lasti)
        if site is None:
            return None, ""
        number = self._index[lasti] - 1
        # Back to the instruction that put the callable into its slot, or (no method, before 3.13) above an empty one.
        own = site.slot + 1 + (site.spread and sys.version_info < (3, 13))
        while number >= 0:
            op = self.ops[number]
            depth = self.depths.get(op.offset)
            if depth is None:
                return None, ""
            if op.name in ("LOAD_METHOD", "LOAD_ATTR") and depth == own:
                return self._path(number - 1), self._attribute(op)
            if depth <= site.slot:
                return None, ""
            number -= 1
        return None, ""

    def calls_of(self, methods: frozenset[str]) -> list[tuple[int, str, Path]]:
        """The calls `reference.method(...)` in the function for these method names: offset, method, reference."""
        known = self._calls.get(methods)
        if known is not None:
            return known
        found = self._calls[methods] = []
        if methods.isdisjoint(self.code.co_names):
            return found
        for op in self.ops:
            if op.name in ("CALL", "CALL_KW"):
                path, method = self.receiver(op.offset)
                if path is not None and method in methods:
                    found.append((op.offset, method, path))
        return found

    def name_of(self, op: Op) -> str:
        """The name that a plain load takes; empty for other instructions."""
        if op.name in ("LOAD_ATTR", "LOAD_METHOD"):
            return self._attribute(op)
        if op.name in _GLOBAL:
            return self.code.co_names[op.argument >> 1 if op.name == "LOAD_GLOBAL" else op.argument]
        found = self._from_local(op.argument, []) if op.name in _LOCAL else None
        return "" if found is None else found.name

    def _attribute(self, op: Op) -> str:
        number = op.argument
        if op.name == "LOAD_ATTR" and not _V311:
            number >>= 1
        return self.code.co_names[number]

    def _path(self, number: int) -> Path | None:
        """The reference that ends in the instruction with this number."""
        steps: list[str | tuple[object]] = []
        code = self.code
        while number >= 0:
            op = self.ops[number]
            if op.name in ("LOAD_ATTR", "LOAD_METHOD"):
                steps.append(self._attribute(op))
                number -= 1
            elif op.name == "BINARY_SUBSCR" and self.ops[number - 1].name == "LOAD_CONST":
                steps.append((code.co_consts[self.ops[number - 1].argument],))
                number -= 2
            elif op.name in _LOCAL:
                return self._from_local(op.argument, steps)
            elif op.name == "LOAD_FAST_LOAD_FAST":
                return self._from_local(op.argument & 15, steps)
            elif op.name in _GLOBAL:
                name_number = op.argument >> 1 if op.name == "LOAD_GLOBAL" else op.argument
                return Path(code.co_names[name_number], None, tuple(reversed(steps)))
            else:
                return None
        return None

    def _from_local(self, place: int, steps: list[str | tuple[object]]) -> Path | None:
        plain = self.code.co_varnames
        names = plain + tuple(n for n in self.code.co_cellvars if n not in plain) + self.code.co_freevars
        return Path(names[place], place, tuple(reversed(steps))) if place < len(names) else None


analysis = OfCode(Code, _KEPT)
"""The analysis of a function, made once."""
