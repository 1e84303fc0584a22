# SPDX-License-Identifier: Apache-2.0
"""The exact mode of the order risks, off unless asked for: every order in which asyncio locks are taken is seen.

Wrappers around `acquire`, `__aenter__` and `release` of `asyncio.Lock`, not statements in their code: those are
compiled from the library's source once and by somebody else, and a mode that is switched on to look for something may
cost a frame. A request of a task that holds nothing costs a look-up; a chain of classes is examined when it is new.
"""

from __future__ import annotations

import asyncio
import functools
import time
from asyncio import locks
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias
from weakref import ref

from ...model.change import Change
from ..internals import asyncio_core as internals
from ..source import source_text

CHANGES = (
    Change(
        "`Lock.acquire`, `Lock.__aenter__`, `Lock.release` of asyncio",
        "replaced by wrappers that note which locks a task holds when it asks for another",
        "at the start, around what is rewritten",
        "the functions of before are put back at the end",
        "`PEEPS_LOCK_ORDER`",
    ),
)
_WAITING_MOST = 1000
_CHAINS_MOST = 10_000
_SEEN_MOST = 3
_STACK_MOST = 30
_getframe = internals.getframe
_METHODS = ("acquire", "__aenter__", "release")


class Place(NamedTuple):
    """A lock in words: `made` is where it was made (its class), `instance` which one it is, `site` where it was taken
    or asked for."""

    made: str
    name: str
    instance: str
    site: str


class Asked(NamedTuple):
    """One request for a lock by a task that held others, with the stack of its first time."""

    held: list[Place]
    wanted: Place
    who: str
    who_label: str
    stack: tuple[str, ...]
    time_ns: int


_Place: TypeAlias = tuple[CodeType, int, int, CodeType, int]
"""A lock by where it was made (code and instruction), its address, and where it was taken or asked for. A plain tuple:
it is made at every request."""
_Mine: TypeAlias = list[tuple[ref[Any], _Place]]
"""The locks in a task's hands."""


class _Raw(NamedTuple):
    held: tuple[_Place, ...]
    wanted: _Place
    task: int
    name: str
    stack: tuple[tuple[CodeType, int | None], ...]
    time_ns: int


class LockOrderRecorder:
    """`install` and `uninstall` from any thread, `take` on the watcher's."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[ref[asyncio.Task[Any]], _Mine]] = {}
        self._holder: dict[int, _Mine] = {}  # by lock: the list it is in
        self._chains: dict[tuple[object, ...], tuple[int, int]] = {}  # how often, and by which task last
        self._asked: deque[_Raw] = deque(maxlen=_WAITING_MOST)
        self._originals: dict[str, Any] = {}

    def install(self) -> None:
        if self._originals:
            return
        for name in _METHODS:
            if name in vars(locks.Lock):
                self._originals[name] = vars(locks.Lock)[name]
        for name, original in self._originals.items():  # an inherited `__aenter__` calls `acquire`
            wrapped = self._wrapped_release(original) if name == "release" else self._wrapped_wait(original)
            setattr(locks.Lock, name, wrapped)

    def uninstall(self) -> None:
        for name, original in self._originals.items():
            setattr(locks.Lock, name, original)
        self._originals = {}

    def take(self) -> list[Asked]:
        """What was new since the last call, in words. Forgets tasks that have ended."""
        for number, (task, _) in list(self._held.items()):
            if task() is None:
                self._held.pop(number, None)
        found: list[Asked] = []
        while self._asked:
            raw = self._asked.popleft()
            found.append(
                Asked(
                    [_in_words(place) for place in raw.held],
                    _in_words(raw.wanted),
                    f"task:{raw.task}",
                    raw.name,
                    tuple(f"{code.co_qualname} ({code.co_filename}:{line})" for code, line in raw.stack),
                    raw.time_ns,
                )
            )
        return found

    def _wrapped_wait(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        ask, holder = self._ask, self._holder

        async def wait(lock: Any) -> Any:
            asked = ask(lock)
            got = await original(lock)
            if asked is not None:
                mine, place = asked
                mine.append((ref(lock), place))
                holder[id(lock)] = mine
            return got

        # Whoever reads a suspended task's stack goes by this name.
        wait.__code__ = wait.__code__.replace(co_name=original.__name__)
        return functools.wraps(original)(wait)

    def _wrapped_release(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        holder = self._holder

        @functools.wraps(original)
        def release(lock: Any) -> None:
            mine = holder.pop(id(lock), None)
            if mine:  # whoever it is that releases it
                if mine[-1][1][2] == id(lock):
                    mine.pop()
                else:
                    mine[:] = [one for one in mine if one[1][2] != id(lock)]
            original(lock)

        return release

    def _ask(self, lock: Any) -> tuple[_Mine, _Place] | None:
        """Called where a lock is asked for; None where its class is not known."""
        try:
            made = lock._peeps_origin  # ours
            if made is None:
                return None
            frame = _getframe(2)
            while id(frame.f_globals) in internals.INTERNAL_GLOBALS and frame.f_back is not None:
                frame = frame.f_back
            task: Any = asyncio.current_task()
            entry = self._held.get(id(task))
            if entry is None or entry[0]() is not task:
                entry = self._held[id(task)] = (ref(task), [])
            place = (made[0], made[1], id(lock), frame.f_code, frame.f_lasti)
            if entry[1]:
                self._chain(entry[1], place, task, frame)
            return entry[1], place
        except Exception:
            return None

    def _chain(self, held: _Mine, wanted: _Place, task: asyncio.Task[Any], frame: FrameType) -> None:
        # By identity of code: hashing one walks its bytecode.
        key = (id(wanted[0]), wanted[1], *((id(p[0]), p[1], p[2] < wanted[2]) for _, p in held))
        times, last = self._chains.get(key, (0, 0))
        if times >= _SEEN_MOST or last == id(task) or (not times and len(self._chains) >= _CHAINS_MOST):
            return
        self._chains[key] = (times + 1, id(task))
        if internals.will_be_cancelled_by_timer(task):
            return
        places = tuple(place for lock, place in held if lock() is not None)
        stack: list[tuple[CodeType, int | None]] = []
        step: FrameType | None = frame
        while step is not None and len(stack) < _STACK_MOST and id(step.f_globals) not in internals.INTERNAL_GLOBALS:
            stack.append((step.f_code, step.f_lineno))
            step = step.f_back
        self._asked.append(_Raw(places, wanted, id(task), task.get_name(), tuple(reversed(stack)), time.time_ns()))


def _in_words(place: _Place) -> Place:
    made, made_at, instance, code, lasti = place
    return Place(
        source_text.source_of(made, made_at),
        source_text.assigned_name(made, made_at),
        f"{instance:x}",
        source_text.source_of(code, lasti),
    )
