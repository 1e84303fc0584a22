# SPDX-License-Identifier: Apache-2.0
"""Which locks and permits a thread has, by the blocks its functions are in.

A `with` keeps the `__exit__` of what it has entered on the value stack: that is read, so the holder of a lock that was
taken by a block is known exactly, by whatever expression it was taken. What was taken by a bare `acquire()` leaves no
trace. It is inferred from the bytecode: an `acquire()` from which the current instruction can be reached without
passing a `release()` of the same reference. An `RLock` tells its owner itself.

What a task has of asyncio's: `probes/asyncio/states.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any, NamedTuple, cast
from weakref import ref

from ...model import Confidence
from ..internals import stdlib as internals
from ..internals.await_chain import chain, entered
from ..internals.frame_memory import FrameReader
from ..resource_types import Held
from ..resources import Resources
from ..source import source_text
from . import references
from .bytecode import Path, analysis
from .call_stack import CallStack

_ACQUIRE, _RELEASE = "acquire", "release"
_TAKING = frozenset({_ACQUIRE, _RELEASE})


class HeldPrimitive(NamedTuple):
    """A lock or permit in a thread's hands. `name`, `source`: the expression by which it was taken, and where. `outer`:
    of how many functions the one that took it is the innermost."""

    primitive: Any
    name: str
    source: str
    by_block: bool
    confidence: Confidence
    bare: bool = False
    outer: int = 0


HeldBy = Callable[[Any], object | None]
"""What being inside `with manager` holds, for a type of which some library knows that."""


def taken(stack: CallStack, given_up: list[Any], held_by: HeldBy) -> list[HeldPrimitive]:
    """What a thread with these frames has. `given_up`: locks that it has not although it is in their
    block: `Condition.wait` releases its lock."""
    found: list[HeldPrimitive] = []
    absent = {id(lock) for lock in given_up}
    for number, code in enumerate(stack.codes):
        if code.co_exceptiontable:
            reader = stack.reader(number)
            for block in analysis(code).with_blocks(reader.lasti):
                manager = _manager(reader.below_handler(block.slot))
                if manager is None:
                    continue
                name, source = _entered_by(reader, block.entered_at)
                if source.startswith("<frozen importlib"):
                    source = _asked_at(stack, number)
                for thing, confidence in _held_by(manager, 0, held_by):
                    by_block = confidence is Confidence.EXACT
                    outer = len(stack) - number
                    found.append(HeldPrimitive(thing, name, source, by_block, confidence, outer=outer))
        if _ACQUIRE in code.co_names and code.co_filename != threading.__file__:
            found += [one._replace(outer=len(stack) - number) for one in _bare(stack.reader(number), held_by)]
    unique: dict[int, HeldPrimitive] = {}
    for one in found:
        if id(one.primitive) not in absent and (id(one.primitive) not in unique or one.by_block):
            unique[id(one.primitive)] = one
    return list(unique.values())


def held_since(
    holder: str,
    before: list[tuple[ref[Any], Held]],
    taken: list[HeldPrimitive],
    resources: Resources,
    now_ns: int,
) -> list[tuple[ref[Any], Held]]:
    """What the node `holder` has. It has had for as long as `before` says what it has not let go of meanwhile: the same
    block, entered at the same place."""
    known = {id(thing): held for reference, held in before if (thing := reference()) is not None}
    found: list[tuple[ref[Any], Held]] = []
    for one in taken:
        held = known.get(id(one.primitive))
        since_ns = held.since_ns if held is not None and held.source == one.source else now_ns
        use = (one.name, one.source)
        if resources.record(one.primitive, now_ns, lambda use=use: use) is not None:
            made = Held(holder, since_ns, one.source, one.by_block, one.confidence, bare=one.bare)
            found.append((ref(one.primitive), made))
    return found


def _asked_at(stack: CallStack, number: int) -> str:
    """The line of the `import` that the frames of importlib from this one outwards carry out."""
    for outer in range(number, len(stack)):
        if not stack.codes[outer].co_filename.startswith("<frozen importlib"):
            return source_text.source_of(stack.codes[outer], stack.frames[outer].f_lasti)
    return ""


def _manager(leaving: object) -> Any:
    """What a `with` has entered, by the `__exit__` that it keeps."""
    if type(leaving) is MethodType or type(leaving) is BuiltinFunctionType:
        return leaving.__self__
    return None


def _entered_by(reader: FrameReader, entered_at: int | None) -> tuple[str, str]:
    """Name and `path:line` of a `with` item."""
    if entered_at is None:
        return "", source_text.source_of(reader.code, reader.lasti)
    path = analysis(reader.code).path_before(entered_at)
    return "" if path is None else path.short, source_text.source_of(reader.code, entered_at)


def _held_by(manager: Any, depth: int, held_by: HeldBy) -> Iterator[tuple[Any, Confidence]]:
    """What being inside `with manager` holds."""
    kind = cast("type[object]", type(manager))
    lock = held_by(manager)
    if lock is not None:
        yield lock, Confidence.EXACT
    elif depth > 3:
        return
    elif issubclass(kind, internals.GENERATOR_MANAGER):
        generator = internals.attribute(manager, "gen")
        if type(generator) is GeneratorType:
            for inner in entered(chain(cast("object", generator))):
                yield from _held_by(inner.manager, depth + 1, held_by)
    elif issubclass(kind, ExitStack):
        for callback in internals.stacked(manager):
            if type(callback) is MethodType:
                yield from _held_by(callback.__self__, depth + 1, held_by)
    else:
        for lock in _acquired_on_entry(manager, kind, held_by):
            yield lock, Confidence.INFERRED


def _acquired_on_entry(manager: object, kind: type[object], held_by: HeldBy) -> Iterator[Any]:
    """Locks that a context manager of the program's own takes in its `__enter__` and does not release there."""
    enter = internals.class_attribute(kind, "__enter__")
    if type(enter) is not FunctionType:
        return
    code = enter.__code__
    if code.co_argcount == 0:
        return
    for _, method, path in analysis(code).calls_of(_TAKING):
        if method == _ACQUIRE and path.local == 0:
            released = (call[2].text == path.text for call in analysis(code).calls_of(_TAKING) if call[1] == _RELEASE)
            found = None if any(released) else references.follow(manager, path)
            lock = None if found is None else held_by(found)
            if lock is not None:
                yield lock


