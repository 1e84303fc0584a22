# SPDX-License-Identifier: Apache-2.0
"""The callbacks that an event loop of asyncio will run: those that are due, on timers, on file descriptors and on
signals. uvloop keeps its own in C, where nothing of them can be seen.

Only what a loop still has counts: a handle that the program keeps after it has run goes on referring to its arguments.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Iterator
from functools import partial
from types import BuiltinMethodType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple, cast

from . import aiohttp_server, versions

CHECKED_ON = versions.on("CPython")
_MOST = 100_000
_END_WAITS = frozenset({"_set_result_unless_cancelled", "_release_waiter", "Timeout._on_timeout"})
_ASYNCIO = base_events.__file__.removesuffix("base_events.py")


class Callback(NamedTuple):
    """`kind`: `ready`, `timer`, `io` or `signal`. `name`: what will be called; for `io` and `signal` also of what.
    `own_wakeup`: the loop's own pipe, by which it wakes itself. `ends_wait`: the timer of a task that sleeps or waits
    with a timeout, which does nothing but end that wait."""

    kind: str
    handle: Any
    name: str
    code: CodeType | None
    own_wakeup: bool = False
    ends_wait: bool = False


def tells_its_callbacks(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `callbacks` can say anything of it."""
    return issubclass(type(loop), base_events.BaseEventLoop)


def callbacks(loop: asyncio.AbstractEventLoop) -> Iterator[Callback]:
    """Of a loop that stands still, without those that are known to do nothing when they come. Nothing for a loop that
    is not asyncio's own."""
    if not issubclass(type(loop), base_events.BaseEventLoop):
        return
    fields: dict[str, Any] = object.__getattribute__(loop, "__dict__")
    for kind, name in (("ready", "_ready"), ("timer", "_scheduled")):
        for handle in list(cast("list[Any]", fields.get(name, ())))[:_MOST]:
            if not _field(handle, "_cancelled") and not aiohttp_server.does_nothing(_field(handle, "_callback")):
                yield _callback(kind, handle, "")
    for number, handle in list(cast("dict[int, Any]", fields.get("_signal_handlers") or {}).items()):
        yield _callback("signal", handle, f"signal {number}: ")
    own = _file_number(fields.get("_ssock"))
    selector: object = fields.get("_selector")
    keys = cast("dict[int, Any]", _field(selector, "_fd_to_key") or {})
    for key in list(keys.values()):
        data: Any = key.data  # asyncio's reader and writer; something else on a selector that the program shares
        for handle in cast("tuple[Any, ...]", data) if type(data) is tuple else ():
            if handle is not None:
                yield _callback("io", handle, f"file {key.fd}: ")._replace(own_wakeup=key.fd == own)


def code_of(function: object) -> CodeType | None:
    """Of a function, a bound method of one, or a partial of either."""
    for _ in range(4):
        if type(function) is FunctionType:
            return function.__code__
        if type(function) is MethodType:
            function = function.__func__  # pyright: ignore[reportFunctionMemberAccess]  # a bound method, by its exact type
        elif type(function) is partial:
            function = cast("partial[Any]", function).func
        else:
            return None
    return None


def called_on(handle: object) -> object:
    """Of a handle whose callback is a method: what that is bound to."""
    function: object = _field(handle, "_callback")
    return function.__self__ if type(function) is MethodType else None


def _callback(kind: str, handle: Any, of: str) -> Callback:
    function: object = _field(handle, "_callback")
    code = code_of(function)
    name = code.co_qualname if code is not None else _c_name(function)
    return Callback(
        kind, handle, of + name, code, ends_wait=kind == "timer" and name in _END_WAITS and _is_asyncio(code)
    )


def _is_asyncio(code: CodeType | None) -> bool:
    return code is not None and code.co_filename.startswith(_ASYNCIO)


def _c_name(function: object) -> str:
    if issubclass(type(function), BuiltinMethodType):
        name: object = BuiltinMethodType.__getattribute__(cast("Any", function), "__qualname__")
        return name if type(name) is str else "a callback"
    return "a callback"


def _file_number(sock: object) -> int:
    import socket

    return socket.socket.fileno(sock) if type(sock) is socket.socket else -1


def _field(thing: object, name: str) -> object:
    """Past any `__getattr__` of the program."""
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None
