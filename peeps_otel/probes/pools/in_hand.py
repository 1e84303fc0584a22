# SPDX-License-Identifier: Apache-2.0
"""What of a pool a task or thread has in hand: a connection, a response, a session in a live function.

A handle is in hand while a variable or a `with` block of a function refers to it, or less surely while an object there
has it as an attribute. Nothing of the program is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from gc import get_referents, is_tracked
from itertools import pairwise, repeat
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple, cast
from weakref import ref

from ..asyncio.blocks import entered_at
from ..internals.await_chain import GENERATOR_MANAGERS, Entered, SuspendedFrame, chain, entered
from ..internals.frame_memory import FrameReader, local_names
from ..internals.stdlib import attribute
from ..library_registry import LibraryRegistry
from ..pool_types import Lent
from ..source import own_code, source_text
from ..threads.bytecode import analysis
from ..threads.call_stack import CallStack

_FRAMES_MOST = 64
_ATTRIBUTES_MOST = 100
_GENERATORS = (GeneratorType, AsyncGeneratorType)
_GENERATOR = frozenset({id(GeneratorType)})
_NOT_LOOKED_INTO = (
    *(type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, CoroutineType, GeneratorType),
    *(AsyncGeneratorType, MethodType, CellType, str, int, float, bytes),
)


class Borrowed(NamedTuple):
    """Something of a pool in somebody's hands. `thing`: its address, with a reference that tells whether it is still
    that. `source`: `path:line` where it was taken; empty where that is not clear. `direct`: by a variable or block, not
    by an attribute of one."""

    thing: int
    reference: ref[Any]
    pool: ref[Any] | None
    source: str
    direct: bool


def of_task(links: list[SuspendedFrame], libraries: LibraryRegistry) -> tuple[Borrowed, ...]:
    """Of a suspended task. `links`: its chain of awaits, outermost first."""
    found = _Found(libraries)
    _add_suspended(found, links)
    return found.all()


def _add_suspended(found: _Found, links: list[SuspendedFrame]) -> None:
    for link in links:
        for referent in link.referents:
            for one in _contents(referent):
                for lent in found.lent_by(one):
                    found.add(lent, lambda link=link, one=one, by=lent.taken_by: _stored_in_suspended(link, one, by))
    for manager in entered(links):
        for one in _with_inner(manager.manager):
            for lent in found.lent_by(one):
                found.add(lent, lambda manager=manager: _entered_at(manager))
    for link in links:
        if own_code.is_own(link.code.co_filename):
            for referent in link.referents:
                found.add_attributes_of(referent)


def of_thread(stack: CallStack, libraries: LibraryRegistry) -> tuple[Borrowed, ...]:
    """Of a thread that sleeps: what its functions have, and the generators there that wait to go on."""
    found = _Found(libraries)
    some = range(min(len(stack), _FRAMES_MOST) - 1, -1, -1)  # outermost first
    for number in some:
        reader = stack.reader(number)
        for index in range(len(local_names(reader.code))):
            value = reader.local(index)
            for lent in found.lent_by(value):
                by = lent.taken_by
                found.add(lent, lambda reader=reader, index=index, by=by: _taken_at(reader, index, by))
        if reader.code.co_exceptiontable:
            for block in analysis(reader.code).with_blocks(reader.lasti):
                leaving = reader.below_handler(block.slot)
                for one in _with_inner(leaving.__self__) if type(leaving) is MethodType else ():
                    at = reader.lasti if block.entered_at is None else block.entered_at
                    for lent in found.lent_by(one):
                        found.add(lent, lambda reader=reader, at=at: source_text.source_of(reader.code, at))
    for number in some:
        reader = stack.reader(number)
        if own_code.is_own(reader.code.co_filename):
            values = [reader.local(index) for index in range(len(local_names(reader.code)))]
            for value in values:
                found.add_attributes_of(value)
            for generator in _waiting((*values, *_iterated(reader))):
                _add_suspended(found, chain(generator))
    return found.all()


def _waiting(values: Iterable[object]) -> Iterator[object]:
    """The generators among them that wait to go on."""
    for value in values:
        if type(value) is GeneratorType and not cast("GeneratorType[Any, Any, Any]", value).gi_running:
            yield cast("object", value)


def _iterated(reader: FrameReader) -> Iterator[Any]:
    """The generators that the `for` loops around its instruction go through."""
    for slot in analysis(reader.code).iterated(reader.lasti):
        yield reader.argument(slot, _GENERATOR)


def reference(thing: object) -> ref[Any]:
    """Tells whether a thing lives. One that takes no weak reference cannot be told from a later one of its type at its
    address: it lives as long as the function that has it stands still, which is asked before."""
    try:
        return ref(thing)
    except TypeError:
        return ref(type(thing))


class _Found:
    """By address of the thing. What was found first stays, but a place where it was taken is still wanted."""

    def __init__(self, libraries: LibraryRegistry) -> None:
        self._libraries = libraries
        self._known: dict[int, Borrowed] = {}

    def lent_by(self, handle: object) -> Iterable[Lent]:
        return self._libraries.lent_by(handle)

    def add(self, lent: Lent, source: Callable[[], str], direct: bool = True) -> None:
        known = self._known.get(id(lent.thing))
        if known is not None and (known.source or not direct):
            return
        try:
            pool = None if lent.pool is None else ref(lent.pool)
        except TypeError:
            return
        self._known[id(lent.thing)] = Borrowed(id(lent.thing), reference(lent.thing), pool, source(), direct)

    def add_attributes_of(self, value: object) -> None:
        """One step further: `self.connection`, or a list of responses."""
        if (
            value is None
            or type(value) in _NOT_LOOKED_INTO
            or not is_tracked(value)
            or self._libraries.is_handle(value)
        ):
            return
        for one in get_referents(value)[:_ATTRIBUTES_MOST]:
            values = (one,)
            if type(one) is dict:
                values = tuple(cast("dict[object, object]", one).values())[:_ATTRIBUTES_MOST]
            for inner in values:
                for lent in self.lent_by(inner):
                    self.add(lent, str, direct=False)

    def all(self) -> tuple[Borrowed, ...]:
        return tuple(self._known.values())


def _contents(referent: Any) -> tuple[Any, ...]:
    """A variable's value: of one that an inner function shares, what is in its cell."""
    return tuple(get_referents(referent)) if type(referent) is CellType else (referent,)


