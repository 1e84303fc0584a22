# SPDX-License-Identifier: Apache-2.0
"""Messages in a stream of bytes: each with its length before it, four bytes, the least first."""

from __future__ import annotations

import struct

from . import messages, rules
from .limits import HELLO_FRAME
from .messages import Message
from .rules import ProtocolViolation

_LENGTH = struct.Struct("<I")
_TOO_LONG: dict[type[Message], str] = {
    messages.Request: rules.PAYLOAD_LIMIT,
    messages.Response: rules.PAYLOAD_LIMIT,
    messages.Data: rules.DATA_SIZE,
}


def frame(message: Message) -> bytes:
    """The bytes of one message on a stream."""
    body = messages.encode(message)
    return _LENGTH.pack(len(body)) + body


class FrameDecoder:
    """Takes bytes as they come, gives whole messages. Keeps at most one message of `limit` bytes and what was fed last.

    `limit` begins with what a Hello may have. One thread.
    """

    def __init__(self, limit: int = HELLO_FRAME) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole message. Raises `ProtocolViolation` for one that is too long, as soon as it begins."""
        there = len(self._buffer) - self._at - _LENGTH.size
        if there < 0:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer, self._at)
        if size == 0:
            raise ProtocolViolation(rules.DECODE_ERROR, "an empty frame")
        begin = self._at + _LENGTH.size
        if size > self.limit:
            return self._refuse(size, begin) if there else None
        if there < size:
            return None
        self._at = begin + size
        return bytes(memoryview(self._buffer)[begin : self._at])

    def _refuse(self, size: int, begin: int) -> None:
        """By the first byte it is known what it would have been."""
        number = self._buffer[begin]
        kind = messages.KINDS[number] if number < len(messages.KINDS) else None
        rule = rules.UNKNOWN_VARIANT if kind is None else _TOO_LONG.get(kind, rules.DECODE_ERROR)
        raise ProtocolViolation(rule, f"a frame of {size} bytes, at most {self.limit} are allowed")
