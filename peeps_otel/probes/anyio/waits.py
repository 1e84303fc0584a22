# SPDX-License-Identifier: Apache-2.0
"""AnyIO on asyncio: its coroutines and primitives, for the asyncio probe.

AnyIO knows the owner of a lock and the borrowers of a capacity limiter, so those holders are exact however they took
it.
"""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from types import CodeType, CoroutineType
from typing import Any

from ... import semconv
from ...model import AttributeValue, Confidence, NodeKind, Providers
from ..asyncio.resources import Species
from ..asyncio.waits import Finder, Waiting, first_of
from ..internals import anyio_core as internals
from ..internals import asyncio_core as asyncio_internals
from ..internals.anyio_core import Types
from ..internals.asyncio_io import transport_of
from ..internals.asyncio_operations import Operation
from ..internals.await_chain import SuspendedFrame, chain
from ..resource_states import NOT_BEFORE, Channel, Held, State, TaskId, of_permits

_GROUP = Operation("taskgroup", None, None)
_STARTING = Operation("taskgroup.start", None, None)
_IN_THREAD = Operation("executor", None, None)


class AnyIO:
    """What is known of the AnyIO that the program has imported."""

    def __init__(self, types: Types) -> None:
        """Raises AttributeError for an AnyIO that lacks one of the names."""
        self.types = types
        self.finders = _finders(types)
        self.species = _species(types)

    def held_by_manager(self, manager: object) -> object | None:
        """The lock or permit that being inside `async with manager` holds."""
        return internals.own_lock(manager, self.types)


