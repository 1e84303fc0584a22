# SPDX-License-Identifier: Apache-2.0
"""Tornado's locks, semaphores, events, conditions and queues.

Most of their methods are plain functions that give a future, which says nothing of whose it is: the thing is sought in
reach of the function that awaits it, and must have that very future among its own.

A lock consists of a bounded semaphore, and what `acquire()` gives knows that one alone: it stands for the lock.
"""

from __future__ import annotations

from typing import Any

from ... import semconv
from ..identity import Identities
from ..internals import tornado_primitives as internals
from ..internals import versions
from ..library import (
    CHANNEL,
    Around,
    NodeKind,
    ResourceType,
    State,
    Support,
    SuspendedFrame,
    TaskWait,
    Waiting,
    code_of,
    first_of,
    of_lock,
    operation,
    queue_of,
    semaphore_of,
    whole_numbers,
)
from .in_reach import in_reach

_ACQUIRE = {NodeKind.LOCK: operation("lock.acquire"), NodeKind.SEMAPHORE: operation("semaphore.acquire")}
_EVENT, _CONDITION = operation("event.wait"), operation("condition.wait")
_OF_QUEUES = {"get": operation("queue.get"), "put": operation("queue.put"), "join": operation("queue.join")}
_LOCK = f"{internals.LOCKS}.Lock"
_NOT_SWEPT = 100


class Tornado:
    """A `Library`: `tornado.locks`."""

    name = "tornado"
    distribution = "tornado"
    checked = versions.TORNADO

    def is_imported(self) -> bool:
        return internals.has_locks()

    def support(self) -> Support:
        return _Locks(internals.locks()).support()


class _Locks:
    def __init__(self, types: internals.Locks) -> None:
        self._types = types
        self._of_locks: Identities[bool] = Identities()
        self._swept_at = _NOT_SWEPT
        self._as_lock = ResourceType(types.bounded, (NodeKind.LOCK,), self._read_lock)

    def support(self) -> Support:
        types = self._types
        return Support(
            resource_types=(
                ResourceType(types.semaphore, (NodeKind.SEMAPHORE,), _read_semaphore),
                ResourceType(types.event, (NodeKind.EVENT,), _read_event),
                ResourceType(types.condition, (NodeKind.CONDITION,), _read_condition),
            ),
            resource_type_for=self._type_of,
            task_waits=(
                TaskWait(code_of(types.lock, "__aenter__"), _ACQUIRE[NodeKind.LOCK], find=self._entering),
                TaskWait(code_of(types.semaphore, "__aenter__"), _ACQUIRE[NodeKind.SEMAPHORE], finds=types.semaphore),
            ),
            of_future=self._of_future,
            managers=(types.lock, types.semaphore),
            thread_managers=(types.releasing,),
            held_by_manager=self._held_by,
        )

    def _type_of(self, thing: object) -> ResourceType | None:
        """A semaphore that is bounded to one is a lock."""
        is_lock = type(thing) is self._types.bounded and internals.permits(thing)[1] == 1
        return self._as_lock if is_lock else None

    def _block_of(self, lock: object) -> object | None:
        block = internals.block_of(lock)
        if type(block) is not self._types.bounded:
            return None
        if self._of_locks.get(block) is None:
            if len(self._of_locks) >= self._swept_at:
                self._of_locks.forget_dead()
                self._swept_at = 2 * len(self._of_locks) + _NOT_SWEPT
            self._of_locks.put(block, True)
        return block

    def _held_by(self, manager: object) -> object | None:
        if issubclass(type(manager), self._types.lock):
            return self._block_of(manager)
        thing = internals.released_by(manager) if type(manager) is self._types.releasing else manager
        return thing if issubclass(type(thing), self._types.semaphore) else None

    def _entering(self, _links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
        lock = first_of(link, self._types.lock)
        block = None if lock is None else self._block_of(lock)
        return Waiting(_ACQUIRE[NodeKind.LOCK], () if block is None else (block,))

    def _of_future(self, links: list[SuspendedFrame], future: Any) -> Waiting | None:
        types = self._types
        waited_for = (types.lock, types.semaphore, types.event, types.condition)
        closed = (internals.queue_type(),) if internals.has_queues() else ()
        things = _things_of(links[-1], future, waited_for, closed)
        futures = list(internals.behind(future)) if things else []
        for thing in things:
            is_lock = issubclass(type(thing), types.lock)
            target = self._block_of(thing) if is_lock else thing
            given = next((one for one in futures if target is not None and internals.gave(target, one)), None)
            if given is None:
                continue
            if issubclass(type(thing), types.event):
                known = _EVENT
            elif issubclass(type(thing), types.condition):
                known = _CONDITION
            else:
                known = _ACQUIRE[NodeKind.LOCK if is_lock else NodeKind.SEMAPHORE]
            return _waiting(known, target, given)
        return None

    def _read_lock(self, block: object, around: Around) -> State:
        available, _ = internals.permits(block)
        locked = available == 0
        holders = around.on_stacks if locked else []
        attributes = whole_numbers({semconv.RESOURCE_WAITERS: internals.waiting(block)})
        attributes[semconv.LOCK_LOCKED] = locked
        if self._of_locks.get(block) is not None:
            attributes[semconv.RESOURCE_TYPE] = _LOCK
        return State(attributes, of_lock(holders), holders)


class TornadoQueues:
    """A `Library`: `tornado.queues`."""

    name = "tornado.queues"
    distribution = "tornado"
    checked = versions.TORNADO

    def is_imported(self) -> bool:
        return internals.has_queues()

    def support(self) -> Support:
        queue = internals.queue_type()

        def of_future(links: list[SuspendedFrame], future: Any) -> Waiting | None:
            things = _things_of(links[-1], future, (queue,))
            futures = list(internals.behind(future)) if things else []
            for thing in things:
                for one in futures:
                    end = internals.end_that_gave(thing, one)
                    if end is not None:
                        return _waiting(_OF_QUEUES[end], thing, one)
            return None

        return Support(resource_types=(ResourceType(queue, CHANNEL, _read_queue),), of_future=of_future)


def _things_of(
    link: SuspendedFrame, future: object, wanted: tuple[type[Any], ...], closed: tuple[type[Any], ...] = ()
) -> list[Any]:
    """None where the program has kept the future: whoever has that may complete or cancel it."""
    found = list(in_reach(link, wanted, closed))
    return [] if any(one is future for one in found) else [one for one in found if issubclass(type(one), wanted)]


def _waiting(known: Any, thing: Any, future: object) -> Waiting:
    """Where a timer's time cannot be told, nothing may be concluded."""
    timer = internals.timer_of(future)
    return Waiting(known, (thing,) if timer.is_known else (), deadline=timer.deadline)


def _read_semaphore(semaphore: object, around: Around) -> State:
    available, most = internals.permits(semaphore)
    total = most if most is not None else around.initial
    return semaphore_of(available, total, internals.waiting(semaphore), around)


def _read_event(event: object, _around: Around) -> State:
    attributes = whole_numbers({semconv.RESOURCE_WAITERS: internals.waiting(event)})
    return State(attributes | {semconv.EVENT_IS_SET: internals.is_set(event)})


def _read_condition(condition: object, _around: Around) -> State:
    return State(whole_numbers({semconv.RESOURCE_WAITERS: internals.waiting(condition)}))


def _read_queue(queue: object, _around: Around) -> State:
    return queue_of(internals.queue_state(queue))


TORNADO = Tornado()
TORNADO_QUEUES = TornadoQueues()
