# SPDX-License-Identifier: Apache-2.0
"""OTLP's AnyValue as plain Python values and as JSON text."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_INT64_MAX = (1 << 63) - 1


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


def json_text(value: Any) -> str:
    """JSON; bytes as base64, numbers that JSON has no word for as null."""
    return orjson.dumps(value, default=_other).decode()


def nanoseconds(value: int) -> int | None:
    """A time of the wire, which is unsigned: None where it is 0 (absent) or not a time."""
    return value if 0 < value <= _INT64_MAX else None


def whole(value: Any) -> int | None:
    """`value` where it is an integer (a bool is not) that fits 64 bits, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT64_MAX else None


def _other(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