def _finders(types: Types) -> list[tuple[CodeType, Finder]]:
    code = internals.code_of

    def direct(name: str, kind: NodeKind, cls: type[Any]) -> Finder:
        operation = Operation(name, kind, cls)

        def find(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
            thing = first_of(link, cls)
            return Waiting(operation, () if thing is None else (thing,))

        return find

    def end(name: str, kind: NodeKind, cls: type[Any]) -> Finder:
        operation = Operation(name, kind, cls)

        def find(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
            channel = internals.channel_of(first_of(link, cls))
            return Waiting(operation, () if channel is None else (channel,))

        return find

    def socket(name: str) -> Finder:
        operation = Operation(name, NodeKind.IO, types.socket)

        def find(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
            transport = transport_of(first_of(link, types.socket))
            return Waiting(operation, () if transport is None else (transport,))

        return find

    used_inside = {
        id(code(types.condition, "wait")),
        id(code(types.sender, "send")),
        id(code(types.receiver, "receive")),
    }
    plain_event = direct("event.wait", NodeKind.EVENT, types.event)

    def event(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        callers = [id(outer.code) for outer, inner in pairwise(links) if inner is link]
        return None if used_inside.intersection(callers) else plain_event(links, link, future)

    def group(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        if link is not links[-1]:
            return None
        children = tuple(internals.group_tasks(first_of(link, types.group)))
        return Waiting(_GROUP, children, len(children), cancels=True)

    def starting(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        if link is not links[-1]:
            return None
        coroutine = first_of(link, CoroutineType)
        children = internals.group_tasks(first_of(link, types.group))
        started = tuple(task for task in children if any(one.suspended is coroutine for one in chain(task.get_coro())))
        return Waiting(_STARTING, started, cancels=True)

    def in_thread(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        worker = first_of(link, threading.Thread)
        if link is not links[-1] or worker is None:
            return None
        return Waiting(_IN_THREAD, (future,), thread=internals.worker_ident(worker))

    return [
        (code(types.lock, "acquire"), direct("lock.acquire", NodeKind.LOCK, types.lock)),
        (code(types.semaphore, "acquire"), direct("semaphore.acquire", NodeKind.SEMAPHORE, types.semaphore)),
        (code(types.limiter, "acquire_on_behalf_of"), direct("limiter.acquire", NodeKind.SEMAPHORE, types.limiter)),
        (code(types.event, "wait"), event),
        (code(types.condition, "wait"), direct("condition.wait", NodeKind.CONDITION, types.condition)),
        (code(types.sender, "send"), end("channel.send", NodeKind.TX, types.sender)),
        (code(types.receiver, "receive"), end("channel.receive", NodeKind.RX, types.receiver)),
        (code(types.socket, "receive"), socket("stream.read")),
        (code(types.socket, "send"), socket("stream.drain")),
        (code(types.group, "__aexit__"), group),
        (code(types.group, "start"), starting),
        (code(types.backend, "run_sync_in_worker_thread"), in_thread),
    ]


def _species(types: Types) -> list[Species]:
    return [
        Species(types.lock, (NodeKind.LOCK,), _lock),
        Species(types.semaphore, (NodeKind.SEMAPHORE,), _semaphore),
        Species(types.limiter, (NodeKind.SEMAPHORE,), _limiter),
        Species(types.event, (NodeKind.EVENT,), _event),
        Species(types.condition, (NodeKind.CONDITION,), _condition),
        Species(types.channel, (NodeKind.TX, NodeKind.RX), _channel, type_name="anyio.MemoryObjectStream"),
    ]


def _lock(lock: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    """Nobody but its owner can release it, whatever way it was taken."""
    owner = internals.lock_owner(lock)
    holders = [] if owner is None else _exactly([owner], on_stacks, tasks)
    return State(
        {semconv.LOCK_LOCKED: owner is not None, semconv.RESOURCE_WAITERS: internals.waiting(lock)},
        Providers.CLOSED if holders else Providers.OPEN,
        holders,
    )


def _limiter(limiter: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    """Its total may be raised at any time, and a borrower need not be a task."""
    total, borrowers = internals.tokens(limiter)
    known = [borrower for borrower in borrowers if issubclass(type(borrower), asyncio.Task)]
    holders = _exactly(known, on_stacks, tasks)
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_WAITERS: internals.waiting(limiter)}
    if total is not None:
        attributes |= {semconv.SEMAPHORE_PERMITS: total, semconv.SEMAPHORE_AVAILABLE: max(0, total - len(borrowers))}
    sure = bool(holders) and len(holders) == len(borrowers)
    return State(attributes, Providers.ESTIMATED if sure else Providers.OPEN, holders)


def _exactly(owners: list[Any], on_stacks: list[Held], tasks: TaskId) -> list[Held]:
    """The owners; where their stacks show the block by which they took it, with its place."""
    seen = {held.task_id: held for held in on_stacks}
    ids = [task_id for task_id in (tasks(owner) for owner in owners) if task_id is not None]
    return [seen.get(task_id, Held(task_id, NOT_BEFORE, "", False, Confidence.EXACT)) for task_id in ids]


def _semaphore(semaphore: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    available, most = internals.permits(semaphore)
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_WAITERS: internals.waiting(semaphore)}
    if available is not None:
        attributes[semconv.SEMAPHORE_AVAILABLE] = available
    if most is not None:
        attributes[semconv.SEMAPHORE_PERMITS] = most
    return State(attributes, of_permits(on_stacks, available, most, most is not None), on_stacks)


def _event(event: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    inner = internals.event_of(event)
    if inner is None:
        return State({})
    return State(
        {
            semconv.EVENT_IS_SET: asyncio_internals.event_is_set(inner),
            semconv.RESOURCE_WAITERS: asyncio_internals.waiter_count(inner),
        }
    )


def _condition(condition: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    return State({semconv.RESOURCE_WAITERS: internals.waiting(condition)})


def _channel(channel: object, on_stacks: list[Held], tasks: TaskId, initial: int | None) -> State:
    length, capacity, senders, receivers = internals.channel_state(channel)
    attributes: dict[str, AttributeValue] = {semconv.CHANNEL_LENGTH: length}
    if capacity is not None:
        attributes[semconv.CHANNEL_CAPACITY] = capacity
    return State(attributes, channel=Channel(senders, receivers, {}, {}))
