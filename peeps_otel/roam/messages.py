# SPDX-License-Identifier: Apache-2.0
"""The twelve messages of wire version 6, and their bytes.

`decode` reads each Hello of versions 1 to 6; that only 6 is spoken is for the link to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from . import limits, metadata, rules
from .metadata import Metadata
from .postcard import DecodeError, Reader, write_blob, write_string, write_unsigned
from .rules import ProtocolViolation

VERSION = 6
ROOT = 0
"""The connection that each link has from its beginning."""


class Hello(NamedTuple):
    """`max_concurrent_requests`: of version 5 and later; `metadata`: of version 6."""

    max_payload_size: int
    initial_channel_credit: int
    max_concurrent_requests: int | None = None
    metadata: Metadata = ()
    version: int = VERSION


class Connect(NamedTuple):
    request_id: int
    metadata: Metadata = ()


class Accept(NamedTuple):
    request_id: int
    conn_id: int
    metadata: Metadata = ()


class Reject(NamedTuple):
    request_id: int
    reason: str
    metadata: Metadata = ()


class Goodbye(NamedTuple):
    conn_id: int
    reason: str = ""


class Request(NamedTuple):
    conn_id: int
    request_id: int
    method_id: int
    metadata: Metadata = ()
    channels: tuple[int, ...] = ()
    payload: bytes = b""


class Response(NamedTuple):
    conn_id: int
    request_id: int
    metadata: Metadata = ()
    channels: tuple[int, ...] = ()
    payload: bytes = b""


class Cancel(NamedTuple):
    conn_id: int
    request_id: int


class Data(NamedTuple):
    conn_id: int
    channel_id: int
    payload: bytes = b""


class Close(NamedTuple):
    conn_id: int
    channel_id: int


class Reset(NamedTuple):
    conn_id: int
    channel_id: int


class Credit(NamedTuple):
    conn_id: int
    channel_id: int
    bytes: int


Message = Hello | Connect | Accept | Reject | Goodbye | Request | Response | Cancel | Data | Close | Reset | Credit
KINDS: tuple[type[Message], ...] = (
    Hello,
    Connect,
    Accept,
    Reject,
    Goodbye,
    Request,
    Response,
    Cancel,
    Data,
    Close,
    Reset,
    Credit,
)
"""By their discriminants."""
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


def encode(message: Message) -> bytes:
    """Raises ValueError for a number that does not fit its field."""
    out = bytearray((_NUMBERS[type(message)],))
    if type(message) is Hello:
        _write_hello(out, message)
        return bytes(out)
    for name, value in zip(message._fields, cast("tuple[object, ...]", message), strict=True):
        _WRITE[name](out, value)
    return bytes(out)


def decode(data: bytes | memoryview) -> Message:
    """One whole message. Raises `ProtocolViolation`, and nothing else."""
    reader = Reader(data)
    try:
        number = reader.unsigned(32)
        if number >= len(KINDS):
            raise ProtocolViolation(rules.UNKNOWN_VARIANT, f"message {number}")
        kind = KINDS[number]
        made: Callable[..., Message] = kind
        found = _read_hello(reader) if kind is Hello else made(*(_READ[name](reader) for name in kind._fields))
        reader.finish()
    except DecodeError as error:
        raise ProtocolViolation(rules.DECODE_ERROR, str(error)) from error
    return found


def _write_hello(out: bytearray, hello: Hello) -> None:
    write_unsigned(out, hello.version - 1)
    write_unsigned(out, hello.max_payload_size, 32)
    write_unsigned(out, hello.initial_channel_credit, 32)
    if hello.version >= 5:
        write_unsigned(out, hello.max_concurrent_requests or 0, 32)
    if hello.version >= 6:
        metadata.write(out, hello.metadata)


def _read_hello(reader: Reader) -> Hello:
    version = reader.unsigned(32) + 1
    if version > VERSION:
        raise ProtocolViolation(rules.HELLO_VERSION, f"Hello V{version}")
    payload, credit = reader.unsigned(32), reader.unsigned(32)
    concurrent = reader.unsigned(32) if version >= 5 else None
    return Hello(payload, credit, concurrent, metadata.read(reader) if version >= 6 else (), version)


def _write_channels(out: bytearray, channels: tuple[int, ...]) -> None:
    write_unsigned(out, len(channels))
    for channel in channels:
        write_unsigned(out, channel)


def _read_channels(reader: Reader) -> tuple[int, ...]:
    return tuple(reader.unsigned() for _ in range(reader.count(limits.CHANNELS_MOST)))


def _write_u32(out: bytearray, value: int) -> None:
    write_unsigned(out, value, 32)


Write = Callable[[bytearray, object], None]
_WRITE: dict[str, Write] = {
    "metadata": cast(Write, metadata.write),
    "channels": cast(Write, _write_channels),
    "payload": cast(Write, write_blob),
    "reason": cast(Write, write_string),
    "bytes": cast(Write, _write_u32),
}
_READ: dict[str, Callable[[Reader], Any]] = {
    "metadata": metadata.read,
    "channels": _read_channels,
    "payload": Reader.blob,
    "reason": Reader.string,
    "bytes": lambda reader: reader.unsigned(32),
}
for _name in ("request_id", "conn_id", "method_id", "channel_id"):
    _WRITE[_name] = cast(Write, write_unsigned)
    _READ[_name] = Reader.unsigned
