# SPDX-License-Identifier: Apache-2.0
"""OTLP's AnyValue as plain Python values and as JSON text."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_INT64_MAX = (1 << 63) - 1
_MANY_FROM_BYTES = 64 << 10
_VALUES_MOST = 20_000


def value_of(value: AnyValue) -> Any:
    """str, bool, int, float, bytes, list, dict or None."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return getattr(value, which)


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs}


def too_many_values(size: int, *groups: Iterable[KeyValue]) -> str:
    """Why the record, of `size` bytes, is too much work; empty where it is not."""
    if size < _MANY_FROM_BYTES:
        return ""
    left = _VALUES_MOST
    todo: list[Any] = [pair.value for group in groups for pair in group]
    while todo and left > 0:
        value = todo.pop()
        left -= 1
        todo += value.array_value.values
        todo += [pair.value for pair in value.kvlist_value.values]
    return f"it has more than {_VALUES_MOST} values" if left <= 0 else ""


def json_text(value: Any) -> str:
    """JSON; bytes as base64; numbers that JSON has no word for as protobuf writes them: "NaN", "Infinity"."""
    text = orjson.dumps(value, default=_other)
    if b"null" in text:  # what is not finite becomes null
        text = orjson.dumps(_with_words(value), default=_other)
    return text.decode()


def number(value: float) -> float | str:
    """A number that JSON can carry, else its word."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def nanoseconds(value: int) -> int | None:
    """A time of the wire, which is unsigned: None where it is 0 (absent) or not a time."""
    return value if 0 < value <= _INT64_MAX else None


def whole(value: Any) -> int | None:
    """`value` where it is an integer (a bool is not) that fits 64 bits, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT64_MAX else None


def _with_words(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return [_with_words(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # of JSON: any items
    if isinstance(value, dict):
        return {key: _with_words(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # of JSON: any items
    return value


def _other(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
