# SPDX-License-Identifier: Apache-2.0
"""Trio's waits and primitives. Its tasks are read by `probe`.

Trio knows the owner of a lock and the borrowers of a limiter, so those holders are exact however they took it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import semconv
from ...model import NodeKind
from ...model.coverage import blind
from ...model.operations import operation
from ..internals import trio as internals
from ..internals import versions
from ..internals.await_chain import SuspendedFrame, chain
from ..internals.trio import Types
from ..library import (
    CHANNEL,
    Around,
    Channel,
    Place,
    PoolHolder,
    PoolState,
    PoolType,
    ResourceType,
    State,
    Support,
    TaskWait,
    ThreadWait,
    Waiting,
    attribute,
    code_of,
    first_of,
    owned_lock,
    semaphore_of,
    whole_numbers,
)

_GROUP, _STARTING, _PARKED = operation("taskgroup"), operation("taskgroup.start"), operation("trio.wait")


class Trio:
    """A `Library`."""

    name = "Trio"
    distribution = "trio"
    checked = versions.TRIO

    def is_imported(self) -> bool:
        return internals.is_imported()

    def support(self) -> Support:
        """Of a Trio whose names are not known, nothing but that: its coverage says so while it runs."""
        types = internals.known()
        if types is None:
            return Support(coverage=_not_found)
        return Support(
            resource_types=_resource_types(types),
            pools=(PoolType(types.limiter, "trio.CapacityLimiter", _limiter(types)),),
            task_waits=_task_waits(types),
            thread_waits=(ThreadWait(internals.THREAD_CACHE, "WorkerThread._work", operation("idle")),),
            managers=(types.lock, types.semaphore, types.limiter, types.condition),
            held_by_manager=lambda manager: (
                internals.lock_of(manager) if issubclass(type(manager), types.condition) else manager
            ),
            coverage=_not_found,
        )


def _not_found() -> list[str]:
    """A run that a thread's frames show, and that is not where Trio keeps its runs."""
    if internals.runs() or not internals.trio_runs():
        return []
    return [blind("trio runs: the tasks of its own loop are not seen")]


def _task_waits(types: Types) -> tuple[TaskWait, ...]:
    def direct(owner: type[Any], function: str, name: str) -> TaskWait:
        return TaskWait(code_of(owner, function), operation(name), finds=owner)

    def unnamed(owner: object, function: str, name: str) -> TaskWait:
        return TaskWait(code_of(owner, function), operation(name))

    def end(owner: type[Any], function: str, name: str) -> TaskWait:
        known = operation(name)

        def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
            channel = internals.channel_of(first_of(link, owner))
            return Waiting(known, () if channel is None else (channel,))

        return TaskWait(code_of(owner, function), known, find=find)

    return (
        direct(types.lock, "acquire", "lock.acquire"),
        direct(types.semaphore, "acquire", "semaphore.acquire"),
        direct(types.limiter, "acquire_on_behalf_of", "limiter.acquire"),
        direct(types.event, "wait", "event.wait"),
        direct(types.condition, "wait", "condition.wait"),
        end(types.sender, "send", "channel.send"),
        end(types.receiver, "receive", "channel.receive"),
        _group(types),
        unnamed(types.timeouts, "sleep_forever", "sleep"),
        unnamed(types.threads, "to_thread_run_sync", "executor"),
        *(unnamed(poller, f"wait_{way}able", "socket") for poller in types.pollers for way in ("read", "writ")),
        _innermost(types),
    )


def _group(types: Types) -> TaskWait:
    """A nursery at its end, for its tasks; or one that `start` has opened, for what is to begin in it."""
    starts = code_of(types.nursery, "start")

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        nursery = first_of(link, types.nursery)
        begins = any(one.code is starts for one in links[-_STARTS_WITHIN:])
        known = _STARTING if begins else _GROUP
        found = None if nursery is None else internals.children(nursery)
        if not found:
            return Waiting(known, ())
        return Waiting(known, tuple(found), 1 if begins else len(found), cancels=True)

    return TaskWait(code_of(types.nursery, "_nested_child_finished"), _GROUP, find=find)


_STARTS_WITHIN = 6
_SEARCHED_MOST = 500


def _innermost(types: Types) -> TaskWait:
    """Where every wait of Trio ends: one that none of the others explains."""
    function: Any = vars(types.traps)["_async_yield"]
    code = getattr(function, "__wrapped__", function).__code__
    return TaskWait(code, _PARKED, place=Place.INNERMOST)


def _resource_types(types: Types) -> tuple[ResourceType, ...]:
    return (
        ResourceType(types.lock, (NodeKind.LOCK,), _lock),
        ResourceType(types.semaphore, (NodeKind.SEMAPHORE,), _semaphore),
        ResourceType(types.event, (NodeKind.EVENT,), _event),
        ResourceType(types.condition, (NodeKind.CONDITION,), _condition),
        ResourceType(types.channel, CHANNEL, _channel, type_name="trio.MemoryChannel"),
    )


def _lock(lock: object, around: Around) -> State:
    return owned_lock(internals.lock_owner(lock), internals.waiting(lock), around)


def _limiter(types: Types) -> Callable[[Any], PoolState]:
    """A borrower need not be a task."""

    def read(limiter: Any) -> PoolState:
        total, borrowers = internals.tokens(limiter)
        waiters = internals.waiting(limiter)
        threads = [one for one in borrowers if type(one) is types.placeholder] if waiters else []
        tasks = [one for one in borrowers if type(one) is types.task]
        return PoolState(
            capacity=total,
            in_use=len(borrowers),
            holders=tuple(PoolHolder(one) for one in (*tasks, *_starters(types, threads))),
            waiters=waiters,
            unbounded=total is None,
        )

    return read


def _starters(types: Types, placeholders: list[Any]) -> list[Any]:
    """The tasks for which threads have their tokens: a limiter is told a placeholder for each, which the function has
    that waits for the thread. In that wait a task does what the thread asks of it."""
    if not placeholders:
        return []
    wanted, found = {id(one) for one in placeholders}, list[Any]()
    code = code_of(types.threads, "to_thread_run_sync")
    for task in [task for run in internals.runs() for task in internals.tasks_of(run)][:_SEARCHED_MOST]:
        started = (link for link in chain(attribute(task, "coro")) if link.code is code)
        if any(id(first_of(link, types.placeholder)) in wanted for link in started):
            found.append(task)
    return found


def _semaphore(semaphore: object, around: Around) -> State:
    return semaphore_of(*internals.permits(semaphore), internals.waiting(semaphore), around)


def _event(event: object, _around: Around) -> State:
    is_set, waiting = internals.event_state(event)
    attributes = whole_numbers({semconv.RESOURCE_WAITERS: waiting})
    if is_set is not None:
        attributes[semconv.EVENT_IS_SET] = is_set
    return State(attributes)


def _condition(condition: object, _around: Around) -> State:
    return State(whole_numbers({semconv.RESOURCE_WAITERS: internals.waiting(condition)}))


def _channel(channel: object, _around: Around) -> State:
    length, capacity, senders, receivers = internals.channel_state(channel)
    attributes = whole_numbers({semconv.CHANNEL_LENGTH: length, semconv.CHANNEL_CAPACITY: capacity})
    return State(attributes, channel=Channel(senders, receivers, {}, {}))


TRIO = Trio()
