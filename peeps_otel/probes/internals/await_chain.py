# SPDX-License-Identifier: Apache-2.0
"""From a task down to what it is suspended in, and what it holds on the way.

A suspended coroutine shows its callee as `cr_await`; where the chain passes through something without that attribute
(an async generator's step, a coroutine wrapper) the garbage collector's view of its references leads on. Neither makes
a frame object, which would stay with the coroutine for the rest of its life, nor runs any code of the program.

A coroutine that is suspended inside `async with x` has the bound method `x.__aexit__` on its value stack, and
`gc.get_referents` shows the value stack: that is how a holder is known without recording anything.
"""

from __future__ import annotations

import sys
from asyncio import Task
from collections.abc import Callable
from contextlib import (
    AsyncExitStack,
    ExitStack,
    _AsyncGeneratorContextManager,  # pyright: ignore[reportPrivateUsage]  # the class behind contextmanager has no public name
    _GeneratorContextManager,  # pyright: ignore[reportPrivateUsage]  # the class behind contextmanager has no public name
)
from gc import get_referents
from itertools import pairwise
from threading import Lock, RLock
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
)
from typing import Any, NamedTuple, cast

from . import suspended_at, versions

CHECKED_ON = versions.on("CPython", "CPython, partly")

_DEPTH = 200
_STEPPERS = frozenset({"async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"})
_TOLD_BY_C = (GetSetDescriptorType, MemberDescriptorType)
_EXITS = frozenset({"__aexit__", "__exit__"})
_BOUND = frozenset({MethodType, BuiltinMethodType, type(Lock().__exit__), type(RLock().__exit__)})
_TELLING = _BOUND | {AsyncGeneratorType, *((FunctionType, MethodDescriptorType) if sys.version_info >= (3, 14) else ())}
_WAITING_TO_ENTER = ("__aenter__", "acquire")
GENERATOR_MANAGERS = (_GeneratorContextManager, _AsyncGeneratorContextManager)
_SPLIT_EXITS = sys.version_info >= (3, 14)
"""Since 3.14 the value stack shows `__aexit__` as a function with its object right after it, not as a bound method."""


SUSPENDED: tuple[type[Any], ...] = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""What is suspended and goes on where it stands."""


def frame_of(suspended: Any) -> FrameType | None:
    """Of a coroutine, generator or async generator; None where it has ended. Creates a frame object, which stays."""
    if type(suspended) is CoroutineType:
        return suspended.cr_frame
    return suspended.ag_frame if type(suspended) is AsyncGeneratorType else suspended.gi_frame


class SuspendedFrame(NamedTuple):
    """One suspended coroutine, generator or async generator of a chain. `referents`: everything it refers to, its
    locals and value stack among it. Hold on to none of it longer than one look at one task."""

    suspended: Any
    code: CodeType
    referents: list[Any]

    @property
    def frame(self) -> FrameType | None:
        """Its frame. Creates a frame object, which stays: only for whoever wants more than its place."""
        return frame_of(self.suspended)

    @property
    def lasti(self) -> int | None:
        """The offset of its last instruction; None where it has ended. Creates a frame object only on Pythons that are
        not read otherwise."""
        at = suspended_at.lasti(self.suspended, self.code)
        if at is None and (frame := self.frame) is not None:
            at = frame.f_lasti
        return at

    @property
    def line(self) -> int | None:
        """Its line; None where it has none."""
        at = self.lasti
        return None if at is None else suspended_at.line(self.code, at)


def chain(coroutine: object) -> list[SuspendedFrame]:
    """The suspended frames below `coroutine`, outermost first. A torn or foreign chain ends early."""
    links: list[SuspendedFrame] = []
    current: Any = coroutine
    for _ in range(_DEPTH):
        kind = cast("type[object]", type(current))
        if kind is CoroutineType:
            links.append(SuspendedFrame(current, current.cr_code, get_referents(current)))
            current = current.cr_await
        elif kind is GeneratorType:
            links.append(SuspendedFrame(current, current.gi_code, get_referents(current)))
            current = current.gi_yieldfrom
        elif kind is AsyncGeneratorType:
            links.append(SuspendedFrame(current, current.ag_code, get_referents(current)))
            current = current.ag_await
        elif current is None:
            break
        else:
            following = _behind(current)
            if following is None:
                break
            current = following
    return links


_coroutine_of: Callable[[Any], object] = vars(Task)["get_coro"]


def in_hands(task: Any) -> list[object]:
    """Everything that the functions in which a task is suspended refer to, their variables among it. Hold on to none of
    it longer than one look at one task."""
    if not issubclass(type(task), Task):
        return []
    return [referent for link in chain(_coroutine_of(task)) for referent in link.referents]


def _behind(opaque: object) -> object:
    """The coroutine or async generator that an awaitable of another type steps."""
    if type(opaque).__name__ not in _STEPPERS:
        return _awaited_by_compiled(opaque)
    for referent in get_referents(opaque):
        kind = cast("type[object]", type(referent))
        if kind in SUSPENDED or kind.__name__ in _STEPPERS:
            return referent
    return None


def _awaited_by_compiled(opaque: object) -> object:
    """What a coroutine of Cython's own type awaits: a C function tells it. It has no code and no frame to show."""
    kind = type(opaque)
    if type.__getattribute__(kind, "__name__") != "coroutine":
        return None
    told: Any = vars(kind).get("cr_await")
    return told.__get__(opaque, kind) if type(told) in _TOLD_BY_C else None


