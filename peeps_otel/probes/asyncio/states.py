# SPDX-License-Identifier: Apache-2.0
"""What is read of asyncio's own primitives and connections: their state at each look, and what never changes.

Who has a lock or permit: by a block it is read off the task's stack (`internals/await_chain.py`, `relations.py`), a
bare `acquire()` is noted (`patches/recorder.py`). Both meet here.
"""

from __future__ import annotations

from asyncio import locks, queues, subprocess
from collections.abc import Callable
from typing import Any

from ... import semconv
from ...model import AttributeValue, Confidence
from ..internals import asyncio_core as internals
from ..internals import asyncio_io as io_internals
from ..internals import asyncio_primitives as primitives
from ..internals.asyncio_io import Endpoint
from ..internals.stdlib import process_name
from ..library import (
    NOT_BEFORE,
    Around,
    Fingerprint,
    Held,
    Known,
    Making,
    State,
    of_lock,
    of_permits,
    queue_of,
)
from ..patches.recorder import HOLDERS, ORIGIN, OWNER, Holding, Origin
from ..source import source_text

_TaskId = Callable[[Any], str | None]


def of_a_lock(lock: locks.Lock, around: Around) -> State:
    locked, waiting = primitives.lock_state(lock)
    holders = _once(around.on_stacks, _recorded(lock, around.task_id)) if locked else []
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: locked, semconv.RESOURCE_WAITERS: waiting}
    return State(attributes, of_lock(holders), holders)


def of_a_semaphore(semaphore: locks.Semaphore, around: Around) -> State:
    available, waiting, bound = primitives.semaphore_state(semaphore)
    holders = _once(around.on_stacks, _recorded(semaphore, around.task_id))
    attributes: dict[str, AttributeValue] = {semconv.RESOURCE_WAITERS: waiting}
    if available is not None:
        attributes[semconv.SEMAPHORE_AVAILABLE] = available
    total = bound if bound is not None else around.initial
    if total is not None:
        attributes[semconv.SEMAPHORE_PERMITS] = total
    return State(attributes, of_permits(holders, available, total, bound is not None), holders)


def of_an_event(event: locks.Event, _around: Around) -> State:
    return State(
        {
            semconv.EVENT_IS_SET: primitives.event_is_set(event),
            semconv.RESOURCE_WAITERS: primitives.waiter_count(event),
        }
    )


def of_a_condition(condition: locks.Condition, _around: Around) -> State:
    """Its lock is a node of its own."""
    return State({semconv.RESOURCE_WAITERS: primitives.waiter_count(condition)})


def of_a_barrier(_barrier: locks.Barrier, _around: Around) -> State:
    return State({})


def of_a_queue(queue: queues.Queue[Any], _around: Around) -> State:
    return queue_of(primitives.queue_state(queue))


def fingerprint_of_a_lock(lock: locks.Lock) -> Fingerprint | None:
    if type(lock) is not locks.Lock:
        return None
    owner = getattr(lock, OWNER, None)
    if getattr(lock, HOLDERS, None):
        return None
    return Fingerprint((*primitives.lock_state(lock), _lives(owner)), owner)


def fingerprint_of_a_semaphore(semaphore: locks.Semaphore) -> Fingerprint | None:
    """Those of whose permits is known who has them are read each time."""
    if fact(semaphore, HOLDERS) or fact(semaphore, OWNER) is not None:
        return None
    return Fingerprint(primitives.semaphore_state(semaphore))


def fingerprint_of_an_event(event: locks.Event) -> Fingerprint:
    return Fingerprint((primitives.event_is_set(event), primitives.waiter_count(event)))


def fingerprint_of_a_condition(condition: locks.Condition) -> Fingerprint:
    return Fingerprint((primitives.waiter_count(condition),))


def fingerprint_of_a_queue(queue: queues.Queue[Any]) -> Fingerprint:
    return Fingerprint(primitives.queue_state(queue))


def _lives(owner: Any) -> bool:
    """Whether the task that was written down as a holder is still there."""
    return owner is not None and Holding(*owner if type(owner) is tuple else (owner,)).task() is not None


def _recorded(primitive: Any, task_id: _TaskId) -> list[Held]:
    """Holders by a bare `acquire()`."""
    owner = fact(primitive, OWNER)
    found: list[Held] = []
    for recorded in [owner] if owner is not None else fact(primitive, HOLDERS) or ():
        holding = Holding(*recorded) if type(recorded) is tuple else Holding(recorded)
        task = holding.task()
        holder_id = None if task is None else task_id(task)
        if holder_id is not None:
            exact = holding.code is not None
            source = "" if holding.code is None else source_text.source_of(holding.code, holding.lasti)
            since_ns = holding.time_ns if exact else NOT_BEFORE
            found.append(Held(holder_id, since_ns, source, False, Confidence.EXACT, exact, bare=True))
    return found


def _once(on_stacks: list[Held], recorded: list[Held]) -> list[Held]:
    """`async with condition` takes its lock by a bare `acquire()`: the same hold is both on the stack and recorded."""
    by_block = {held.holder_id for held in on_stacks}
    return on_stacks + [held for held in recorded if held.holder_id not in by_block]


def fact(primitive: Any, name: str) -> Any:
    """An attribute of ours. Past a subclass's `__getattr__`, and without making the object's `__dict__`."""
    try:
        return object.__getattribute__(primitive, name)
    except AttributeError:
        return None


def making(primitive: Any) -> Making | None:
    """Where it was made, if that was recorded. Of a condition, where its lock was."""
    target = primitives.condition_lock(primitive) if issubclass(type(primitive), locks.Condition) else primitive
    origin = fact(target, ORIGIN)
    if type(origin) is not tuple:
        return None
    made = Origin(*origin)
    name = source_text.assigned_name(made.code, made.lasti)
    source = source_text.source_of(made.code, made.lasti)
    return Making(name, source, made.time_ns, internals.whole(made.initial))


def a_transport(thing: object) -> Known:
    return _known(io_internals.transport_endpoint(thing))


def a_socket(thing: Any) -> Known:
    return _known(io_internals.socket_endpoint(thing))


def a_descriptor(thing: io_internals.Descriptor) -> Known:
    kind = "os.pipe" if thing.link.startswith("pipe:") else "socket.socket"
    return Known(f"fd {thing.fd}", {semconv.IO_FD: thing.fd, semconv.RESOURCE_TYPE: kind})


def a_command(process: subprocess.Process) -> Known:
    pid = io_internals.process_id(process)
    if pid is None:
        return Known("", {})
    name = process_name(io_internals.started_by(process))
    return Known(name or f"pid {pid}", {semconv.COMMAND_PID: pid})


def _known(endpoint: Endpoint) -> Known:
    attributes: dict[str, AttributeValue] = {}
    name = ""
    if endpoint.fd is not None:
        attributes[semconv.IO_FD] = endpoint.fd
        name = f"fd {endpoint.fd}"
    if endpoint.local is not None:
        name = f"at {endpoint.local}"
    if endpoint.peer is not None:
        attributes[semconv.NETWORK_PEER_ADDRESS] = name = endpoint.peer
        if endpoint.port is not None:
            attributes[semconv.NETWORK_PEER_PORT] = endpoint.port
            name = io_internals.joined(endpoint.peer, endpoint.port)
    return Known(name, attributes)
