# SPDX-License-Identifier: Apache-2.0
"""May the code that somebody still has to run come to call a function of a given name?

By name only: the names that the instructions of its frames from the last one on can still load, along jumps and
exception handlers, and those of the program's functions with these names, three calls further; from the end of a `with`
block, which is sure to be called, seven. It errs towards yes for common names (`set`, `get`), and towards no for names
made at run time, so nothing PROVEN may rest on it. What the standard library's own waits call is known: they are not
followed (`remove` of a `deque` is nobody's function), and its executors are not followed beyond themselves: what they
run is reached by whoever has it. The builtin `set` is no method that ends a wait.
"""

from __future__ import annotations

import builtins
import dis
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import NamedTuple

from ..internals.heap import hook_codes, may_be_hook
from .libraries import OWN, Libraries, package_of
from .uses import Known, Uses, names_of, within

_CALLS_DEEP = 4
_EXITS_DEEP = 8
EXITS = frozenset({"__exit__", "__aexit__"})
_FUNCTIONS_MOST = 3000  # looked into for one question; more: yes
_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_SUPER_ATTR")
_ANYBODY = frozenset({(0, 0)})
_WAIT_NAMES = frozenset({"wait", "wait_for", "acquire", "get", "put", "join"})
_BUILTINS = frozenset(vars(builtins))
_MADE_NAMES = frozenset({"getattr", "vars", "__dict__", "methodcaller", "attrgetter"})
_WAITS = tuple(
    f"{os.path.dirname(os.__file__)}{os.sep}{part}"
    for part in (f"asyncio{os.sep}", "threading.py", "queue.py", f"concurrent{os.sep}futures{os.sep}_base.py")
)
_EXECUTORS = tuple(f"{os.sep}concurrent{os.sep}futures{os.sep}{part}.py" for part in ("thread", "process"))
_OF_EXECUTORS = frozenset({"set_result", "set_exception"})
"""What their own code does for others: it completes the futures of what it runs. Their queues are their own."""
_LEAVES = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"})


class Place(NamedTuple):
    """Where a frame stands: its code and the offset of its last instruction, -1 before the first."""

    code: CodeType
    last: int


class _Step(NamedTuple):
    """A function that may be called, the names that it loads, and whether it was called by one that uses the variable
    in question, which it may have been given."""

    names: frozenset[str]
    code: CodeType
    given: bool