class Entered(NamedTuple):
    """A context manager whose block a coroutine is suspended in, or is entering or leaving. `by_generator`: the block
    is in an async generator that the coroutine iterates; somebody else may close that one."""

    manager: Any
    link: SuspendedFrame
    position: int  # among the managers of this link, outermost first
    total: int
    by_generator: bool = False


def entered(links: list[SuspendedFrame]) -> list[Entered]:
    """The context managers along a chain, outermost first, those inside `@contextmanager` functions and exit stacks
    included."""
    found: list[Entered] = []
    for number, link in enumerate(links):
        if _TELLING.isdisjoint(map(type, link.referents)):
            continue
        managers = _managers(link.referents)
        if managers:
            child = links[number + 1] if number + 1 < len(links) else None
            _entered_by(link, managers, child, 0, found)
        for referent in link.referents:
            if type(referent) is AsyncGeneratorType:
                _entered_by_generator(referent, links, 0, found)
    return found


def _entered_by_generator(generator: Any, links: list[SuspendedFrame], depth: int, found: list[Entered]) -> None:
    """Of a generator at a `yield`, which a frame of the chain has on its value stack or in a variable."""
    if any(link.suspended is generator for link in links) or generator.ag_running or generator.ag_await is not None:
        return  # its block is seen in the chain, or is being run by whoever steps it
    link = SuspendedFrame(generator, generator.ag_code, get_referents(generator))
    managers = _managers(link.referents)
    if managers:
        inside: list[Entered] = []
        _entered_by(link, managers, None, 0, inside)
        found += [entered._replace(by_generator=True) for entered in inside]
    if depth < 3:
        for referent in link.referents:
            if type(referent) is AsyncGeneratorType and referent is not generator:
                _entered_by_generator(referent, links, depth + 1, found)


def may_have_entered(suspended: Any, following: Any) -> bool:
    """Whether it is worth asking `entered` about a suspended coroutine. Several times as fast. `following`: the
    coroutine that it awaits, if any."""
    referents = get_referents(suspended)
    if _TELLING.isdisjoint(map(type, referents)):
        return False
    if following is None or following.cr_code.co_name not in _WAITING_TO_ENTER:
        return True
    if any(type(referent) is AsyncGeneratorType for referent in referents):
        return True
    managers = _managers(referents)
    if len(managers) != 1:  # only the innermost can be one that is waited for
        return bool(managers)
    return not any(referent is managers[0] for referent in get_referents(following))


def _entered_by(
    link: SuspendedFrame, managers: list[Any], child: SuspendedFrame | None, depth: int, found: list[Entered]
) -> None:
    waiting = child is not None and child.code.co_name in _WAITING_TO_ENTER
    for position, manager in enumerate(managers):
        # The innermost one alone: further out the same one was entered before, and is waited for in vain.
        if waiting and child is not None and position == len(managers) - 1 and _is_self(manager, child):
            continue  # still waiting to enter
        found.append(Entered(manager, link, position, len(managers)))
        if depth < 3:
            inner = _inner(manager)
            if inner is not None:
                _entered_by(inner, _managers(inner.referents), None, depth + 1, found)
            found += [Entered(owner, link, -1, 0) for owner in _stacked(manager)]


def _is_self(manager: object, link: SuspendedFrame) -> bool:
    return any(referent is manager for referent in link.referents)


def _managers(referents: list[Any]) -> list[Any]:
    """The managers whose bound `__exit__` or `__aexit__` is among the referents. Looks at exact types only: even
    `isinstance` or reading a name may run code of a proxy object."""
    found: list[Any] = []
    for referent in referents:
        if type(referent) not in _BOUND:
            continue
        if type(referent) is MethodType:
            function: object = referent.__func__
            if type(function) is FunctionType and function.__code__.co_name in _EXITS:
                found.append(referent.__self__)
        elif referent.__name__ in _EXITS:
            found.append(referent.__self__)
    if _SPLIT_EXITS:
        found += _split_managers(referents)
    return found


def _split_managers(referents: list[Any]) -> list[Any]:
    """The same where the function and its object stand apart. The function that the frame itself runs is not one."""
    found: list[Any] = []
    for function, manager in pairwise(referents):
        kind = cast("type[object]", type(manager))
        if type(function) is FunctionType:
            name = function.__code__.co_name
            mro = cast("tuple[type[object], ...]", type.__getattribute__(kind, "__mro__"))
            if name in _EXITS and any(vars(base).get(name) is function for base in mro):
                found.append(manager)
        elif (
            type(function) is MethodDescriptorType
            and function.__name__ in _EXITS
            and issubclass(kind, function.__objclass__)
        ):
            found.append(manager)
    return found


def _inner(manager: object) -> SuspendedFrame | None:
    """The suspended generator of a `@contextmanager` or `@asynccontextmanager`."""
    if not issubclass(type(manager), GENERATOR_MANAGERS):
        return None
    generator = cast("Any", manager).gen
    if type(generator) is GeneratorType:
        code = cast("GeneratorType[Any, Any, Any]", generator).gi_code
    elif type(generator) is AsyncGeneratorType:
        code = cast("AsyncGeneratorType[Any, Any]", generator).ag_code
    else:
        return None
    return SuspendedFrame(generator, code, get_referents(generator))


def _stacked(manager: object) -> list[object]:
    """What an exit stack holds."""
    if not issubclass(type(manager), (ExitStack, AsyncExitStack)):
        return []
    callbacks: list[tuple[bool, object]] = list(getattr(manager, "_exit_callbacks", ()))
    return [cast("Any", callback).__self__ for _, callback in callbacks if type(callback) is MethodType]
