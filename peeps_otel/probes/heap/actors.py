# SPDX-License-Identifier: Apache-2.0
"""Where the walk back from a waited-on thing ends: at somebody who may act, or at what everybody can reach.

*Actors* are tasks with their suspended coroutines, the callbacks that loops will run, and threads with their locals.
*Common ground* are the dictionaries of modules, classes and the fields of loops: being there says nothing about who.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import CellType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple, cast

from ..internals import asyncio_core as internals
from ..internals import trio
from ..internals.frame_memory import stack_words
from ..internals.heap import attribute
from ..internals.loop import is_foreign, thread_of, turned_for
from ..internals.loop_handles import callbacks, code_of
from ..internals.thread import STARTED_WITH, known_threads
from .dead_locals import dead_locals, stack_depth
from .ender import Key
from .picture import Picture
from .remaining_code import Place, is_of_a_wait
from .suspensions import Suspensions

STOPPED = "stopped"
"""The kind of a callback of a loop that no thread runs: it comes only if somebody runs that loop."""
_WEAK_MAPPINGS = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
_KINDS: tuple[type[Any], ...] = (FunctionType, weakref.WeakSet, *_WEAK_MAPPINGS)
_TASKS = 50  # between two calls of `pause`
_BASES = (type, ModuleType, asyncio.AbstractEventLoop)


@dataclass(slots=True)
class Actor:
    """`waits`: it can only go on when somebody ends its wait. `places`: where its frames stand, `callback`: what a
    handle will call. `holds`: addresses of what it has entered by `with` or `async with`."""

    key: Key
    name: str
    waits: bool = False
    places: list[Place] = field(default_factory=list[Place])
    holds: set[int] = field(default_factory=set[int])
    callback: CodeType | None = None
    own_wakeup: bool = False


class ThreadFrames(NamedTuple):
    """A thread as it was just before the picture: `blocked`: it is known to wait for something of this program."""

    ident: int
    name: str
    frame: FrameType
    blocked: bool


class Actors:
    """Everybody who may act, and where each is met. For one picture; holds objects of the program while it lives."""

    def __init__(
        self,
        picture: Picture,
        threads: Sequence[ThreadFrames],
        ours: set[type[Any]],
        suspensions: Suspensions,
        pause: Callable[[], None],
    ) -> None:
        self._pause = pause
        self._picture, self._suspensions = picture, suspensions
        self.by_key: dict[Key, Actor] = {}
        self.at: dict[int, Key] = {}
        """Address of an object that belongs to one actor alone."""
        self.local: dict[int, list[Key]] = {}
        """Address of a value -> the threads that have it in a local variable or on a value stack."""
        self.local_names: dict[int, set[tuple[str, CodeType]]] = {}
        """Address of a value -> the variables that have it, of functions that run: names, and whose."""
        self.on_stacks: list[tuple[int, Key]] = []
        """Words on value stacks, which may be addresses of objects, and the threads they belong to."""
        self.started_with: dict[int, Key] = {}
        """Address of what a running thread was started with."""
        self.thread_objects: dict[int, Key] = {}
        self.frame_references: Counter[int] = Counter()
        """References of running frames that the heap does not show: locals, value stacks, functions and cells."""
        self.ground: dict[int, tuple[str, str]] = {}
        self.entries: set[int] = set()
        """Weak references in weak containers: nobody relies on those."""
        self.functions: dict[str, list[CodeType]] = {}
        self.hidden: set[int] = set(picture.own_ids) | {id(threads), id(vars(self))}
        self._blocked = {thread.ident: thread.name for thread in threads if thread.blocked}
        loops = self._read_heap(ours)
        self._read_signal_handlers()
        for loop in loops:
            self._read_loop(loop)
        self._read_tasks()
        for thread in threads:
            self._read_thread(thread)

    def _read_heap(self, ours: set[type[Any]]) -> list[asyncio.AbstractEventLoop]:
        loops: list[asyncio.AbstractEventLoop] = []
        ground, functions = self.ground, self.functions

        wanted = {*map(id, _KINDS), *map(id, ours)}
        for _, thing in self._picture.of(lambda kind: id(kind) in wanted or issubclass(kind, _BASES)):
            kind = cast("type[Any]", type(thing))
            if kind is FunctionType:
                ground.setdefault(id(thing.__globals__), ("global", str(thing.__globals__.get("__name__", "?"))))
                if thing.__code__.co_flags & inspect.CO_OPTIMIZED:  # the body of a module runs once
                    functions.setdefault(thing.__code__.co_name, []).append(thing.__code__)
            elif kind in ours:
                self.hidden.add(id(thing))
            elif issubclass(kind, type):
                ground[id(thing)] = ("class", kind_name(thing))
            elif issubclass(kind, ModuleType):
                names = cast("dict[str, Any]", ModuleType.__getattribute__(thing, "__dict__"))
                ground[id(names)] = ("global", str(names.get("__name__", "?")))
                ground[id(thing)] = ("global", "a module")
            elif kind is weakref.WeakSet:
                self.entries.update(map(id, thing.data))
            elif kind in _WEAK_MAPPINGS:
                entries = cast("dict[Any, Any]", attribute(thing, "data"))
                self.entries.update(map(id, entries if kind is weakref.WeakKeyDictionary else entries.values()))
            elif issubclass(kind, asyncio.AbstractEventLoop):
                loops.append(thing)
                ground[id(thing)] = ("loop", "a field of the loop")
                fields = attribute(thing, "__dict__")
                if fields is not None:
                    ground[id(fields)] = ("loop", "a field of the loop")
        return loops

    def _add(self, actor: Actor, things: Iterable[object]) -> None:
        self.by_key[actor.key] = actor
        for thing in things:
            self.at[id(thing)] = actor.key

    def _read_signal_handlers(self) -> None:
        """Those of the `signal` module, which has them in C. A signal may come at any time."""
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            code = code_of(handler)
            if code is not None and handler is not signal.default_int_handler:
                key = Key("signal", int(number))
                self._add(Actor(key, f"signal {int(number)}: {code.co_qualname}", places=[Place(code, -1)]), [handler])

    def _read_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        ident = thread_of(loop)
        runs = is_foreign(loop) or ident is not None
        for one in callbacks(loop):
            if ident in self._blocked and one.code is not None and not one.own_wakeup:
                self._put_off(ident, one.handle, one.code)
                continue
            key = Key(one.kind if runs else STOPPED, id(one.handle))
            self._add(Actor(key, one.name, callback=one.code, own_wakeup=one.own_wakeup), [one.handle])

    def _put_off(self, ident: int, handle: object, code: CodeType) -> None:
        """What a loop will call once its thread, which waits inside an earlier callback, goes on: so it is the thread's
        to do."""
        key = Key("thread", ident)
        actor = self.by_key.setdefault(key, Actor(key, self._blocked[ident], True))
        actor.places.append(Place(code, -1))
        self.at[id(handle)] = key

    def _read_tasks(self) -> None:
        for number, task in enumerate(internals.live_tasks()):
            if number % _TASKS == 0:
                self._pause()
            self._read_task(task, task.get_coro(), internals.awaited_future(task) is not None)

        for run in trio.runs():
            for task in trio.tasks_of(run):
                self._read_task(task, task.coro, trio.suspension(task).abort is not None)

    def _read_task(self, task: Any, coroutine: Any, waits: bool) -> None:
        links, managers = self._suspensions.of(coroutine)
        actor = Actor(Key("task", id(task)), "", waits)
        for link in links:
            lasti = link.lasti
            actor.places.append(Place(link.code, -1 if lasti is None else lasti))
        actor.holds.update(id(one.manager) for one in managers)
        self._add(actor, [task, *(link.suspended for link in links)])

    def _read_thread(self, thread: ThreadFrames) -> None:
        key = Key("thread", thread.ident)
        frame: FrameType | None = thread.frame
        turns, until = _loop_turned_by(frame)
        if turns:
            # What it has to do is done by the loop's callbacks and tasks; its own code goes on when that one has ended.
            key = self.at.get(id(until), Key("stack", f"{thread.name}, once its loop is stopped"))
        actor = self.by_key.setdefault(key, Actor(key, thread.name, thread.blocked))
        while frame is not None:
            code = frame.f_code
            actor.places.append(Place(code, frame.f_lasti))
            self.frame_references[id(code)] += 1  # a running frame holds its function
            if (
                code.co_flags & inspect.CO_OPTIMIZED
            ):  # the locals of a module or class body are a dictionary of the heap
                cells = {*code.co_cellvars, *code.co_freevars}
                dead = dead_locals(code, frame.f_lasti) - cells
                named = not is_of_a_wait(code)
                for name, value in dict(frame.f_locals).items():
                    if named:
                        self.local_names.setdefault(id(value), set()).add((name, code))
                    if name not in cells:
                        self.frame_references[id(value)] += 1
                    if name in dead:
                        continue
                    self.local.setdefault(id(value), []).append(key)
            for word in stack_words(frame, stack_depth(code, frame.f_lasti)):
                self.frame_references[word] += 1
                self.local.setdefault(word, []).append(key)
                self.on_stacks.append((word, key))
            frame = frame.f_back
        of = known_threads().get(thread.ident)
        if of is None:
            return
        fields = cast("dict[str, Any]", attribute(of, "__dict__") or {})
        self.thread_objects[id(of)] = self.thread_objects[id(fields)] = key
        for name in STARTED_WITH:
            if (value := fields.get(name)) is not None:
                self.started_with[id(value)] = key


def _loop_turned_by(frame: FrameType | None) -> tuple[bool, Any]:
    found: tuple[bool, Any] = (False, None)
    while frame is not None:
        turns, until = turned_for(frame)
        if not turns:
            turns, until = trio.turned_for(frame)
        if (turns and not found[0]) or until is not None:
            found = turns, until
        frame = frame.f_back
    return found


def kind_name(kind: type[Any]) -> str:
    """The name of a class, past its metaclass."""
    return str(type.__getattribute__(kind, "__name__"))


def content(cell: CellType) -> object:
    """What a cell has; the cell itself where it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return cell