def _with_inner(manager: Any) -> Iterator[Any]:
    """A context manager, and the variables of the generator behind it where it is one."""
    yield manager
    if issubclass(cast("type[object]", type(manager)), GENERATOR_MANAGERS):
        generator = attribute(manager, "gen")
        if type(generator) in _GENERATORS:
            yield from get_referents(generator)


# --- where it was taken -----------------------------------------------------------------------------------------------


def _stored_in_suspended(link: SuspendedFrame, value: object, taken_by: str) -> str:
    """The line of a suspended function that stored a value in one of its variables, or took it."""
    if not own_code.is_own(link.code.co_filename):
        return ""
    frame = link.frame
    if frame is None:
        return ""
    # A suspended function stays where it is while this thread has the GIL; each reading checks that anew.
    reader = FrameReader(frame, repeat(0), 0)
    for index in range(len(local_names(link.code))):
        if reader.local(index) is value:
            return _taken_at(reader, index, taken_by)
    return ""


def _taken_at(reader: FrameReader, index: int, taken_by: str) -> str:
    """Where a local got its value, or the last call before of its method of this name."""
    code, lasti = reader.code, reader.lasti
    if not taken_by:
        return _stored_at(code, index, lasti)
    if not own_code.is_own(code.co_filename):
        return ""
    known, offset = analysis(code), None
    for before, op in pairwise(known.ops):
        is_call = op.name in ("LOAD_METHOD", "LOAD_ATTR") and known.name_of(op) == taken_by
        if is_call and _loads(before.name, before.argument, index) and op.offset <= lasti:
            offset = op.offset
    return "" if offset is None else source_text.source_of(code, offset)


def _stored_at(code: CodeType, index: int, lasti: int) -> str:
    """The last line before `lasti` that stores into a local of a function of the program; of an argument none."""
    if not own_code.is_own(code.co_filename):
        return ""
    offset = None
    for op in analysis(code).ops:
        if _stores(op.name, op.argument, index) and (offset is None or op.offset <= lasti):
            offset = op.offset
    return "" if offset is None else source_text.source_of(code, offset)


def _loads(name: str, argument: int, index: int) -> bool:
    """Whether an instruction leaves a local on top of the stack."""
    if name in ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW", "STORE_FAST_LOAD_FAST"):
        return argument & 15 == index
    return name in ("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF") and argument == index


def _stores(name: str, argument: int, index: int) -> bool:
    match name:
        case "STORE_FAST" | "STORE_DEREF" | "STORE_FAST_MAYBE_NULL":
            return argument == index
        case "STORE_FAST_STORE_FAST":
            return index in (argument >> 4, argument & 15)
        case "STORE_FAST_LOAD_FAST":
            return argument >> 4 == index
        case _:
            return False


def _entered_at(manager: Entered) -> str:
    """The line of the `with` item in a suspended function of the program."""
    return entered_at(manager)[1] if own_code.is_own(manager.link.code.co_filename) else ""
