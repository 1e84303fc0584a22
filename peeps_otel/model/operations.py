# SPDX-License-Identifier: Apache-2.0
"""The waits that have a name: one row each, with everything that the rest of the system decides by the name.

A wait by another name (of a library that this version does not know, of a process in another language) has no traits:
nothing is concluded from its name.
"""

from __future__ import annotations

from typing import NamedTuple

from .graph import NodeKind


class Operation(NamedTuple):
    """`kind`: which node of a resource is waited for, where it has two; what is waited for, where it has one."""

    name: str
    kind: NodeKind | None = None
    puts: bool = False
    """Into a channel: whoever can reach the channel may make room."""
    several: bool = False
    """For more than one thing at a time."""
    ends_early: bool = False
    """It needs all, but the exception of any one ends it at once."""
    gives_up_lock: bool = False
    """The lock of the block around it is released meanwhile."""
    told_by_innermost: bool = False
    """The innermost function alone tells what is waited for, in asyncio's own form of it."""
    lines_first: bool = False
    """Source lines are resolved before those of other waits: somebody of the program is to end it."""
    lines_at_once: bool = False
    """And from the first look on: what is usual at a line is learned from the short waits there."""
    sleeps: bool = False
    """For nothing but time to pass."""
    drains: bool = False
    """Until the work that was put into a channel is done."""
    asked_by_timer: bool = False
    """A timer of the loop may end it, which only the loop's own list of timers tells."""
    writes: bool = False
    """Until the other end of a connection takes what was written."""
    asks_outside: bool = False
    """In a call that wakes now and then by itself and goes on waiting: being awake is no progress."""
    polls: bool = False
    """By looking round again and again, in a function of a library: being awake there is no progress."""
    ends_server: bool = False
    """For the handlers of a server that was told to stop. It polls, so it moves all the time."""
    may_be_interrupted: bool = False
    """A timer that is not seen may end it: never PROVEN."""
    idle: bool = False
    """It has nothing to do: no wait."""


_LOCK, _SEMAPHORE, _TX, _RX = NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.TX, NodeKind.RX
_IO, _COMMAND, _FUTURE = NodeKind.IO, NodeKind.COMMAND, NodeKind.FUTURE

_ROWS = (
    Operation("lock.acquire", _LOCK, told_by_innermost=True, lines_first=True, lines_at_once=True),
    Operation("lock.poll", _LOCK, lines_first=True, polls=True),
    Operation("semaphore.acquire", _SEMAPHORE, told_by_innermost=True, lines_first=True, lines_at_once=True),
    Operation("limiter.acquire", _SEMAPHORE, lines_first=True, lines_at_once=True),
    Operation("pool.acquire", _SEMAPHORE, lines_first=True, lines_at_once=True),
    Operation("pool.close", _SEMAPHORE, lines_first=True, lines_at_once=True),
    Operation("event.wait", NodeKind.EVENT, told_by_innermost=True, lines_at_once=True),
    Operation("condition.wait", NodeKind.CONDITION, gives_up_lock=True, lines_first=True, lines_at_once=True),
    Operation("barrier.wait", NodeKind.BARRIER, lines_first=True, lines_at_once=True),
    Operation("queue.get", _RX, told_by_innermost=True, lines_at_once=True),
    Operation("queue.put", _TX, puts=True, told_by_innermost=True, lines_first=True, lines_at_once=True),
    Operation("queue.join", _RX, drains=True, lines_at_once=True),
    Operation("channel.send", _TX, puts=True, lines_first=True, lines_at_once=True),
    Operation("channel.receive", _RX, lines_at_once=True),
    Operation("future", lines_at_once=True, asked_by_timer=True),
    Operation("task", lines_first=True),
    Operation("gather", several=True, ends_early=True, lines_first=True),
    Operation("taskgroup", several=True, ends_early=True, lines_first=True),
    Operation("taskgroup.start"),
    Operation("wait", several=True, lines_first=True),
    Operation("as_completed", several=True, lines_first=True),
    Operation("wait_for", lines_first=True),
    Operation("wait_for.cancel"),
    Operation("shield", lines_first=True),
    Operation("executor", lines_first=True),
    Operation("sleep", told_by_innermost=True, sleeps=True),
    Operation("time.sleep", sleeps=True),
    Operation("socket", _IO),
    Operation("stream.read", _IO),
    Operation("stream.drain", _IO, writes=True),
    Operation("stream.close", _IO, writes=True),
    Operation("stream.connect", _IO),
    Operation("server.serve"),
    Operation("server.close", several=True),
    Operation("server.shutdown", several=True, ends_server=True),
    Operation("subprocess.wait", _COMMAND),
    Operation("subprocess.communicate", _COMMAND),
    Operation("process.wait", _COMMAND),
    Operation("process.join", _COMMAND),
    Operation("import", _LOCK),
    Operation("thread.join"),
    Operation("greenlet.join", lines_first=True, may_be_interrupted=True),
    Operation("greenlet.joinall", several=True, lines_first=True, may_be_interrupted=True),
    Operation("greenlet.wait"),
    Operation("interpreter.shutdown"),
    Operation("future.result", _FUTURE),
    Operation("futures.wait", _FUTURE, several=True),
    Operation("futures.as_completed", _FUTURE, several=True),
    Operation("pool.result", _FUTURE),
    Operation("pool.join", _FUTURE),
    Operation("job.result", _FUTURE, lines_first=True, polls=True),
    Operation("idle", idle=True),
    *(Operation(f"connection.{name}") for name in ("poll", "accept", "wait")),
    Operation("file.open"),
    Operation("file.lock", _LOCK),
    *(Operation(name, _IO) for name in ("connection.recv", "file.read", "ssl.read", "ssl.handshake", "ssl.shutdown")),
    *(Operation(name, _IO, writes=True) for name in ("connection.send", "file.write", "ssl.write")),
    *(Operation(f"socket.{name}", _IO) for name in ("recv", "recv_into", "recvfrom", "recvfrom_into")),
    *(Operation(f"socket.{name}", _IO, writes=True) for name in ("send", "sendall", "sendto")),
    *(Operation(f"socket.{name}", _IO) for name in ("accept", "connect")),
    Operation("database.wait", _IO),
    Operation("database.lock", _LOCK, lines_first=True),
    Operation("database.busy", _LOCK, lines_first=True, polls=True),
    Operation("select"),
    Operation("request", asks_outside=True),
    Operation("signal.wait"),
    Operation("name.lookup"),
)

OPERATIONS = {row.name: row for row in _ROWS}
"""By name. A new one is a row here."""


def operation(name: str) -> Operation:
    """The row of a name; one without traits for a name that is not known."""
    return OPERATIONS.get(name) or Operation(name)
