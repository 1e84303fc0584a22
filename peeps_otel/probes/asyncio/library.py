# SPDX-License-Identifier: Apache-2.0
"""asyncio's own waits, primitives and connections."""

from __future__ import annotations

import socket
from asyncio import locks, queues, subprocess

from ...model import NodeKind
from ..internals import asyncio_io as io_internals
from ..internals.asyncio_primitives import held_by_manager
from ..library import CHANNEL, ResourceType, Support
from . import states
from .wait_targets import task_waits

_TRANSPORT = ResourceType(object, (NodeKind.IO,), None, states.a_transport)
_TYPES = (
    ResourceType(
        locks.Condition,
        (NodeKind.CONDITION,),
        states.of_a_condition,
        made=states.making,
        fingerprint=states.fingerprint_of_a_condition,
    ),
    ResourceType(
        locks.Lock, (NodeKind.LOCK,), states.of_a_lock, made=states.making, fingerprint=states.fingerprint_of_a_lock
    ),
    ResourceType(
        locks.Semaphore,
        (NodeKind.SEMAPHORE,),
        states.of_a_semaphore,
        made=states.making,
        fingerprint=states.fingerprint_of_a_semaphore,
    ),
    ResourceType(
        locks.Event,
        (NodeKind.EVENT,),
        states.of_an_event,
        made=states.making,
        fingerprint=states.fingerprint_of_an_event,
    ),
    ResourceType(locks.Barrier, (NodeKind.BARRIER,), states.of_a_barrier, made=states.making),
    ResourceType(
        queues.Queue, CHANNEL, states.of_a_queue, made=states.making, fingerprint=states.fingerprint_of_a_queue
    ),
    ResourceType(socket.socket, (NodeKind.IO,), None, states.a_socket),
    ResourceType(io_internals.Descriptor, (NodeKind.IO,), None, states.a_descriptor, type_name="os.descriptor"),
    ResourceType(subprocess.Process, (NodeKind.COMMAND,), None, states.a_command),
)


class Asyncio:
    """A `Library`: part of every process."""

    name = "asyncio"
    distribution = ""
    checked = ()

    def is_imported(self) -> bool:
        return True

    def support(self) -> Support:
        return Support(
            resource_types=_TYPES,
            resource_type_of=lambda kind: _TRANSPORT if io_internals.is_transport_type(kind) else None,
            task_waits=task_waits(),
            managers=(locks.Condition, locks.Lock, locks.Semaphore),
            held_by_manager=held_by_manager,
        )


ASYNCIO = Asyncio()
