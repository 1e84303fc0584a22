# SPDX-License-Identifier: Apache-2.0
"""The service that both sides offer, as the foreign peer has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .channels import WAIT_S, Failed, Inbox, Outbox
from .connection import Call, Method

SERVICE = "TestBed"
POINT = ("struct", (("x", "i32"), ("y", "f64")))
SHAPE = ("enum", (("Nothing", None), ("Round", POINT), ("Named", "string"), ("Pair", ("tuple", "u8", "i8"))))
_UNSIGNED = ("u8", "u16", "u32", "u64", "u128")
_SIGNED = ("i8", "i16", "i32", "i64", "i128")
# A type of each kind. A Point is met twice in it, and a Shape has a Point.
EVERYTHING = (
    "struct",
    (
        ("numbers", ("tuple", "bool", *_UNSIGNED, *_SIGNED, "f32", "f64")),
        ("letter", "char"),
        ("data", "bytes"),
        ("nothing", "unit"),
        ("points", ("list", POINT)),
        ("here", ("option", POINT)),
        ("three", ("array", 3, "i16")),
        ("names", ("map", "string", "u64")),
        ("few", ("set", "u32")),
        ("shapes", ("list", SHAPE)),
    ),
)


def example(most: bool) -> Any:
    """A value of EVERYTHING: the greatest numbers, or the least."""
    unsigned = [2**bits - 1 if most else 0 for bits in (8, 16, 32, 64, 128)]
    signed = [2 ** (bits - 1) - 1 if most else -(2 ** (bits - 1)) for bits in (8, 16, 32, 64, 128)]
    shapes = [("Nothing", None), ("Round", {"x": -1, "y": 0.5}), ("Named", "né"), ("Pair", (255, -128))]
    return {
        "numbers": (most, *unsigned, *signed, 1.5, -0.25),
        "letter": "€" if most else "\0",
        "data": bytes(range(256)) if most else b"",
        "nothing": None,
        "points": [{"x": 2**31 - 1, "y": 1e300}, {"x": -(2**31), "y": -0.0}] if most else [],
        "here": {"x": 0, "y": 0.0} if most else None,
        "three": [-1, 0, 1],
        "names": [("", 0), ("a" * 200, 2**64 - 1)] if most else [],
        "few": [0, 127, 128] if most else [],
        "shapes": shapes if most else [],
    }


def _method(name: str, arguments: tuple[Any, ...], returns: Any, error: Any = None) -> Method:
    return Method(SERVICE, name, arguments, returns, error)


ECHO = _method("echo", ("string",), "string")
DIVIDE = _method("divide", ("i64", "i64"), "i64", "string")
MIRROR = _method("mirror", (EVERYTHING,), EVERYTHING)
SUM = _method("sum", (("rx", "u32"),), "u64")
COUNT = _method("count", ("u32", ("tx", "u32")), "unit")
TRANSFORM = _method("transform", (("rx", "string"), ("tx", "string")), "unit")
FIRST = _method("first", (("rx", "u32"),), "u32")  # reads one element, and answers
HANG = _method("hang", (), "unit")
SEEN = _method("seen", (), ("list", ("tuple", "string", "string")))  # the request's metadata that is text
CALL_BACK = _method("call_back", ("string",), ("list", ("tuple", "string", "string")))  # SEEN of whoever calls
NOT_THERE = _method("not_there", (("rx", "u32"),), "unit")


def _same(_call: Call, value: Any) -> Any:
    return value


def _divide(_call: Call, one: int, other: int) -> int:
    if other == 0:
        raise Failed("User", "by nothing")
    return one // other


def _sum(_call: Call, numbers: Inbox) -> int:
    return sum(numbers.all())


def _count(_call: Call, upto: int, numbers: Outbox) -> None:
    for number in range(upto):
        numbers.write(number)
    numbers.close()


def _transform(_call: Call, words: Inbox, louder: Outbox) -> None:
    for word in iter(words.read, None):
        louder.write(word.upper())
    louder.close()


def _first(_call: Call, numbers: Inbox) -> Any:
    return numbers.read()


def _hang(call: Call) -> None:
    call.cancelled.wait(WAIT_S)
    raise Failed("Cancelled", None)


def _seen(call: Call) -> list[tuple[str, str]]:
    return [(key, value) for key, (kind, value), _ in call.metadata if kind == "String"]


def _call_back(call: Call, _text: str) -> Any:
    return call.connection.call(SEEN)


_ALL: tuple[tuple[Method, Callable[..., Any]], ...] = (
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
HANDLERS = {method.id: (method, handler) for method, handler in _ALL}
