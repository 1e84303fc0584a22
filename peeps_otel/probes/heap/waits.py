# SPDX-License-Identifier: Apache-2.0
"""The blocked tasks of a process for the leak proof, and which of them a timer will end.

A wait under a timer is no leak, however unreachable its future: `asyncio.timeout`, `wait_for`, AnyIO's cancel scopes,
and a task that somebody asked the loop to cancel later. A timer also ends what the cancelled task takes with it: the
tasks it awaits and the children of the task groups it is in.
"""

from __future__ import annotations

import asyncio
import functools
import gc
from asyncio import taskgroups, timeouts
from collections.abc import Callable, Iterable
from itertools import compress
from types import BuiltinMethodType, CellType, FunctionType, MethodType
from typing import Any, NamedTuple, cast

from ..asyncio.cancellation import earliest
from ..asyncio.waits import Classifier
from ..internals import asyncio_core as internals
from ..internals import heap as scopes
from ..library import CancelScopes
from .picture import Picture, Types
from .reach import Blocked
from .suspensions import Suspensions

_PAUSE_EVERY = 100
_REACHED_MOST = 500
_TIMER_DEPTH = 12
_ALOUD = (MethodType, BuiltinMethodType, FunctionType, CellType, tuple, functools.partial)
"""What stands between a timer and the task it will cancel, where nothing else has to be decided first."""


class Waits(NamedTuple):
    """`doubtful`: addresses of tasks that some armed timer's callback could reach by way of the program's own objects:
    it may end their wait or not."""

    blocked: list[Blocked]
    doubtful: set[int]


def blocked_tasks(
    classifier: Classifier,
    libraries: list[CancelScopes],
    pause: Callable[[], None],
    picture: Picture | None,
    suspensions: Suspensions,
) -> Waits:
    """Every task that is suspended on a future that is not done. `libraries`: what else cancels tasks. `picture`: of
    this heap, where there is one already."""
    found: dict[int, tuple[int, tuple[int, ...]]] = {}
    bounded: set[int] = set()
    below: dict[int, set[int]] = {}  # by task: the tasks that its cancellation cancels
    for number, task in enumerate(internals.live_tasks()):
        if number % 50 == 0:
            pause()
        future = internals.awaited_future(task)
        if future is None:
            continue
        links, managers = suspensions.of(task.get_coro())
        waiting = classifier.classify(links, future)
        if waiting.deadline is not None or earliest(managers) is not None:
            bounded.add(id(task))
        children = {id(t) for t in waiting.targets if waiting.cancels and issubclass(type(t), asyncio.Task)}
        for one in managers:
            if issubclass(type(one.manager), taskgroups.TaskGroup):
                children.update(map(id, internals.group_tasks(one.manager)))
            for library in libraries:
                children.update(map(id, library.tasks_of(one.manager)))
        below[id(task)] = children
        found[id(task)] = (id(future), tuple(id(link.suspended) for link in links))
    timed, doubtful = _under_timers(libraries, pause, picture)
    work = [*bounded, *timed]
    bounded |= timed
    while work:
        for child in below.get(work.pop(), ()):
            if child not in bounded:
                bounded.add(child)
                work.append(child)
    blocked = [Blocked(task, future, links, task in bounded) for task, (future, links) in found.items()]
    return Waits(blocked, doubtful - bounded)


def _under_timers(
    libraries: list[CancelScopes], pause: Callable[[], None], picture: Picture | None
) -> tuple[set[int], set[int]]:
    """Tasks that an armed timer will cancel, and those that its callback might."""
    surely: set[int] = set()
    perhaps: set[int] = set()
    by_type = {id(kind): library for library in libraries for kind in library.types}

    def tells(kind: type[Any]) -> bool:
        return kind is timeouts.Timeout or id(kind) in by_type or scopes.is_timer_handle(kind)

    for number, thing in enumerate(_of(tells, picture)):
        if number % _PAUSE_EVERY == 0:
            pause()
        kind = cast("type[Any]", type(thing))
        if kind is timeouts.Timeout:
            task = internals.timed_task(thing)
            if task is not None:
                surely.add(id(task))
        elif id(kind) in by_type:
            library = by_type[id(kind)]
            if library.is_armed(thing):
                surely.update(map(id, library.tasks_of(thing)))
        elif internals.timer_deadline(thing) is not None:
            _follow(thing, surely, perhaps)
    return surely, perhaps


def _of(is_wanted: Callable[[type[Any]], bool], picture: Picture | None) -> Iterable[Any]:
    if picture is not None:
        return (thing for _, thing in picture.of(is_wanted))
    objects: list[Any] = gc.get_objects()
    return compress(objects, Types(objects).wanted(is_wanted))


def _follow(timer: object, surely: set[int], perhaps: set[int]) -> None:
    """From a timer's callback and arguments to tasks."""
    border = [(thing, True) for thing in gc.get_referents(timer) if not scopes.leads_everywhere(thing)]
    seen: set[int] = set()
    for _ in range(_TIMER_DEPTH):
        following: list[tuple[Any, bool]] = []
        for thing, aloud in border:
            if id(thing) in seen or len(seen) > _REACHED_MOST:
                continue
            seen.add(id(thing))
            if issubclass(type(thing), asyncio.Task):
                (surely if aloud else perhaps).add(id(thing))
                continue
            if scopes.leads_everywhere(thing) or not gc.is_tracked(thing):
                continue
            aloud = aloud and type(thing) in _ALOUD
            if type(thing) is FunctionType:
                referents: list[Any] = [*(thing.__closure__ or ()), *(thing.__defaults__ or ())]
            else:
                referents = gc.get_referents(thing)
            following += [(referent, aloud) for referent in referents]
        border = following
