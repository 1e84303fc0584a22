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
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import compress, repeat
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, NamedTuple, cast

from ..internals import versions
from ..internals.heap import not_walked
from .picture import Picture

CHECKED_ON = versions.on("CPython")
CHECKED_VERSIONS = versions.minor(versions.CPYTHON)

_CHUNK = 2000  # objects between two calls of `pause`
_OUT, _LEFT, _WALL, _MET = range(4)
"""Of an object: passed, or not to be; not come upon yet; of a blocked task, and not come upon; of one, and held."""
_IS_LEFT = bytes(one == _LEFT for one in range(256))
_IS_AWAITED, _IS_WEAK = 1, 2
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


def reach(picture: Picture, blocked: Sequence[Blocked], ours: set[type[Any]], pause: Callable[[], None]) -> Reach:
    """Which of `blocked` cannot be woken by anything that runs.

    `ours`: types whose instances count for nothing, because they only watch. `pause` is called now and then. Exact only
    if the heap has not changed since the picture was begun. The garbage collector must be off. Linear in objects and
    references.
    """
    if picture.native is not None:
        left_out = [id(not_walked()), *picture.own_ids]
        given, watching = [tuple(one) for one in blocked], set(map(id, ours))
        lost, dying = picture.native.reach(given, watching, left_out, (_C_TASK,), _FIELDS, _WEAK, _acts_when_collected)
        return Reach(lost - dying, dying, len(picture.objects))
    return _Heap(picture, ours, pause).run(blocked)


