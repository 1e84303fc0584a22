# SPDX-License-Identifier: Apache-2.0
"""A bare future inside a library whose protocol has an open connection: a wait for the peer.

Clients of databases, of HTTP and of web sockets wait by futures of their own, which the protocol completes when data
arrives. Which protocol that is, is not guessed from names alone: it must reach the future.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from gc import get_referents, is_tracked
from types import BuiltinFunctionType, CodeType, CoroutineType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from ...model.operations import Operation, operation
from ..internals import asyncio_io as io_internals
from ..internals.await_chain import SuspendedFrame
from ..library import Waiting
from ..source import own_code

_LINKS_MOST = 8
_THINGS_MOST = 50
_REACH_MOST = 2000
_DEPTH_MOST = 7
_NOT_FOLLOWED = (
    *(type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, CoroutineType),
    *(asyncio.AbstractEventLoop, asyncio.Task),
)
_SOCKET, _DRAIN = operation("socket"), operation("stream.drain")


def of_library(links: list[SuspendedFrame], future: Any) -> Waiting | None:
    """`links`: the chain of awaits, outermost first. None: it is another wait."""
    drains = False
    for link in reversed(links[-_LINKS_MOST:]):
        if own_code.is_own(link.code.co_filename):
            return None
        drains = drains or link.code.co_name in io_internals.DRAINS
        for thing in link.referents[:_THINGS_MOST]:
            transport = _open_transport(thing)
            if transport is not None and _reaches(thing, transport, future):
                return Waiting(_operation(drains), (transport,))
    return None


def _operation(drains: bool) -> Operation:
    return _DRAIN if drains else _SOCKET


def _open_transport(thing: object) -> object | None:
    """Of a protocol, or of what has one."""
    if type(thing) in _NOT_FOLLOWED or not is_tracked(thing):
        return None
    return next((one for one in io_internals.transports_near(thing) if io_internals.is_open(one)), None)


def _reaches(thing: object, transport: object, future: object) -> bool:
    """Whether the future is one that this object, or what it holds, will complete."""
    seen = {id(thing), id(transport)}
    level: Iterable[object] = (thing,)
    for _ in range(_DEPTH_MOST):
        further: list[object] = []
        for one in level:
            for referent in get_referents(one):
                if referent is future:
                    return True
                if id(referent) in seen or not _leads_on(referent):
                    continue
                seen.add(id(referent))
                further.append(referent)
            if len(seen) > _REACH_MOST:
                return False
        level = further
    return False


def _leads_on(thing: object) -> bool:
    kind = type(thing)
    if issubclass(kind, MethodType):
        return True
    return is_tracked(thing) and not issubclass(kind, _NOT_FOLLOWED)
