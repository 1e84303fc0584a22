# SPDX-License-Identifier: Apache-2.0
"""What a function does with a thing that it knows by a name.

`event.wait()`, `await future` and `if event:` neither end a wait for it nor hand it on. `event.set()` does the one;
`notify(event)`, `return event` and whatever else is done with it may do the other.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import Any, NamedTuple, cast


class Name(NamedTuple):
    """Of a variable or an attribute. `home`: the address of the code whose variable it is; of a global or an attribute
    the name of a module that whoever uses it must know."""

    name: str
    home: int | str


Known = frozenset[Name] | None
"""The names by which alone a thing can be come by; None: there are other ways."""

_OF_VARIABLES = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "STORE_FAST", "STORE_DEREF")
_LOADS_METHOD = ("LOAD_ATTR", "LOAD_METHOD")
_METHODS = frozenset(
    {
        *("wait", "wait_for", "is_set", "isSet", "set", "clear", "notify", "notify_all", "notifyAll"),
        *("acquire", "release", "locked", "abort", "reset", "parties", "n_waiting", "broken"),
        *(
            "get",
            "get_nowait",
            "put",
            "put_nowait",
            "join",
            "task_done",
            "qsize",
            "empty",
            "full",
            "maxsize",
            "shutdown",
        ),
        *("send", "send_nowait", "receive", "receive_nowait", "close", "aclose", "shutdown", "statistics"),
        *("done", "cancelled", "cancel", "result", "exception", "set_result", "set_exception"),
        *("add_done_callback", "remove_done_callback", "get_loop"),
    }
)
"""Of the things themselves. Any other attribute may be a part of it, by which a wait can be ended as well."""
_ONLY_ASKS = ("GET_AWAITABLE", "POP_JUMP", "POP_TOP", "TO_BOOL", "UNARY_NOT")
_WRITES = ("STORE_", "DELETE_", "LOAD_CLOSURE", "MAKE_CELL", "COPY_FREE_VARS")
_NOTHING = ("NOP", "CACHE", "PRECALL", "EXTENDED_ARG", "NOT_TAKEN")
_ENTERS = ("BEFORE_WITH", "BEFORE_ASYNC_WITH")
_NOTIFIES = "notify"


class Uses:
    """For one picture: it remembers what it has read. `knows`: whether code of a file may use what a module has."""

    def __init__(self, knows: Callable[[str, str], bool]) -> None:
        self._knows = knows
        self._answers: dict[tuple[int, frozenset[Name], frozenset[str]], bool] = {}

    def lets_go(self, code: CodeType, known: Known, wakers: frozenset[str]) -> bool:
        """Whether it, or a function made in it, uses something that goes by one of the names `known` otherwise than by
        one of its methods that is none of `wakers`."""
        if known is None:
            return True
        key = (id(code), known, wakers)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._reads(code, known, wakers)
        return found

    def _reads(self, code: CodeType, known: frozenset[Name], wakers: frozenset[str]) -> bool:
        if {one.name for one in known}.isdisjoint(names_of(code)):
            return False
        file = code.co_filename
        shared = {one.name for one in known if type(one.home) is str and self._knows(file, one.home)}
        for part in within(code):
            own = {one.name for one in known if one.home in (id(code), id(part))}
            if _lets_go(part, shared, own, wakers):
                return True
        return False


def within(code: CodeType) -> Iterator[CodeType]:
    """It, and what is defined in it."""
    yield code
    for one in code.co_consts:
        if type(one) is CodeType:
            yield from within(one)


def names_of(code: CodeType) -> Iterator[str]:
    """Every name that it or a function made in it loads, and every text in them, which may be that of an attribute."""
    for part in within(code):
        yield from (*part.co_names, *part.co_varnames, *part.co_freevars, *part.co_cellvars)
        yield from (one for one in part.co_consts if type(one) is str)


def _lets_go(code: CodeType, shared: AbstractSet[str], own: AbstractSet[str], wakers: frozenset[str]) -> bool:
    """`shared`: names of globals and attributes; `own`: of variables of this function."""
    if any(type(one) is str and one in shared for one in code.co_consts):
        return True  # `getattr(self, "done")`
    instructions = [one for one in dis.get_instructions(code) if not one.opname.startswith(_NOTHING)]
    return any(
        _names(one.argval, own if one.opname.startswith(_OF_VARIABLES) else shared)
        and not _keeps(instructions[at], instructions[at + 1 : at + 2], wakers)
        for at, one in enumerate(instructions)
    )


def _names(argument: Any, known: AbstractSet[str]) -> bool:
    if type(argument) is tuple:  # two loads in one instruction
        return any(one in known for one in cast("tuple[object, ...]", argument))
    return type(argument) is str and argument in known


def _keeps(one: dis.Instruction, following: list[dis.Instruction], wakers: frozenset[str]) -> bool:
    """Whether the thing that is named here stays where it is."""
    if one.opname.startswith(_WRITES):
        return True
    if type(one.argval) is tuple or not following:
        return False
    then = following[0]
    if then.opname.startswith(_LOADS_METHOD):
        return then.argval in _METHODS and then.argval not in wakers
    if then.opname in _ENTERS:
        return _NOTIFIES in wakers  # leaving a condition lets its lock go and notifies nobody
    return then.opname.startswith(_ONLY_ASKS)
