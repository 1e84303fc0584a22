# SPDX-License-Identifier: Apache-2.0
"""What is read of the blocking primitives of the standard library, and of its child processes."""

from __future__ import annotations

import os
from typing import Any

from ... import semconv
from ...model import AttributeValue, Providers
from ...model.shared_key import shared_key
from ..internals import stdlib as internals
from ..internals.child_pipes import called as process_called
from ..internals.file_locks import FileLock
from ..internals.managed import Managed
from ..internals.stdlib import SIMPLE_QUEUE
from ..library import Around, Channel, Held, Known, State, of_lock, of_permits, queue_of, whole_numbers
from ..namespaces import namespaces


def of_a_lock(lock: Any, around: Around) -> State:
    locked = internals.is_locked(lock)
    holders = _by_block_first(around.on_stacks) if locked else []
    return State({semconv.LOCK_LOCKED: locked}, of_lock(holders, around.sure), holders)


def of_an_rlock(lock: Any, around: Around) -> State:
    """It knows its owner, and nobody else can release it."""
    owner = internals.rlock_owner(lock)
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: owner is not None}
    holders = [] if owner is None else around.owned_by(around.thread_id(owner))
    if not holders:
        return State(attributes, Providers.OPEN)
    return State(attributes, Providers.CLOSED, holders)


def of_an_import(lock: Any, around: Around) -> State:
    """It knows its owner; nobody else can release it, and Python breaks a ring of imports alone by itself."""
    owner = internals.import_owner(lock)
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: owner is not None}
    holders = [] if owner is None else around.owned_by(around.thread_id(owner))
    return State(attributes, Providers.CLOSED if holders else Providers.OPEN, holders)


def import_called(lock: Any) -> Known:
    return Known(internals.import_name(lock), {})


def of_a_semaphore(semaphore: Any, around: Around) -> State:
    available, total = internals.semaphore_state(semaphore)
    attributes = whole_numbers({semconv.SEMAPHORE_AVAILABLE: available, semconv.SEMAPHORE_PERMITS: total})
    holders = around.on_stacks
    return State(attributes, of_permits(holders, available, total, total is not None, around.sure), holders)


def of_an_event(event: Any, _around: Around) -> State:
    is_set, waiters = internals.event_state(event)
    return State({semconv.EVENT_IS_SET: is_set} | whole_numbers({semconv.RESOURCE_WAITERS: waiters}))


def of_a_condition(condition: Any, _around: Around) -> State:
    """Its lock is a node of its own."""
    return State(whole_numbers({semconv.RESOURCE_WAITERS: internals.condition_waiters(condition)}))


def of_a_barrier(barrier: Any, _around: Around) -> State:
    return State(whole_numbers({semconv.RESOURCE_WAITERS: internals.barrier_waiters(barrier)}))


def of_a_simple_queue(thing: Any, _around: Around) -> State:
    return State({semconv.CHANNEL_LENGTH: SIMPLE_QUEUE.qsize(thing)}, channel=Channel(None, None))


def of_a_queue(thing: Any, _around: Around) -> State:
    return queue_of(internals.queue_state(thing))


def of_a_shared_lock(_lock: Any, around: Around) -> State:
    """Of `multiprocessing`: another process may have it, but not while ours has."""
    holders = _by_block_first(around.on_stacks)
    return State({}, of_lock(holders, around.sure), holders)


def of_a_shared_thing(_thing: Any, _around: Around) -> State:
    """Of `multiprocessing`: what it is in is not to be seen from here."""
    return State({})


def of_a_managed_lock(_lock: Any, around: Around) -> State:
    """Anybody who has a proxy may release it, in whatever process."""
    holders = _by_block_first(around.on_stacks)
    return State({semconv.LOCK_LOCKED: True} if holders else {}, of_lock(holders, False), holders)


def managed_called(thing: Managed) -> Known:
    about: dict[str, AttributeValue] = {semconv.RESOURCE_TYPE: thing.type_name}
    if thing.address:
        about[semconv.RESOURCE_KEY] = shared_key((thing.address, thing.ident, *namespaces()), True)
    return Known("", about)


def of_a_shared_queue(_thing: Any, _around: Around) -> State:
    return State({}, channel=Channel(None, None))


def of_a_file_lock(lock: FileLock, _around: Around) -> State:
    """Whichever process has it can release it, this one too: by another thread, or once it is closed."""
    owners = lock.owners()
    if not owners:
        return State({semconv.COULD_END_OUTSIDE: "whoever has the file"})
    attributes: dict[str, AttributeValue] = {semconv.LOCK_LOCKED: True}
    own = "another thread of this process"
    attributes[semconv.COULD_END_OUTSIDE] = own if owners[0] == os.getpid() else process_called(owners[0])
    attributes[semconv.RESOURCE_SHARED_WITH] = ", ".join(map(str, owners))
    return State(attributes)


def file_lock_called(lock: FileLock) -> Known:
    return Known(os.path.basename(lock.path), {semconv.LOCK_FILE: lock.path})


def of_a_process(process: Any, _around: Around) -> State:
    return State(whole_numbers({semconv.COMMAND_PID: internals.pid(process)}))


def called(process: Any) -> Known:
    return Known(internals.process_name(process), {})


def _by_block_first(held: list[Held]) -> list[Held]:
    """Of a lock, which only one can have: those in its block, if any; a bare `acquire()` was only inferred."""
    return [one for one in held if one.by_block] or held
