# SPDX-License-Identifier: Apache-2.0
"""Which methods end a wait for a thing of each kind, by name. `cancel` is none of them: it is how a stuck task is
stopped, not how it goes on."""

from __future__ import annotations

from typing import Final

from ...model import NodeKind
from .. import named_locks
from ..internals import sqlite_locks

WAKERS: Final[dict[NodeKind, frozenset[str]]] = {
    NodeKind.EVENT: frozenset({"set"}),
    NodeKind.CONDITION: frozenset({"notify", "notify_all", "notifyAll"}),
    NodeKind.LOCK: frozenset({"release"}),
    NodeKind.SEMAPHORE: frozenset({"release"}),
    NodeKind.BARRIER: frozenset({"wait", "abort", "reset"}),
    NodeKind.FUTURE: frozenset({"set_result", "set_exception"}),
    NodeKind.RX: frozenset({"put", "put_nowait", "shutdown"}),
    NodeKind.TX: frozenset({"get", "get_nowait", "shutdown"}),
}
OF_AN_END: Final = frozenset(
    {
        *("send", "sendall", "sendto", "sendmsg", "sendfile", "write", "writelines", "write_eof", "drain", "flush"),
        *("send_bytes", "send_json", "send_text", "recv", "recv_into", "recvfrom", "recvmsg", "recv_bytes", "read"),
        *("read1", "readinto", "readline", "readlines", "readexactly", "readuntil", "receive", "close", "aclose"),
        *("shutdown", "detach", "communicate", "makefile", "respond", "publish", "request"),
        *("execute", "executemany", "commit", "rollback", "transaction", "fetch", "fetchall", "fetchone", "fetchval"),
        *("__exit__", "__aexit__"),
    }
)
"""Of one end of a connection or pipe: to whoever waits at the other."""
_FINISHED: Final = frozenset({"task_done", "shutdown"})
_NAMED: Final = (named_locks.__name__, sqlite_locks.__name__)
_STREAMS: Final[dict[NodeKind, frozenset[str]]] = {
    NodeKind.RX: frozenset({"send", "send_nowait", "close", "aclose"}),
    NodeKind.TX: frozenset({"receive", "receive_nowait", "close", "aclose", "__anext__"}),
}
"""Of the memory streams of AnyIO and the memory channels of Trio."""


def is_shown(module: str) -> bool:
    """Whether the heap shows who has a thing. `module`: of its type. What greenlets have in their functions it does
    not, nor who could release a lock that is known by its name."""
    return module.partition(".")[0] != "gevent" and module not in _NAMED


def wakers_of(kind: NodeKind, module: str, drains: bool = False, takes: bool = True) -> frozenset[str]:
    """`module`: of the type of the thing. `drains`: some wait until all that is in it is done; `takes`: some do not."""
    if drains:
        return _FINISHED | (wakers_of(kind, module) if takes else frozenset[str]())
    if module.partition(".")[0] in ("anyio", "trio") and kind in _STREAMS:
        return _STREAMS[kind]
    return WAKERS[kind]
