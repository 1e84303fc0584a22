# SPDX-License-Identifier: Apache-2.0
"""Who can still wake whom: reachability over the heap, with blocked tasks as walls.

Whatever runs (a thread's frames, C code, a selector, a timer) holds counted references. So an object with more
references than the other objects of the heap explain is a root: the same subtraction that CPython's own collector
makes. What can be reached from the roots can still be used by something that runs. A blocked task and its suspended
coroutines are not walked through until the future it waits for has been reached; then the task may run again, and
whatever it has in its hands counts as well. A task that is left can be woken by nobody.

Where there is doubt, an object counts as reached:

- what is held by untracked or frozen objects, by running frames and by C code has unexplained references;
- a weak reference counts like a strong one, for the program may call it;
- what hangs on a task as an attribute can be used by whoever has the task;
- a suspended generator or an object with `__del__` that is garbage may do anything when it is collected.

From 3.14 on frames borrow references from the stack, and counts alone
do not tell roots any more.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import chain
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, NamedTuple, cast

from ..internals import versions
from ..internals.heap import not_walked

CHECKED_ON = versions.on("CPython")
CHECKED_VERSIONS = versions.minor(versions.CPYTHON)

_CHUNK = 2000  # objects between two calls of `pause`
_SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)
_C_TASK: type[Any] = asyncio.Task
_FIELDS = (CoroutineType, GeneratorType, Context, asyncio.Future, list)  # of every task, and no way to wake it
_WEAK = (weakref.ref, *_PROXIES)
_mro: Callable[[type[Any]], tuple[type[Any], ...]] = type.__dict__["__mro__"].__get__
_members: Callable[[type[Any]], dict[str, Any]] = type.__dict__["__dict__"].__get__
_referent = cast("Callable[[Any], Any]", weakref.ref.__call__)  # pyright: ignore[reportUnknownMemberType]  # typed for one kind of object; used for any


class Blocked(NamedTuple):
    """A task that waits. Addresses, so that nothing is held: of the task, of the future it is suspended on, and of
    the coroutines under it. `bounded`: a timer ends its wait."""

    task: int
    future: int
    suspended: tuple[int, ...]
    bounded: bool


class Reach(NamedTuple):
    """`lost`: addresses of the tasks nobody can wake. `dying`: of those that nobody holds either: the garbage
    collector will destroy them. `objects`: how many the heap has."""

    lost: set[int]
    dying: set[int]
    objects: int


def reach(blocked: Sequence[Blocked], ours: set[type[Any]], pause: Callable[[], None]) -> Reach:
    """Which of `blocked` cannot be woken by anything that runs.

    `ours`: types whose instances count for nothing, because they only watch. `pause` is called now and then. Exact only
    if the heap does not change meanwhile. The garbage collector must be off. Linear in objects and references; about
    200 bytes an object while it runs.
    """
    return _Heap(ours, pause).run(blocked)


class _Heap:
    def __init__(self, ours: set[type[Any]], pause: Callable[[], None]) -> None:
        self._pause = pause
        objects, counts = _counted()
        self._objects = objects  # kept to the end: dropping the last reference to one would run its destructor
        self._by_id = dict(zip(map(id, objects), objects, strict=True))
        self._ours = ours
        self._not_walked = {id(not_walked()), id(objects), id(counts), id(self._by_id)}
        self._roots = self._unexplained(counts)
        self._weak = {address for address, thing in self._by_id.items() if issubclass(type(thing), _WEAK)}
        self._targets: dict[int, set[int]] | None = None

    def _unexplained(self, counts: list[int]) -> set[int]:
        """Objects with more references than the walked objects hold."""
        explained: Counter[int] = Counter()
        known = self._by_id.__contains__
        for part in self._chunks(self._by_id.values()):
            explained.update(filter(known, map(id, chain.from_iterable(map(gc.get_referents, part)))))
        found: set[int] = set()
        for address, count in zip(self._by_id, counts, strict=True):
            if count > explained[address]:
                found.add(address)
        return found

    def _chunks(self, things: Iterable[Any]) -> Iterable[list[Any]]:
        """In pieces, without those that are not walked."""
        walked = [thing for thing in things if id(thing) not in self._not_walked]
        for begin in range(0, len(walked), _CHUNK):
            yield walked[begin : begin + _CHUNK]
            self._pause()

    def run(self, blocked: Sequence[Blocked]) -> Reach:
        walls = {task.task for task in blocked}.union(*(task.suspended for task in blocked))
        ours = {address for address, thing in self._by_id.items() if type(thing) in self._ours}
        self._left = self._by_id.keys() - walls - ours - self._not_walked
        self._tasks = {task.task for task in blocked}  # those whose attributes were not looked at
        self._met: set[int] = set()  # walls and others that were come upon, but not passed
        waiting: dict[int, list[Blocked]] = {}
        for task in blocked:
            waiting.setdefault(task.future, []).append(task)
        dead = {task.task: task for task in blocked}

        def revive(task: Blocked) -> list[int]:
            """The task may run again, and so may all who await it."""
            opened: list[int] = []
            work = [task]
            while work:
                one = work.pop()
                if dead.pop(one.task, None) is not None:
                    opened += (one.task, *one.suspended)
                    work += waiting.get(one.task, ())
            return opened

        start = set(self._roots & self._left)
        self._left -= start
        for task in blocked:
            # A future that is no tracked object cannot be judged.
            if task.bounded or (task.future not in self._by_id and task.future not in dead):
                start.update(revive(task))
        self._flood(start, waiting, revive)
        dying = self._dying(dead, walls, waiting, revive)
        return Reach(dead.keys() - dying, dying, len(self._objects))

    def _flood(
        self, start: set[int], waiting: dict[int, list[Blocked]], revive: Callable[[Blocked], list[int]]
    ) -> None:
        """Everything that can be reached from `start`; a task is passed once its future was."""
        frontier = start
        while frontier:
            woken = [task for future in frontier & waiting.keys() for task in waiting[future]]
            for task in woken:
                frontier |= set(revive(task))
            found = self._referents(frontier)
            self._met |= found - self._left
            found.update(self._weakly(frontier & self._weak))
            found.update(self._attributes(found & self._tasks))
            frontier = found & self._left
            self._left -= frontier

    def _referents(self, addresses: Iterable[int]) -> set[int]:
        found: set[int] = set()
        things = [self._by_id[address] for address in addresses if address in self._by_id]
        for part in self._chunks(things):
            found.update(map(id, chain.from_iterable(map(gc.get_referents, part))))
        return found

    def _attributes(self, tasks: set[int]) -> set[int]:
        """What the program has hung on blocked tasks that it can reach: it may use that without waking them."""
        self._tasks -= tasks
        found: set[int] = set()
        for address in tasks:
            task = self._by_id.get(address)
            if not issubclass(type(task), _C_TASK):
                found.update(map(id, gc.get_referents(task)))  # its own fields are attributes as well
                continue
            subclass = type(task) is not _C_TASK
            referents: list[Any] = gc.get_referents(task)
            for referent in referents:
                kind = cast("type[Any]", type(referent))
                if kind is dict or (subclass and kind not in _FIELDS):
                    found.add(id(referent))
        return found

    def _weakly(self, references: set[int]) -> set[int]:
        """What weak references and proxies refer to."""
        found: set[int] = set()
        for address in references:
            thing = self._by_id[address]
            if type(thing) in _PROXIES:
                found |= self._proxied().get(address, set())
            elif (target := _referent(thing)) is not None:
                found.add(id(target))
        return found

    def _proxied(self) -> dict[int, set[int]]:
        """What each proxy stands for. A proxy cannot be asked without running code of its target."""
        if self._targets is None:
            self._targets = {}
            for part in self._chunks(self._by_id.values()):
                for thing in part:
                    for reference in weakref.getweakrefs(thing):
                        if type(reference) in _PROXIES:
                            self._targets.setdefault(id(reference), set()).add(id(thing))
        return self._targets

    def _dying(
        self,
        dead: dict[int, Blocked],
        walls: set[int],
        waiting: dict[int, list[Blocked]],
        revive: Callable[[Blocked], list[int]],
    ) -> set[int]:
        """Tasks that are garbage, with no wall respected. What runs when garbage is collected may still wake others,
        so that is followed too."""
        if not dead:
            return set()
        held = self._met | (self._roots & walls)
        left = self._left | {a for task in dead.values() for a in (task.task, *task.suspended)}
        frontier = held & left
        left -= frontier
        while frontier:
            frontier = self._referents(frontier) & left
            left -= frontier
        dying = {address for address in dead if address in left}
        wakers = {address for address in left if _acts_when_collected(self._by_id.get(address))}
        for address in dying:
            wakers.update(dead[address].suspended)
        self._left -= wakers
        self._flood(wakers, waiting, revive)
        return dying


def _counted() -> tuple[list[Any], list[int]]:
    """All tracked objects, and how many references each has beyond those of this function.

    Nothing else of the analysis may hold an object while this runs: every variable counts.
    """
    (own,) = map(sys.getrefcount, [[]])  # of an object that is in one list and nowhere else
    objects: list[Any] = gc.get_objects()
    counts = list(map(sys.getrefcount, objects))
    return objects, [count - own for count in counts]


_acting: dict[type[Any], bool] = {}


def _acts_when_collected(thing: object) -> bool:
    kind = type(thing)
    if kind in _SUSPENDED:
        frame: object = (
            cast("Any", thing).cr_suspended
            if kind is CoroutineType
            else cast("Any", thing).gi_suspended
            if kind is GeneratorType
            else True
        )
        return bool(frame)
    known = _acting.get(kind)
    if known is None:
        known = _acting[kind] = any("__del__" in _members(base) for base in _mro(kind))
    return known
