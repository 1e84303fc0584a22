# SPDX-License-Identifier: Apache-2.0
"""The state of asyncio's own primitives."""

from __future__ import annotations

from asyncio import locks, queues
from typing import Any

from ... import semconv
from ...model import AttributeValue, Confidence
from ..internals import asyncio_core as internals
from ..patches.recorder import HOLDERS, OWNER, Holding
from ..resource_states import NOT_BEFORE, Channel, Held, State, TaskId, of_lock, of_permits
from ..source import source_text


def of_a_lock(lock: locks.Lock, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    locked, waiting = internals.lock_state(lock)
    holders = _once(on_stacks, _recorded(lock, tasks)) if locked else []
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: locked, semconv.RESOURCE_WAITERS: waiting}
    return State(attributes, of_lock(holders), holders)


def of_a_semaphore(semaphore: locks.Semaphore, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    available, waiting, bound = internals.semaphore_state(semaphore)
    holders = _once(on_stacks, _recorded(semaphore, tasks))
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_WAITERS: waiting}
    if available is not None:
        attributes[semconv.SEMAPHORE_AVAILABLE] = available
    total = bound if bound is not None else initial
    if total is not None:
        attributes[semconv.SEMAPHORE_PERMITS] = total
    return State(attributes, of_permits(holders, available, total, bound is not None), holders)


def of_an_event(event: locks.Event, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    return State(
        {
            semconv.EVENT_IS_SET: internals.event_is_set(event),
            semconv.RESOURCE_WAITERS: internals.waiter_count(event),
        }
    )


def of_a_condition(condition: locks.Condition, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    """Its lock is a node of its own."""
    return State({semconv.RESOURCE_WAITERS: internals.waiter_count(condition)})


def of_a_barrier(barrier: locks.Barrier, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    return State({})


def of_a_queue(queue: queues.Queue[Any], on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    length, capacity, putters, getters, unfinished = internals.queue_state(queue)
    attributes: dict[str, AttributeValue] = {}
    if length is not None:
        attributes[semconv.CHANNEL_LENGTH] = length
    if capacity > 0:
        attributes[semconv.CHANNEL_CAPACITY] = capacity
    return State(attributes, channel=Channel(putters, getters, {}, {semconv.CHANNEL_UNFINISHED: unfinished}))


def _recorded(primitive: Any, tasks: TaskId) -> list[Held]:
    """Holders by a bare `acquire()`."""
    owner = fact(primitive, OWNER)
    found: list[Held] = []
    for recorded in [owner] if owner is not None else fact(primitive, HOLDERS) or ():
        holding = Holding(*recorded) if type(recorded) is tuple else Holding(recorded)
        task = holding.task()
        task_id = None if task is None else tasks(task)
        if task_id is not None:
            exact = holding.code is not None
            source = "" if holding.code is None else source_text.source_of(holding.code, holding.lasti)
            since_ns = holding.time_ns if exact else NOT_BEFORE
            found.append(Held(task_id, since_ns, source, False, Confidence.EXACT, exact, bare=True))
    return found


def _once(on_stacks: list[Held], recorded: list[Held]) -> list[Held]:
    """`async with condition` takes its lock by a bare `acquire()`: the same hold is both on the stack and recorded."""
    by_block = {held.task_id for held in on_stacks}
    return on_stacks + [held for held in recorded if held.task_id not in by_block]


def fact(primitive: Any, name: str) -> Any:
    """An attribute of ours. Past a subclass's `__getattr__`, and without making the object's `__dict__`."""
    try:
        return object.__getattribute__(primitive, name)
    except AttributeError:
        return None
