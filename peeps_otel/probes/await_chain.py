# SPDX-License-Identifier: Apache-2.0
"""From a task down to what it is suspended in, and what it holds on the way.

A suspended coroutine shows its callee as `cr_await`; where the chain passes through something without that attribute
(an async generator's step, a coroutine wrapper) the garbage collector's view of its references leads on. Neither makes
a frame object, which would stay with the coroutine for the rest of its life, nor runs any code of the program.

A coroutine that is suspended inside `async with x` has the bound method `x.__aexit__` on its value stack, and
`gc.get_referents` shows the value stack: that is how a holder is known without recording anything.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    _AsyncGeneratorContextManager,  # pyright: ignore[reportPrivateUsage]
    _GeneratorContextManager,  # pyright: ignore[reportPrivateUsage]
)
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any, NamedTuple, cast

_DEPTH = 200
_STEPPERS = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper")
_EXITS = ("__aexit__", "__exit__")
_GENERATOR_MANAGERS = (_GeneratorContextManager, _AsyncGeneratorContextManager)


class Link(NamedTuple):
    """One suspended coroutine, generator or async generator of a chain."""

    suspended: Any
    code: CodeType

    @property
    def frame(self) -> FrameType | None:
        """Its frame. Creates a frame object: only for those whose line is wanted."""
        suspended = self.suspended
        if type(suspended) is CoroutineType:
            return suspended.cr_frame
        return suspended.ag_frame if type(suspended) is AsyncGeneratorType else suspended.gi_frame


def chain(coroutine: object) -> list[Link]:
    """The suspended frames below `coroutine`, outermost first. A torn or foreign chain ends early."""
    links: list[Link] = []
    current: Any = coroutine
    for _ in range(_DEPTH):
        kind = cast("type[object]", type(current))
        if kind is CoroutineType:
            links.append(Link(current, current.cr_code))
            current = current.cr_await
        elif kind is GeneratorType:
            links.append(Link(current, current.gi_code))
            current = current.gi_yieldfrom
        elif kind is AsyncGeneratorType:
            links.append(Link(current, current.ag_code))
            current = current.ag_await
        elif current is None:
            break
        else:
            following = _behind(current)
            if following is None:
                break
            current = following
    return links


def _behind(opaque: object) -> object:
    """The coroutine or async generator that an awaitable of another type steps."""
    if type(opaque).__name__ not in _STEPPERS:
        return None
    for referent in gc.get_referents(opaque):
        if type(referent) in (CoroutineType, AsyncGeneratorType, GeneratorType):
            return referent
    return None


class Entered(NamedTuple):
    """A context manager whose block a coroutine is suspended in, or is entering or leaving."""

    manager: Any
    link: Link
    position: int  # among the managers of this link, outermost first
    total: int


def entered(links: list[Link]) -> Iterator[Entered]:
    """The context managers along a chain, those inside `@contextmanager` functions and exit stacks included."""
    for number, link in enumerate(links):
        child = links[number + 1] if number + 1 < len(links) else None
        yield from _entered_by(link, child, 0)


def _entered_by(link: Link, child: Link | None, depth: int) -> Iterator[Entered]:
    managers = [manager for referent in gc.get_referents(link.suspended) if (manager := _exits(referent)) is not None]
    for position, manager in enumerate(managers):
        if child is not None and child.code.co_name in ("__aenter__", "acquire") and _is_self(manager, child):
            continue  # still waiting to enter
        yield Entered(manager, link, position, len(managers))
        if depth < 3:
            for inner in _inner(manager):
                yield from _entered_by(inner, None, depth + 1)
            for callback_owner in _stacked(manager):
                yield Entered(callback_owner, link, -1, 0)


def _is_self(manager: object, link: Link) -> bool:
    return any(referent is manager for referent in gc.get_referents(link.suspended))


def _exits(referent: object) -> Any:
    """The manager where `referent` is its bound `__exit__` or `__aexit__`. Looks at exact types only: even
    `isinstance` or reading a name may run code of a proxy object."""
    if type(referent) is MethodType:
        function: object = referent.__func__
        if type(function) is FunctionType and function.__code__.co_name in _EXITS:
            return referent.__self__
    elif type(referent) is BuiltinMethodType and referent.__name__ in _EXITS:
        return referent.__self__
    return None


def _inner(manager: object) -> Iterator[Link]:
    """The suspended generator of a `@contextmanager` or `@asynccontextmanager`."""
    if not issubclass(type(manager), _GENERATOR_MANAGERS):
        return
    generator = cast("Any", manager).gen
    if type(generator) is GeneratorType:
        yield Link(generator, cast("GeneratorType[Any, Any, Any]", generator).gi_code)
    elif type(generator) is AsyncGeneratorType:
        yield Link(generator, cast("AsyncGeneratorType[Any, Any]", generator).ag_code)


def _stacked(manager: object) -> list[object]:
    """What an exit stack holds."""
    if not issubclass(type(manager), (ExitStack, AsyncExitStack)):
        return []
    callbacks: list[tuple[bool, object]] = list(getattr(manager, "_exit_callbacks", ()))
    return [cast("Any", callback).__self__ for _, callback in callbacks if type(callback) is MethodType]
