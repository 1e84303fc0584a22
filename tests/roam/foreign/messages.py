# SPDX-License-Identifier: Apache-2.0
"""The twelve messages of Roam's wire version 6, and what a response carries; from the text of its specification."""

from __future__ import annotations

from typing import Any

from .postcard import Reader, Type, decode, encode

VALUE = ("enum", (("String", "string"), ("Bytes", "bytes"), ("U64", "u64")))
METADATA = ("list", ("tuple", "string", VALUE, "u64"))
_TWO = ("struct", (("payload", "u32"), ("credit", "u32")))
_V5 = ("struct", (("payload", "u32"), ("credit", "u32"), ("requests", "u32")))
_V6 = ("struct", (*_V5[1], ("metadata", METADATA)))
HELLO = ("enum", (("V1", _TWO), ("V2", _TWO), ("V3", _TWO), ("V4", _TWO), ("V5", _V5), ("V6", _V6)))


def _fields(*pairs: tuple[str, Type]) -> Type:
    return ("struct", pairs)


_CONN, _REQUEST, _CHANNEL = ("conn", "u64"), ("request", "u64"), ("channel", "u64")
_META, _REASON, _PAYLOAD = ("metadata", METADATA), ("reason", "string"), ("payload", "bytes")
_CHANNELS = ("channels", ("list", "u64"))
MESSAGE = (
    "enum",
    (
        ("Hello", HELLO),
        ("Connect", _fields(_REQUEST, _META)),
        ("Accept", _fields(_REQUEST, _CONN, _META)),
        ("Reject", _fields(_REQUEST, _REASON, _META)),
        ("Goodbye", _fields(_CONN, _REASON)),
        ("Request", _fields(_CONN, _REQUEST, ("method", "u64"), _META, _CHANNELS, _PAYLOAD)),
        ("Response", _fields(_CONN, _REQUEST, _META, _CHANNELS, _PAYLOAD)),
        ("Cancel", _fields(_CONN, _REQUEST)),
        ("Data", _fields(_CONN, _CHANNEL, _PAYLOAD)),
        ("Close", _fields(_CONN, _CHANNEL)),
        ("Reset", _fields(_CONN, _CHANNEL)),
        ("Credit", _fields(_CONN, _CHANNEL, ("bytes", "u32"))),
    ),
)


def message(name: str, fields: Any) -> bytes:
    """One message, without its length."""
    return encode(MESSAGE, (name, fields))


def read_message(data: bytes) -> tuple[str, Any]:
    reader = Reader(data)
    found = decode(MESSAGE, reader)
    reader.end()
    return found


def result(returns: Type, error: Type) -> Type:
    """What a response carries: `0` and the value, or `1` and why there is none."""
    failures = (("User", error), ("UnknownMethod", None), ("InvalidPayload", None), ("Cancelled", None))
    return ("enum", (("Ok", returns), ("Err", ("enum", failures))))