def _bare(reader: FrameReader, held_by: HeldBy) -> Iterator[HeldPrimitive]:
    """Locks that a function may have taken by `acquire()`."""
    known = analysis(reader.code)
    calls = known.calls_of(_TAKING)
    for offset, method, path in calls:
        if method != _ACQUIRE:
            continue
        released = frozenset(at for at, other, where in calls if other == _RELEASE and where == path)
        site = known.call(offset)
        if site is None or site.arguments:  # it need not have got it
            held = known.follows_success(offset, reader.lasti, released)
        else:
            held = known.can_reach(offset, reader.lasti, released)
        if not held:
            continue
        lock = _resolved(reader, path, held_by)
        if lock is not None:
            source = source_text.source_of(reader.code, offset)
            yield HeldPrimitive(lock, path.short, source, False, Confidence.INFERRED, bare=True)


def _resolved(reader: FrameReader, path: Path, held_by: HeldBy) -> Any:
    """The lock or semaphore that a reference stands for in a frame."""
    found = references.value(reader, path)
    return None if found is None else held_by(found)


def given_up(stack: CallStack, condition_wait: int) -> list[Any]:
    """The locks of the conditions that a thread waits for."""
    waits = [number for number, code in enumerate(stack.codes) if id(code) == condition_wait]
    locks = [internals.condition_lock(stack.reader(number).local_named("self")) for number in waits]
    return [lock for lock in locks if lock is not None]