class _Heap:
    def __init__(self, picture: Picture, ours: set[type[Any]], pause: Callable[[], None]) -> None:
        self._picture, self._pause = picture, pause
        self._roots = picture.unexplained()
        size = len(picture.objects)
        self._state = bytearray(repeat(_LEFT, size))
        self._state.append(_OUT)  # for what is not tracked: position -1
        self._acts = bytearray(size)  # where more is to be done than to follow its references
        watching = set(map(id, ours))
        for place, _ in picture.of(lambda kind: id(kind) in watching):
            self._state[place] = _OUT
        for address in (id(not_walked()), *picture.own_ids):
            if (place := picture.place(address)) is not None:
                self._state[place] = _OUT
        for place, _ in picture.of(lambda kind: issubclass(kind, _WEAK)):
            self._acts[place] |= _IS_WEAK
        self._targets: dict[int, set[int]] | None = None
        self._waiting: dict[int, list[Blocked]] = {}  # by the address of what is waited for
        self._dead: dict[int, Blocked] = {}
        self._tasks: set[int] = set()  # positions of those whose attributes were not looked at

    def run(self, blocked: Sequence[Blocked]) -> Reach:
        picture, state = self._picture, self._state
        for task in blocked:
            self._waiting.setdefault(task.future, []).append(task)
            self._dead[task.task] = task
        for address in self._waiting:
            if (place := picture.place(address)) is not None:
                self._acts[place] |= _IS_AWAITED
        walls = [place for task in blocked for place in self._places(task)]
        self._tasks = {place for task in blocked if (place := picture.place(task.task)) is not None}
        start = [place for place in self._roots if state[place] == _LEFT]
        for place in walls:
            state[place] = _WALL
        start = [place for place in start if state[place] == _LEFT]
        for place in start:
            state[place] = _OUT
        for task in blocked:
            # A future that is no tracked object cannot be judged.
            if task.bounded or (picture.place(task.future) is None and task.future not in self._dead):
                self._revive(task, start)
        self._flood(start)
        dying = self._dying(walls)
        return Reach(self._dead.keys() - dying, dying, len(picture.objects))

    def _places(self, task: Blocked) -> list[int]:
        """Those of a task and of its suspended coroutines."""
        found = map(self._picture.place, (task.task, *task.suspended))
        return [place for place in found if place is not None]

    def _revive(self, task: Blocked, work: list[int]) -> None:
        """The task may run again, and so may all who await it."""
        revived = [task]
        while revived:
            one = revived.pop()
            if self._dead.pop(one.task, None) is not None:
                for place in self._places(one):
                    self._state[place] = _OUT
                    work.append(place)
                revived += self._waiting.get(one.task, ())

    def _flood(self, work: list[int]) -> None:
        """Everything that can be reached from `work`; a task is passed once its future was."""
        state, acts, onward, ends = self._state, self._acts, self._picture.onward, self._picture.ends
        passed = 0
        while work:
            place = work.pop()
            passed += 1
            if passed % _CHUNK == 0:
                self._pause()
            if acts[place]:
                self._act(place, work)
            for target in onward[ends[place - 1] if place else 0 : ends[place]]:
                if state[target]:
                    self._find(target, work)

    def _find(self, place: int, work: list[int], holds: bool = True) -> None:
        """Something that was not passed before was come upon. `holds`: by a reference that keeps it alive."""
        if self._state[place] == _LEFT:
            self._state[place] = _OUT
            work.append(place)
            return
        if holds:
            self._state[place] = _MET
        if place in self._tasks:
            self._tasks.discard(place)
            for attribute in self._attributes(place):
                if self._state[attribute]:
                    self._find(attribute, work, holds=False)  # by the task, should that be held itself

    def _act(self, place: int, work: list[int]) -> None:
        if self._acts[place] & _IS_AWAITED:
            for task in self._waiting.get(self._picture.address(place), ()):
                self._revive(task, work)
        if self._acts[place] & _IS_WEAK:
            for target in self._weakly(place):
                if self._state[target]:
                    self._find(target, work, holds=False)

    def _attributes(self, place: int) -> Iterable[int]:
        """What the program has hung on a blocked task that it can reach: it may use that without waking it."""
        picture = self._picture
        kind = cast("type[Any]", type(picture.objects[place]))
        onward = [target for target in picture.onward_from(place) if target >= 0]
        if not issubclass(kind, _C_TASK):
            return onward  # its own fields are attributes as well
        types = [(target, cast("type[Any]", type(picture.objects[target]))) for target in onward]
        return [t for t, of in types if of is dict or (kind is not _C_TASK and of not in _FIELDS)]

    def _weakly(self, place: int) -> Iterable[int]:
        """What a weak reference or proxy refers to."""
        thing = self._picture.objects[place]
        if type(thing) in _PROXIES:
            return self._proxied().get(id(thing), ())
        target = self._picture.place(id(_referent(thing)))
        return () if target is None else (target,)

    def _proxied(self) -> dict[int, set[int]]:
        """What each proxy stands for. A proxy cannot be asked without running code of its target."""
        if self._targets is None:
            self._targets = {}
            for place, thing in enumerate(self._picture.objects):
                if place % _CHUNK == 0:
                    self._pause()
                for reference in weakref.getweakrefs(thing):
                    if type(reference) in _PROXIES:
                        self._targets.setdefault(id(reference), set()).add(place)
        return self._targets

    def _dying(self, walls: list[int]) -> set[int]:
        """Tasks that are garbage, with no wall respected. What runs when garbage is collected may still wake others,
        so that is followed too."""
        if not self._dead:
            return set()
        picture, state = self._picture, self._state
        roots = set(self._roots)
        dead = [place for task in self._dead.values() for place in self._places(task)]
        left = state.translate(_IS_LEFT)
        for place in dead:
            left[place] = 1
        work = [place for place in dead if state[place] == _MET or place in roots]
        for place in work:
            left[place] = 0
        while work:
            for target in picture.onward_from(work.pop()):
                if left[target]:
                    left[target] = 0
                    work.append(target)
        dying = {one.task for one in self._dead.values() if any(left[p] for p in self._places(one)[:1])}
        wakers = [p for p in compress(range(len(left)), left) if _acts_when_collected(picture.objects[p])]
        wakers += [place for address in dying for place in self._places(self._dead[address])[1:]]
        for place in wakers:
            state[place] = _OUT
        self._flood(wakers)
        return dying


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
