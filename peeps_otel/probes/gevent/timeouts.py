# SPDX-License-Identifier: Apache-2.0
"""The `gevent.Timeout`s that a greenlet has set on itself: they end whatever it waits for."""

from __future__ import annotations

from types import MethodType
from typing import Any

from ..internals import gevent as internals
from ..internals.frame_memory import FrameReader, local_names
from ..internals.gevent import Types
from ..threads.bytecode import analysis
from ..threads.call_stack import CallStack

_FRAMES_MOST, _LOCALS_MOST = 40, 64


def due_ns(types: Types, calls: CallStack, now_ns: int) -> int | None:
    """When the first of them is due at the latest, in Unix epoch nanoseconds: since when it runs it does not tell. None
    where no function has one in its `with` blocks or variables."""
    found: list[int] = []
    for number in range(min(len(calls), _FRAMES_MOST)):
        armed = filter(internals.is_armed, _of(types, calls.reader(number)))
        found += [now_ns + int((internals.seconds_of(timeout) or 0.0) * 1e9) for timeout in armed]
    return min(found, default=None)


def _of(types: Types, reader: FrameReader) -> list[Any]:
    code = reader.code
    places = range(min(len(local_names(code)), _LOCALS_MOST))
    found = [value for place in places if issubclass(type(value := reader.local(place)), types.timeout)]
    if code.co_exceptiontable:
        for block in analysis(code).with_blocks(reader.lasti):
            leaving = reader.below_handler(block.slot)
            if type(leaving) is MethodType and issubclass(type(leaving.__self__), types.timeout):
                found.append(leaving.__self__)
    return found
