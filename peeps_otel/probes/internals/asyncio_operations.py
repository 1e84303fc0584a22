# SPDX-License-Identifier: Apache-2.0
"""The coroutines of asyncio by which one waits: their private names, and what each of them waits for. Checked on
CPython 3.11.7, 3.12.1, 3.13.0 and 3.14.2.
"""

from __future__ import annotations

import socket
import sys
from asyncio import (
    base_events,
    base_subprocess,
    locks,
    queues,
    selector_events,
    streams,
    subprocess,
    taskgroups,
    tasks,
    transports,
)
from types import CodeType
from typing import Any, NamedTuple, TypeGuard

from ...model import NodeKind


class Operation(NamedTuple):
    """What a suspended coroutine does. `finds`: the type of the local that is waited for, or leads to it."""

    name: str
    kind: NodeKind | None
    finds: type[Any] | None


_SEMAPHORE = Operation("semaphore.acquire", NodeKind.SEMAPHORE, locks.Semaphore)
_BARRIER = Operation("barrier.wait", NodeKind.BARRIER, locks.Barrier)
_GROUP = Operation("taskgroup", None, taskgroups.TaskGroup)
_PROCESS = Operation("subprocess.wait", NodeKind.COMMAND, subprocess.Process)
_FIRST_OF = Operation("as_completed", None, None)
_SOCKET_CALLS = ("recv", "recv_into", "recvfrom", "recvfrom_into", "sendall", "sendto", "accept", "connect")


def operations() -> list[tuple[CodeType, Operation]]:
    """The code objects of asyncio's own coroutines, as they are now. Names that this Python lacks are left out."""
    lock = Operation("lock.acquire", NodeKind.LOCK, locks.Lock)
    known: list[tuple[object, str, Operation]] = [
        (locks.Lock, "acquire", lock),
        (locks.Lock, "__aenter__", lock),
        (locks.Semaphore, "acquire", _SEMAPHORE),
        (locks.Semaphore, "__aenter__", _SEMAPHORE),
        (locks.Event, "wait", Operation("event.wait", NodeKind.EVENT, locks.Event)),
        (locks.Condition, "wait", Operation("condition.wait", NodeKind.CONDITION, locks.Condition)),
        (queues.Queue, "get", Operation("queue.get", NodeKind.RX, queues.Queue)),
        (queues.Queue, "put", Operation("queue.put", NodeKind.TX, queues.Queue)),
        (tasks, "sleep", Operation("sleep", None, None)),
        (tasks, "_wait", Operation("wait", None, None)),
        (tasks, "wait_for", Operation("wait_for", None, None)),
        (tasks, "_cancel_and_wait", Operation("wait_for.cancel", None, None)),
        (taskgroups.TaskGroup, "__aexit__", _GROUP),
        (taskgroups.TaskGroup, "_aexit", _GROUP),
        (streams.StreamReader, "_wait_for_data", Operation("stream.read", NodeKind.IO, streams.StreamReader)),
        (streams.FlowControlMixin, "_drain_helper", Operation("stream.drain", NodeKind.IO, streams.FlowControlMixin)),
        (streams.StreamWriter, "wait_closed", Operation("stream.close", NodeKind.IO, streams.StreamWriter)),
        (base_events.Server, "serve_forever", Operation("server.serve", None, None)),
        (base_events.Server, "wait_closed", Operation("server.close", None, None)),
        (
            base_events.BaseEventLoop,
            "_create_connection_transport",
            Operation("stream.connect", NodeKind.IO, transports.BaseTransport),
        ),
        # On uvloop these are the innermost that can be seen; asyncio's own step into `_wait` of the transport.
        (base_subprocess.BaseSubprocessTransport, "_wait", _PROCESS),
        (subprocess.Process, "wait", _PROCESS),
        (subprocess.Process, "communicate", _PROCESS._replace(name="subprocess.communicate")),
    ]
    for name in _SOCKET_CALLS:
        operation = Operation(f"socket.{name}", NodeKind.IO, socket.socket)
        known.append((selector_events.BaseSelectorEventLoop, f"sock_{name}", operation))
    return [(code, operation) for owner, name, operation in known if (code := _code(owner, name)) is not None]


def outer_operations() -> list[tuple[CodeType, Operation]]:
    """Coroutines that wait by means of another primitive and are what a person would name."""
    known: list[tuple[object, str, Operation]] = [
        (queues.Queue, "join", Operation("queue.join", NodeKind.RX, queues.Queue)),
        (locks.Barrier, "_wait", _BARRIER),
        (locks.Barrier, "_block", _BARRIER),
        (subprocess.Process, "communicate", _PROCESS._replace(name="subprocess.communicate")),
        (subprocess.Process, "wait", _PROCESS),
        (getattr(tasks, "_AsCompletedIterator", object), "_wait_for_one", _FIRST_OF),  # since 3.13
    ]
    found = [(code, operation) for owner, name, operation in known if (code := _code(owner, name)) is not None]
    if sys.version_info < (3, 13):
        found += [
            (code, _FIRST_OF) for code in tasks.as_completed.__code__.co_consts if _is_code(code, "_wait_for_one")
        ]
    return found


def _is_code(constant: object, name: str) -> TypeGuard[CodeType]:
    return type(constant) is CodeType and constant.co_name == name


def _code(owner: object, name: str) -> CodeType | None:
    """The code of a function that `owner` itself defines: an inherited one belongs to somebody else too."""
    function = vars(owner).get(name)
    return getattr(function, "__code__", None)
