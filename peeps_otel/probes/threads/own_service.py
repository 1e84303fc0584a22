# SPDX-License-Identifier: Apache-2.0
"""Whether a thread that waits for an answer of a service of this process is itself serving there: whether it has in
hand a connection that somebody has made to that address."""

from __future__ import annotations

import socket
from gc import get_referents, is_tracked
from typing import cast

from ..internals.asyncio_io import joined
from ..internals.end_names import host_of, plain
from ..internals.frame_memory import local_names
from ..internals.queued_bytes import endpoint
from .call_stack import CallStack

_FRAMES_MOST = 60
_INNER_MOST = 60


def serves_at(calls: CallStack, address: str) -> bool:
    """`address`: `host:port`. Of a thread that sleeps. Looks at its variables, and one step into those."""
    for number in range(min(len(calls), _FRAMES_MOST) - 1, -1, -1):  # servers are outside
        reader = calls.reader(number)
        for index in range(len(local_names(reader.code))):
            value = reader.local(index)
            if value is None or not is_tracked(value) or type(value) is type:
                continue
            if _is_at(value, address) or any(_is_at(one, address) for one in _within(value)):
                return True
    return False


def _within(value: object) -> list[object]:
    """What an object or a container refers to; of an object, its attributes."""
    found: list[object] = []
    for one in get_referents(value)[:_INNER_MOST]:
        if type(one) is dict:
            found += list(cast("dict[object, object]", one).values())[:_INNER_MOST]
        else:
            found.append(one)
    return found


def _is_at(value: object, address: str) -> bool:
    if not issubclass(type(value), socket.socket):
        return False
    end = endpoint(value)
    if end.local is None or end.peer is None:
        return False
    return joined(plain(host_of(end.local)), int(end.local.rpartition(":")[2])) == address
