# SPDX-License-Identifier: Apache-2.0
"""What a function does with a thing that it knows by a name.

`event.wait()`, `await future` and `if event:` neither end a wait for it nor hand it on. `event.set()` does the one;
`notify(event)`, `return event` and whatever else is done with it may do the other.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any, cast

Known = frozenset[str] | None
"""The names by which alone a thing can be come by; None: there are other ways."""

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
    """Remembers what it has read: for one picture."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, frozenset[str], frozenset[str]], bool] = {}

    def lets_go(self, code: CodeType, known: Known, wakers: frozenset[str]) -> bool:
        """Whether it, or a function made in it, uses something that goes by one of the names `known` otherwise than by
        one of its methods that is none of `wakers`."""
        if known is None:
            return True
        key = (id(code), known, wakers)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = any(_lets_go(one, known, wakers) for one in within(code))
        return found


def within(code: CodeType) -> Iterator[CodeType]:
    """It, and what is defined in it."""
    yield code
    for one in code.co_consts:
        if type(one) is CodeType:
            yield from within(one)


def _lets_go(code: CodeType, known: frozenset[str], wakers: frozenset[str]) -> bool:
    if any(type(one) is str and one in known for one in code.co_consts):
        return True  # `getattr(self, "done")`
    if known.isdisjoint((*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)):
        return False
    instructions = [one for one in dis.get_instructions(code) if not one.opname.startswith(_NOTHING)]
    return any(
        _names(one.argval, known) and not _keeps(instructions[at], instructions[at + 1 : at + 2], wakers)
        for at, one in enumerate(instructions)
    )


def _names(argument: Any, known: frozenset[str]) -> bool:
    if type(argument) is tuple:  # two loads in one instruction
        return not known.isdisjoint(cast("tuple[object, ...]", argument))
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
