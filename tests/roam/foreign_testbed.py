# SPDX-License-Identifier: Apache-2.0
"""The service of the foreign peer (`foreign/testbed.py`), as ours; both sides offer it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import trace

from peeps_otel import roam

PAIR = roam.List(roam.Tuple((roam.STRING, roam.STRING)))
POINT = roam.Struct({"x": roam.I32, "y": roam.F64})
SHAPE = roam.Enum(
    {"Nothing": None, "Round": POINT, "Named": roam.STRING, "Pair": roam.Tuple((roam.U8, roam.I8))},
)
EVERYTHING = roam.Struct(
    {
        "numbers": roam.Tuple(
            (
                roam.BOOL,
                *(roam.U8, roam.U16, roam.U32, roam.U64, roam.U128),
                *(roam.I8, roam.I16, roam.I32, roam.I64, roam.I128),
                *(roam.F32, roam.F64),
            )
        ),
        "letter": roam.CHAR,
        "data": roam.BYTES,
        "nothing": roam.UNIT,
        "points": roam.List(POINT),
        "here": roam.Option(POINT),
        "three": roam.Array(roam.I16, 3),
        "names": roam.Map(roam.STRING, roam.U64),
        "few": roam.Set(roam.U32),
        "shapes": roam.List(SHAPE),
    }
)


def _method(name: str, *arguments: Any, returns: Any = roam.UNIT, error: Any = None) -> roam.Method:
    return roam.Method("TestBed", name, arguments, returns, error)


ECHO = _method("echo", roam.STRING, returns=roam.STRING)
DIVIDE = _method("divide", roam.I64, roam.I64, returns=roam.I64, error=roam.STRING)
MIRROR = _method("mirror", EVERYTHING, returns=EVERYTHING)
SUM = _method("sum", roam.Rx(roam.U32), returns=roam.U64)
COUNT = _method("count", roam.U32, roam.Tx(roam.U32))
TRANSFORM = _method("transform", roam.Rx(roam.STRING), roam.Tx(roam.STRING))
FIRST = _method("first", roam.Rx(roam.U32), returns=roam.U32)
HANG = _method("hang")
SEEN = _method("seen", returns=PAIR)
CALL_BACK = _method("call_back", roam.STRING, returns=PAIR)
NOT_THERE = _method("not_there", roam.Rx(roam.U32))


async def _same(_context: roam.Context, value: Any) -> Any:
    return value


async def _divide(_context: roam.Context, one: int, other: int) -> int:
    if other == 0:
        raise roam.UserError("by nothing")
    return one // other


async def _sum(_context: roam.Context, numbers: roam.Receiver) -> int:
    try:
        return sum([number async for number in numbers])
    except roam.ChannelClosed:  # broken off
        return 0


async def _count(_context: roam.Context, most: int, numbers: roam.Sender) -> None:
    for number in range(most):
        await numbers.send(number)


async def _transform(_context: roam.Context, words: roam.Receiver, louder: roam.Sender) -> None:
    async for word in words:
        await louder.send(word.upper())


async def _first(_context: roam.Context, numbers: roam.Receiver) -> int:
    return await numbers.receive()


async def _hang(_context: roam.Context) -> None:
    await asyncio.Event().wait()


async def _seen(context: roam.Context) -> list[tuple[str, str]]:
    current = trace.get_current_span().get_span_context()
    texts = [(entry.key, entry.value) for entry in context.metadata if isinstance(entry.value, str)]
    return [*texts, ("current trace", f"{current.trace_id:032x}")]


async def _call_back(context: roam.Context, _text: str) -> list[tuple[str, str]]:
    return await context.connection.call(SEEN)


_HANDLERS: tuple[tuple[roam.Method, Callable[..., Awaitable[Any]]], ...] = (
    (ECHO, _same),
    (DIVIDE, _divide),
    (MIRROR, _same),
    (SUM, _sum),
    (COUNT, _count),
    (TRANSFORM, _transform),
    (FIRST, _first),
    (HANG, _hang),
    (SEEN, _seen),
    (CALL_BACK, _call_back),
)


def testbed() -> roam.Service:
    service = roam.Service("testbed")
    for method, handler in _HANDLERS:
        service.add(method, handler)
    return service


def wanted(_said: Any) -> roam.Service:
    """Each further connection is."""
    return testbed()
