# SPDX-License-Identifier: Apache-2.0
"""AnyIO on asyncio: its coroutines, primitives and cancel scopes.

AnyIO knows the owner of a lock and the borrowers of a capacity limiter, so those holders are exact however they took
it.
"""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from types import CoroutineType
from typing import Any

from ... import semconv
from ...model import AttributeValue, NodeKind
from ...model.operations import operation
from ..internals import anyio_core as internals
from ..internals import asyncio_primitives, versions
from ..internals.anyio_core import Types
from ..internals.asyncio_io import transport_of
from ..internals.await_chain import SuspendedFrame, chain
from ..library import (
    CHANNEL,
    Around,
    CancelScopes,
    Channel,
    PoolHolder,
    PoolState,
    PoolType,
    ResourceType,
    State,
    Support,
    TaskWait,
    ThreadWait,
    Waiting,
    code_of,
    first_of,
    owned_lock,
    semaphore_of,
)

_GROUP, _STARTING, _IN_THREAD = operation("taskgroup"), operation("taskgroup.start"), operation("executor")
_BY_SCOPE = "cancel scope"
_OF_THREADS = "to_thread"


class AnyIO:
    """A `Library`."""

    name = "AnyIO"
    distribution = "anyio"
    checked = versions.ANYIO
    is_runtime = True

    def is_imported(self) -> bool:
        return internals.is_imported()

    def support(self) -> Support:
        types = internals.types()
        return Support(
            resource_types=_resource_types(types),
            pools=(PoolType(types.limiter, "anyio.CapacityLimiter", _limiter),),
            task_waits=_task_waits(types),
            thread_waits=(ThreadWait(internals.BACKEND, "WorkerThread.run", operation("idle")),),
            managers=(types.lock, types.semaphore, types.limiter, types.condition, *internals.adapters()),
            held_by_manager=lambda manager: internals.own_lock(manager, types),
            deadline=internals.scope_deadline,
            scope_types=(types.scope,),
            cancelled_by=lambda task: _BY_SCOPE if internals.is_cancelled(task) else None,
            cancel_scopes=CancelScopes((types.scope,), internals.is_armed, internals.tasks_of),
        )


def _task_waits(types: Types) -> tuple[TaskWait, ...]:
    code = code_of

    def direct(owner: type[Any], function: str, name: str) -> TaskWait:
        return TaskWait(code(owner, function), operation(name), finds=owner)

    def end(owner: type[Any], function: str, name: str) -> TaskWait:
        known = operation(name)

        def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
            channel = internals.channel_of(first_of(link, owner))
            return Waiting(known, () if channel is None else (channel,))

        return TaskWait(code(owner, function), known, find=find)

    def socket(function: str, name: str) -> TaskWait:
        known = operation(name)

        def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
            transport = transport_of(first_of(link, types.socket))
            return Waiting(known, () if transport is None else (transport,))

        return TaskWait(code(types.socket, function), known, find=find)

    used_inside = {
        id(code(types.condition, "wait")),
        id(code(types.sender, "send")),
        id(code(types.receiver, "receive")),
    }
    plain_event = direct(types.event, "wait", "event.wait")

    def event(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        callers = [id(outer.code) for outer, inner in pairwise(links) if inner is link]
        return None if used_inside.intersection(callers) else plain_event.read(links, link, future)

    return (
        direct(types.lock, "acquire", "lock.acquire"),
        direct(types.semaphore, "acquire", "semaphore.acquire"),
        direct(types.limiter, "acquire_on_behalf_of", "limiter.acquire"),
        plain_event._replace(find=event),
        direct(types.condition, "wait", "condition.wait"),
        end(types.sender, "send", "channel.send"),
        end(types.receiver, "receive", "channel.receive"),
        socket("receive", "stream.read"),
        socket("send", "stream.drain"),
        *_waits_for_others(types),
    )


def _waits_for_others(types: Types) -> tuple[TaskWait, ...]:
    """For the tasks of a group, and for a worker thread."""

    def group(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        if link is not links[-1]:
            return None
        children = tuple(internals.group_tasks(first_of(link, types.group)))
        return Waiting(_GROUP, children, len(children), cancels=True)

    def starting(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
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

    return (
        TaskWait(code_of(types.group, "__aexit__"), _GROUP, find=group),
        TaskWait(code_of(types.group, "start"), _STARTING, find=starting),
        TaskWait(code_of(types.backend, "run_sync_in_worker_thread"), _IN_THREAD, find=in_thread),
    )


def _resource_types(types: Types) -> tuple[ResourceType, ...]:
    return (
        ResourceType(types.lock, (NodeKind.LOCK,), _lock),
        ResourceType(types.semaphore, (NodeKind.SEMAPHORE,), _semaphore),
        ResourceType(types.event, (NodeKind.EVENT,), _event),
        ResourceType(types.condition, (NodeKind.CONDITION,), _condition),
        ResourceType(types.channel, CHANNEL, _channel, type_name="anyio.MemoryObjectStream"),
    )


def _lock(lock: object, around: Around) -> State:
    return owned_lock(internals.lock_owner(lock), internals.waiting(lock), around)


def _limiter(limiter: object) -> PoolState:
    """A borrower need not be a task. Each thread that `to_thread.run_sync` uses is one
    token of that limiter, so it is the pool of those threads."""
    total, borrowers = internals.tokens(limiter)
    return PoolState(
        capacity=total,
        in_use=len(borrowers),
        holders=tuple(PoolHolder(one) for one in borrowers if issubclass(type(one), asyncio.Task)),
        waiters=internals.waiting(limiter),
        name=_OF_THREADS if internals.is_default_limiter(limiter) else "",
        unbounded=total is None,
    )


def _semaphore(semaphore: object, around: Around) -> State:
    return semaphore_of(*internals.permits(semaphore), internals.waiting(semaphore), around)


def _event(event: object, _around: Around) -> State:
    inner = internals.event_of(event)
    if inner is None:
        return State({})
    return State(
        {
            semconv.EVENT_IS_SET: asyncio_primitives.event_is_set(inner),
            semconv.RESOURCE_WAITERS: asyncio_primitives.waiter_count(inner),
        }
    )


def _condition(condition: object, _around: Around) -> State:
    return State({semconv.RESOURCE_WAITERS: internals.waiting(condition)})


def _channel(channel: object, _around: Around) -> State:
    length, capacity, senders, receivers = internals.channel_state(channel)
    attributes: dict[str, AttributeValue] = {semconv.CHANNEL_LENGTH: length}
    if capacity is not None:
        attributes[semconv.CHANNEL_CAPACITY] = capacity
    return State(attributes, channel=Channel(senders, receivers, {}, {}))


ANYIO = AnyIO()
