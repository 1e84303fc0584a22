# SPDX-License-Identifier: Apache-2.0
"""What is kept of a task or thread that an exception has ended: facts and weak references, never the exception itself.

Called on the thread that dies or on the watcher's. Reads stored values only: no `repr`, no property, no `str` of an
exception of the program.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
import time
from collections.abc import Iterable
from gc import get_referents, is_tracked
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple, cast
from weakref import ref

from ...model import NodeKind
from ..internals.stdlib import LOCK, RLOCK, SIMPLE_QUEUE
from ..resource_types import ResourceType

_FRAMES_MOST = 30
_HANDS_MOST = 200
_THINGS_MOST = 64
_MESSAGE_MOST = 200
_NOT_HANDS = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, str, int, bytes, BaseException)
_USED: tuple[type[Any], ...] = (
    LOCK,
    RLOCK,
    SIMPLE_QUEUE,
    *(threading.Condition, threading.Semaphore, threading.Event, threading.Barrier, queue.Queue),
    *(asyncio.Lock, asyncio.Semaphore, asyncio.Condition, asyncio.Event, asyncio.Barrier, asyncio.Queue),
    *(asyncio.Future, concurrent.futures.Future),
)
_ENDED_BY_CODE = frozenset(
    {
        *(NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.CONDITION, NodeKind.EVENT, NodeKind.BARRIER),
        *(NodeKind.TX, NodeKind.RX),
    }
)
_of_libraries: dict[str, tuple[type[Any], ...]] = {}
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_arguments_of = BaseException.__dict__["args"].__get__


class Had(NamedTuple):
    """A thing that the functions which an exception has left could use. `names`: of what they call, `put` and the
    like, so that is told what they did with it."""

    thing: ref[Any]
    names: frozenset[str]


class Death(NamedTuple):
    """`error`: the type of the exception, `message`: its first argument, a text that is only told where that is
    allowed. `stack`: code and line, outermost first. `exception`: its address, by which two who tell of one death are
    known."""

    kind: NodeKind
    name: str
    error: str
    message: str
    stack: tuple[tuple[CodeType, int], ...]
    had: tuple[Had, ...]
    time_ns: int
    exception: int


def also_used(library: str, types: Iterable[ResourceType]) -> None:
    """Notes what tasks and threads use of a library that the program has imported."""
    found = tuple(one.cls for one in types if one.cls is not object and not _ENDED_BY_CODE.isdisjoint(one.kinds))
    _of_libraries[library] = found


def death_of(kind: NodeKind, name: str, exception: BaseException) -> Death | None:
    """None for an exception that is no accident."""
    of = type(exception)
    if issubclass(of, (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)):
        return None
    stack: list[tuple[CodeType, int]] = []
    found: dict[int, Had] = {}
    step: TracebackType | None = _traceback_of(exception)
    while step is not None and len(stack) < _FRAMES_MOST:
        frame = step.tb_frame
        stack.append((frame.f_code, step.tb_lineno))
        _add(frame, found)
        step = step.tb_next
    arguments: object = _arguments_of(exception)
    first: object = cast("tuple[object, ...]", arguments)[0] if type(arguments) is tuple and arguments else None
    return Death(
        kind,
        name,
        of.__qualname__ if of.__module__ == "builtins" else f"{of.__module__}.{of.__qualname__}",
        first[:_MESSAGE_MOST] if type(first) is str else "",
        tuple(stack),
        tuple(found.values()),
        time.time_ns(),
        id(exception),
    )


def _add(frame: FrameType, found: dict[int, Had]) -> None:
    """What a function that was left could reach: its variables, what is in them, and the globals it names."""
    names = frozenset(frame.f_code.co_names)
    # Of a function that has ended these are its variables; of one that still runs, nothing.
    referents: list[Any] = get_referents(frame)
    module = frame.f_globals
    if type(module) is dict:
        referents += [module[name] for name in frame.f_code.co_names if name in module]
    for referent in referents[:_HANDS_MOST]:
        if referent is module:
            continue
        _keep(referent, names, found)
        if (
            issubclass(type(referent), _NOT_HANDS)
            or _is_used(cast("type[Any]", type(referent)))
            or not is_tracked(referent)
        ):
            continue
        a_dictionary = issubclass(type(referent), dict)
        inner_ones: list[Any] = get_referents(referent)
        for inner in inner_ones[:_HANDS_MOST]:
            _keep(inner, names, found)
            for value in () if a_dictionary else _fields(inner):
                _keep(value, names, found)


def _fields(inner: object) -> list[Any]:
    """The attributes of an object, where these are them."""
    return list(cast("dict[Any, Any]", inner).values())[:_HANDS_MOST] if type(inner) is dict else []


def _is_used(kind: type[Any]) -> bool:
    return issubclass(kind, _USED) or any(issubclass(kind, types) for types in list(_of_libraries.values()))


def _keep(thing: Any, names: frozenset[str], found: dict[int, Had]) -> None:
    kind = cast("type[Any]", type(thing))
    if not _is_used(kind) or issubclass(kind, asyncio.Task) or len(found) >= _THINGS_MOST:
        return
    known = found.get(id(thing))
    if known is not None:
        found[id(thing)] = known._replace(names=known.names | names)
        return
    try:
        found[id(thing)] = Had(ref(thing), names)
    except TypeError:
        return
