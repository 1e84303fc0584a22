# SPDX-License-Identifier: Apache-2.0
"""The coroutines of asyncio by which one waits: their private names, and what each of them waits for."""

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

from . import versions

CHECKED_ON = versions.on("CPython", "CPython, partly")


class Function(NamedTuple):
    """A coroutine function of asyncio by which one waits. `finds`: the type of the local that is waited for, or leads
    to it."""

    code: CodeType
    operation: str
    finds: type[Any] | None


_FIRST_OF = "as_completed"
_SOCKET_CALLS = ("recv", "recv_into", "recvfrom", "recvfrom_into", "sendall", "sendto", "accept", "connect")
_Row = tuple[object, str, str, type[Any] | None]


def innermost() -> list[Function]:
    """Those that tell by themselves what is waited for, as they are now. Names that this Python lacks are left out."""
    known: list[_Row] = [
        (locks.Lock, "acquire", "lock.acquire", locks.Lock),
        (locks.Lock, "__aenter__", "lock.acquire", locks.Lock),
        (locks.Semaphore, "acquire", "semaphore.acquire", locks.Semaphore),
        (locks.Semaphore, "__aenter__", "semaphore.acquire", locks.Semaphore),
        (locks.Event, "wait", "event.wait", locks.Event),
        (locks.Condition, "wait", "condition.wait", locks.Condition),
        (queues.Queue, "get", "queue.get", queues.Queue),
        (queues.Queue, "put", "queue.put", queues.Queue),
        (tasks, "sleep", "sleep", None),
        (tasks, "_wait", "wait", None),
        (tasks, "wait_for", "wait_for", None),
        (tasks, "_cancel_and_wait", "wait_for.cancel", None),
        (taskgroups.TaskGroup, "__aexit__", "taskgroup", taskgroups.TaskGroup),
        (taskgroups.TaskGroup, "_aexit", "taskgroup", taskgroups.TaskGroup),
        (streams.StreamReader, "_wait_for_data", "stream.read", streams.StreamReader),
        (streams.FlowControlMixin, "_drain_helper", "stream.drain", streams.FlowControlMixin),
        (streams.StreamWriter, "wait_closed", "stream.close", streams.StreamWriter),
        (base_events.Server, "serve_forever", "server.serve", None),
        (base_events.Server, "wait_closed", "server.close", None),
        (base_events.BaseEventLoop, "_create_connection_transport", "stream.connect", transports.BaseTransport),
        # On uvloop these are the innermost that can be seen; asyncio's own step into `_wait` of the transport.
        (base_subprocess.BaseSubprocessTransport, "_wait", "subprocess.wait", subprocess.Process),
        (subprocess.Process, "wait", "subprocess.wait", subprocess.Process),
        (subprocess.Process, "communicate", "subprocess.communicate", subprocess.Process),
    ]
    known.extend(
        (selector_events.BaseSelectorEventLoop, f"sock_{name}", f"socket.{name}", socket.socket)
        for name in _SOCKET_CALLS
    )
    return _functions(known)


def around() -> list[Function]:
    """Those that wait by means of another primitive and are what a person would name."""
    found = _functions(
        [
            (queues.Queue, "join", "queue.join", queues.Queue),
            (locks.Barrier, "_wait", "barrier.wait", locks.Barrier),
            (locks.Barrier, "_block", "barrier.wait", locks.Barrier),
            (subprocess.Process, "communicate", "subprocess.communicate", subprocess.Process),
            (subprocess.Process, "wait", "subprocess.wait", subprocess.Process),
            (getattr(tasks, "_AsCompletedIterator", object), "_wait_for_one", _FIRST_OF, None),  # since 3.13
        ]
    )
    if sys.version_info < (3, 13):
        inner = [code for code in tasks.as_completed.__code__.co_consts if _is_code(code, "_wait_for_one")]
        found += [Function(code, _FIRST_OF, None) for code in inner]
    return found


def _functions(rows: list[_Row]) -> list[Function]:
    return [
        Function(code, operation, finds)
        for owner, name, operation, finds in rows
        if (code := _code(owner, name)) is not None
    ]


def _is_code(constant: object, name: str) -> TypeGuard[CodeType]:
    return type(constant) is CodeType and constant.co_name == name


def _code(owner: object, name: str) -> CodeType | None:
    """The code of a function that `owner` itself defines: an inherited one belongs to somebody else too."""
    function = vars(owner).get(name)
    return getattr(function, "__code__", None)