class RemainingCode:
    """`functions`: the code of every function on the heap by its name. `is_program`: whether a file is looked into."""

    def __init__(
        self, functions: Mapping[str, Sequence[CodeType]], is_program: Callable[[str], bool], libraries: Libraries
    ) -> None:
        self._functions = functions
        self._is_program_file, self._libraries = is_program, libraries
        self._hooks = hook_codes()
        self._files: dict[str, bool] = {}
        self._names: dict[tuple[int, int], frozenset[str]] = {}
        self._using: dict[frozenset[str], list[tuple[int, CodeType]]] = {}
        self._methods: dict[tuple[int, frozenset[str]], bool] = {}
        self._answers: dict[tuple[frozenset[tuple[int, int]], frozenset[str], str, Known], str] = {}
        self._uses_of = Uses(libraries.knows)
        self._naming: dict[str, list[CodeType]] = {}

    def may_call(self, places: Iterable[Place], names: frozenset[str], name: str = "", known: Known = None) -> str:
        """By which function the frames at `places` might come to use one of `names`, and the global `name`
        (`module.variable`) where one is given. `known`: as what alone the thing can be come by, which is then used or
        handed on as well; None: also otherwise. Empty: by none."""
        places = list(places)
        key = (frozenset((id(place.code), place.last) for place in places), names, name, known)
        found = self._answers.get(key)
        if found is None:
            begin = [(self._left(place), place.code) for place in places]
            is_exit = all(place.last < 0 and place.code.co_name in EXITS for place in places)
            found = self._answers[key] = self._search(
                begin, names, name, known, _EXITS_DEEP if is_exit else _CALLS_DEEP
            )
        return found

    def is_own(self, code: CodeType) -> bool:
        """Whether it is of the program, and not of the standard library."""
        return self.is_followed(code.co_filename)

    def any_user(self, name: str, names: frozenset[str], known: Known = None) -> str:
        """A function of the program that uses the global `name` (`module.variable`) and might come to use one of
        `names`; empty: none. `known`: as for `may_call`."""
        key = (_ANYBODY, names, name, known)
        found = self._answers.get(key)
        if found is None:
            module, _, variable = name.rpartition(".")
            found = next((use for use in self._users(module, variable, names, known) if use), "")
            self._answers[key] = found
        return found

    def prepare(self, names: frozenset[str]) -> None:
        """Finds the functions of the program that name any of these. To be called once, before `may_anybody`."""
        self._naming = {name: [] for name in names}
        for codes in self._functions.values():
            for code in codes:
                if self.is_followed(code.co_filename):
                    for name in names.intersection(names_of(code)):
                        self._naming[name].append(code)

    def may_anybody(self, known: Known, wakers: frozenset[str]) -> bool:
        """Whether any function of the program was ever written that does more with what goes by the names `known` than
        wait for it."""
        if known is None:
            return True
        names = {one.name for one in known}
        return any(self._uses_of.lets_go(code, known, wakers) for name in names for code in self._naming.get(name, ()))

    def names_both(self, name: str, names: frozenset[str], but: AbstractSet[int]) -> bool:
        """Whether any function of the program but those at these addresses, or one within it, names `name` and uses one
        of `names`."""
        return any(
            outer not in but and name in (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
            for outer, code in self._users_of(names)
        )

    def _users_of(self, names: frozenset[str]) -> list[tuple[int, CodeType]]:
        """The code of the program that uses one of `names`, each with the address of the function that it is within."""
        found = self._using.get(names)
        if found is None:
            found = self._using[names] = [
                (id(code), one)
                for codes in self._functions.values()
                for code in codes
                if self.is_followed(code.co_filename)
                for one in within(code)
                if self._uses(one, names)
            ]
        return found

    def _uses(self, code: CodeType, names: frozenset[str]) -> bool:
        used = names.intersection(code.co_names)
        return bool(used) and (bool(used - _BUILTINS) or self._uses_method(code, used))

    def _users(self, module: str, variable: str, names: frozenset[str], known: Known) -> Iterable[str]:
        for codes in self._functions.values():
            for code in codes:
                if variable not in code.co_names or not self.is_followed(code.co_filename):
                    continue
                if not _MADE_NAMES.isdisjoint(code.co_names) and package_of(code.co_filename) == OWN:
                    yield f"{code.co_qualname} uses what it has only the name of"
                if self._libraries.knows(code.co_filename, module):
                    yield self._search([(frozenset(code.co_names), code)], names, "", known)

    def is_followed(self, file: str) -> bool:
        """Whether code of this file is looked into."""
        found = self._files.get(file)
        if found is None:
            found = self._files[file] = self._is_program_file(file) and self._libraries.is_needed(file)
        return found

    def _search(
        self,
        first: list[tuple[frozenset[str], CodeType]],
        wanted: frozenset[str],
        name: str,
        known: Known,
        deep: int = _CALLS_DEEP,
    ) -> str:
        """A library that does not know the module of the variable ends no wait for it unless it is called by code that
        uses the variable."""
        seen: set[tuple[int, bool]] = set()
        module, _, variable = name.rpartition(".")
        named, waking, met = not name, "", known is None
        level = [_Step(names, code, not name) for names, code in first]
        for depth in range(deep):
            following: list[_Step] = []
            for names, of, given in level:
                knows = given or self._libraries.knows(of.co_filename, module)
                given = given or (knows and variable in names)
                named = named or given
                found = names & _ends_of(of, wanted) if knows else frozenset[str]()
                if found and not waking and (found - _BUILTINS or self._uses_method(of, found)):
                    waking = f"{of.co_qualname} uses {min(found)}"
                met = met or self._uses_of.lets_go(of, known, wanted)
                if named and waking and met:
                    return waking
                leads_on = not depth or self.is_followed(of.co_filename)
                for code in self._called(of, names):
                    further = (leads_on and self.is_followed(code.co_filename)) or _is_beside(of, code)
                    if further and (id(code), given) not in seen:
                        seen.add((id(code), given))
                        following.append(_Step(frozenset((*code.co_names, *code.co_freevars)), code, given))
            if len(seen) > _FUNCTIONS_MOST:
                return "more functions than can be followed"
            level = following
        return ""

    def _called(self, of: CodeType, names: frozenset[str]) -> Iterator[CodeType]:
        """The functions with one of these names that code of `of` may mean."""
        is_wait, by_executor = is_of_a_wait(of), of.co_filename.endswith(_EXECUTORS)
        for name in names:
            for code in self._functions.get(name, ()):
                if is_wait and not may_be_hook(name, id(code), self._hooks):
                    continue
                if not by_executor or code.co_filename.endswith(_EXECUTORS):
                    yield code

    def _uses_method(self, code: CodeType, names: frozenset[str]) -> bool:
        """Whether it, or a function made in it, loads one of `names` from something, and not only the builtin of that
        name."""
        key = (id(code), names)
        found = self._methods.get(key)
        if found is None:
            loads = (one for part in within(code) for one in dis.get_instructions(part) if one.argval in names)
            found = self._methods[key] = any(one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")) for one in loads)
        return found

    def _left(self, place: Place) -> frozenset[str]:
        key = (id(place.code), place.last)
        found = self._names.get(key)
        if found is None:
            found = self._names[key] = frozenset(names_left(place.code, place.last))
        return found


def _is_beside(of: CodeType, code: CodeType) -> bool:
    """Whether a function is of the very file of the standard library that the code which may call it is of: a loop of
    a thread there (`QueueListener`) ends waits by its own methods. These lead to no function of the program: the `get`
    that they call is that of a dictionary."""
    return code.co_filename == of.co_filename and not is_of_a_wait(of) and not of.co_filename.endswith(_EXECUTORS)


def is_of_a_wait(code: CodeType) -> bool:
    """Whether it is code of the modules in which the standard library waits."""
    return code.co_filename.startswith(_WAITS)


def _ends_of(code: CodeType, wanted: frozenset[str]) -> frozenset[str]:
    """Those of `wanted` by which this code may end somebody else's wait."""
    if code.co_filename.endswith(_EXECUTORS):
        return wanted & _OF_EXECUTORS
    return frozenset() if _is_wait(code) else wanted


def _is_wait(code: CodeType) -> bool:
    """Whether it is a wait of the standard library: what it wakes is one that was woken itself."""
    return code.co_name in _WAIT_NAMES and is_of_a_wait(code)


def names_left(code: CodeType, last: int) -> set[str]:
    """The names that a frame of `code` may still load once its instruction at offset `last` is done."""
    instructions = list(dis.get_instructions(code))
    position = {one.offset: number for number, one in enumerate(instructions)}
    handlers = _handlers(code)
    # The offset of a running frame lies within the cache that follows its instruction.
    start = max(0, bisect_right([one.offset for one in instructions], last) - 1)
    names: set[str] = set()
    seen: set[int] = set()
    work = [start]
    while work:
        number = work.pop()
        while number < len(instructions) and number not in seen:
            seen.add(number)
            one = instructions[number]
            if number != start or last < 0:
                _loaded(one, names)
            work += [position[target] for begin, end, target in handlers if begin <= one.offset < end]
            jump = _jump(one, position)
            if jump is not None:
                work.append(jump)
            if one.opname in _LEAVES or one.opname.startswith(("JUMP_FORWARD", "JUMP_BACKWARD")):
                break
            number += 1
    return names


def _loaded(one: dis.Instruction, names: set[str]) -> None:
    if one.opname.startswith(_LOADS) and type(one.argval) is str:
        if one.argval not in _BUILTINS or one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD")):
            names.add(one.argval)
    elif type(one.argval) is CodeType:  # a function made here may be called here
        names.update(one.argval.co_names)


def _jump(one: dis.Instruction, position: Mapping[int, int]) -> int | None:
    if "JUMP" in one.opname or one.opname in ("FOR_ITER", "SEND"):
        return position.get(one.argval) if type(one.argval) is int else None
    return None


def _handlers(code: CodeType) -> list[tuple[int, int, int]]:
    """(first, behind the last, handler) of each protected range of instructions, as offsets in bytes.

    The format is that of CPython's `Objects/exception_handling_notes.txt`, the same from 3.11 on.
    """
    found: list[tuple[int, int, int]] = []
    table = iter(code.co_exceptiontable)
    try:
        while True:
            begin = _varint(table) * 2
            end = begin + _varint(table) * 2
            target = _varint(table) * 2
            _varint(table)  # depth and whether the offset is pushed
            found.append((begin, end, target))
    except StopIteration:
        return found


def _varint(table: Iterable[int]) -> int:
    reader = iter(table)
    byte = next(reader)
    value = byte & 63
    while byte & 64:
        byte = next(reader)
        value = value << 6 | (byte & 63)
    return value
