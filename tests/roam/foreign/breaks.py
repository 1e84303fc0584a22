# SPDX-License-Identifier: Apache-2.0
"""What the foreign peer does against the rules, one link each, by raw messages; and what comes back."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from .link import CREDIT_KEY
from .messages import message, read_message
from .postcard import encode, varint
from .testbed import CALL_BACK, HANG, SEEN, SUM, TRANSFORM

PAYLOAD, WINDOW, REQUESTS = 8192, 16, 3


class Raw:
    """A link without any state: it sends what it is told to."""

    def __init__(self, sock: socket.socket, initiator: bool) -> None:
        self.sock = sock
        self.channel = 1 if initiator else 2
        self.initiator = initiator

    def frame(self, body: bytes) -> None:
        self.sock.sendall(struct.pack("<I", len(body)) + body)

    def send(self, name: str, **fields: Any) -> None:
        self.frame(message(name, fields))

    def hello(self, **changed: Any) -> None:
        metadata = [(CREDIT_KEY, ("String", "full"), 0)]
        fields = {"payload": PAYLOAD, "credit": WINDOW, "requests": REQUESTS, "metadata": metadata} | changed
        self.frame(message("Hello", ("V6", fields)))

    def request(self, method: Any, payload: bytes = b"", **changed: Any) -> None:
        fields: dict[str, Any] = {"conn": 0, "request": 1, "method": method.id, "metadata": [], "channels": []}
        self.send("Request", **(fields | {"payload": payload} | changed))

    def open(self, **changed: Any) -> None:
        """A call of `sum`, whose channel is then open."""
        self.request(SUM, varint(self.channel), **({"channels": [self.channel]} | changed))

    def data(self, payload: bytes, **changed: Any) -> None:
        self.send("Data", **({"conn": 0, "channel": self.channel, "payload": payload} | changed))

    def next(self) -> tuple[str, Any] | None:
        head = self._exactly(4)
        body = None if head is None else self._exactly(struct.unpack("<I", head)[0])
        return None if body is None else read_message(body)

    def until(self, name: str) -> Any:
        while (found := self.next()) is not None:
            if found[0] == name:
                return found[1]
        raise EOFError(f"no {name}")

    def _exactly(self, count: int) -> bytes | None:
        got = b""
        while len(got) < count:
            try:
                piece = self.sock.recv(count - len(got))
            except ConnectionError:
                piece = b""
            if not piece:
                return None
            got += piece
        return got


def text(key: str, value: str) -> tuple[str, tuple[str, str], int]:
    return (key, ("String", value), 0)


MANY = [text(str(number), "") for number in range(129)]
LONG_KEY = [text("k" * 257, "")]
LONG_VALUE = [text("k", "v" * 16_385)]
MUCH = [text(str(number), "v" * 16_000) for number in range(5)]


def _connect_metadata(raw: Raw) -> None:
    raw.send("Connect", request=1, metadata=MANY)


def _wide_bytes_of_credit(raw: Raw) -> None:
    raw.frame(varint(11) + b"\0" + varint(raw.channel) + b"\xff\xff\xff\xff\x1f")


def _many_at_once(raw: Raw) -> None:
    for request in range(1, REQUESTS + 2):
        raw.request(HANG, request=request)


def _twice(raw: Raw) -> None:
    raw.request(HANG, request=7)
    raw.request(HANG, request=7)


def _second_use_of_a_channel(raw: Raw) -> None:
    raw.open()
    raw.open(request=2)


def _after_close(raw: Raw) -> None:
    raw.open()
    raw.data(b"\1")
    raw.send("Close", conn=0, channel=raw.channel)
    raw.data(b"\1")


def _opened(then: Callable[[Raw], None]) -> Callable[[Raw], None]:
    def act(raw: Raw) -> None:
        raw.open()
        then(raw)

    return act


def _answer_to(payload: bytes, **changed: Any) -> Callable[[Raw], None]:
    """The other side calls us back, and that is our answer."""

    def act(raw: Raw) -> None:
        raw.request(CALL_BACK, encode(CALL_BACK.arguments, ("x",)))
        asked = raw.until("Request")
        assert asked["method"] == SEEN.id
        fields: dict[str, Any] = {
            "conn": 0,
            "request": asked["request"],
            "metadata": [],
            "channels": [],
            "payload": payload,
        }
        raw.send("Response", **(fields | changed))

    return act


def _on_a_virtual_connection(raw: Raw) -> None:
    raw.send("Connect", request=1, metadata=[])
    raw.data(b"\1", conn=raw.until("Accept")["conn"], channel=99)


def _against_the_direction(raw: Raw) -> None:
    """Once the handler has begun: what it writes is not ours to write."""
    words, louder = raw.channel, raw.channel + 2
    raw.request(TRANSFORM, varint(words) + varint(louder), channels=[words, louder])
    raw.data(b"\1a")
    raw.until("Data")
    raw.data(b"\1a", channel=louder)


# Before Hello is through.
FIRST_WORDS: dict[str, Callable[[Raw], None]] = {
    "no Hello": lambda raw: raw.send("Cancel", conn=0, request=1),
    "Hello V5": lambda raw: raw.frame(b"\0\4" + varint(1024) + varint(64) + varint(64)),
    "Hello V7": lambda raw: raw.frame(b"\0\6"),
    "Hello cut short": lambda raw: raw.frame(b"\0\5\x80"),
    "Hello with metadata beyond all limits": lambda raw: raw.hello(metadata=MANY),
    "no Roam": lambda raw: raw.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}
# After it.
ACTS: dict[str, Callable[[Raw], None]] = {
    "a frame of 2 GiB": lambda raw: raw.sock.sendall(b"\xff\xff\xff\x7f\x07"),
    "a request of 2 GiB": lambda raw: raw.sock.sendall(b"\xff\xff\xff\x7f\x05"),
    "an empty frame": lambda raw: raw.frame(b""),
    "an unknown message": lambda raw: raw.frame(b"\x0c\0\0"),
    "more than the message": lambda raw: raw.frame(message("Cancel", {"conn": 0, "request": 1}) + b"\0"),
    "less than the message": lambda raw: raw.frame(message("Cancel", {"conn": 0, "request": 1})[:-1]),
    "a varint of 11 bytes": lambda raw: raw.frame(b"\x07\0" + b"\x80" * 10 + b"\1"),
    "a varint of 65 bits": lambda raw: raw.frame(b"\x07\0" + b"\xff" * 9 + b"\2"),
    "a u32 of 33 bits": _wide_bytes_of_credit,
    "a list of 2^60": lambda raw: raw.frame(b"\x05\0\1\1" + varint(1 << 60)),
    "bytes longer than the frame": lambda raw: raw.frame(b"\x05\0\1\1\0\0" + varint(5000) + b"x"),
    "a key that is no UTF-8": lambda raw: raw.frame(b"\x01\1\1\2\xff\xfe\0\0\0"),
    "an unknown kind of metadata": lambda raw: raw.frame(b"\x01\1\1\1k\x03\0\0"),
    "129 entries of metadata": lambda raw: raw.request(SEEN, metadata=MANY),
    "a key of 257 bytes": lambda raw: raw.request(SEEN, metadata=LONG_KEY),
    "a value of 16,385 bytes": lambda raw: raw.request(SEEN, metadata=LONG_VALUE),
    "80,000 bytes of metadata": lambda raw: raw.request(SEEN, metadata=MUCH),
    "129 entries in Connect": _connect_metadata,
    "129 entries in a response": _answer_to(b"\0\0", metadata=MANY),
    "a request's payload": lambda raw: raw.request(SEEN, b"x" * (PAYLOAD + 1)),
    "a response's payload": _answer_to(b"x" * (PAYLOAD + 1)),
    "a response to nothing": lambda raw: raw.send(
        "Response", conn=0, request=777, metadata=[], channels=[], payload=b"\0"
    ),
    "one request too many": _many_at_once,
    "a request twice": _twice,
    "a channel twice": _second_use_of_a_channel,
    "channel 0 in a request": lambda raw: raw.open(channels=[0]),
    "data on channel 0": lambda raw: raw.data(b"\1", channel=0),
    "Close of channel 0": lambda raw: raw.send("Close", conn=0, channel=0),
    "data on no channel": lambda raw: raw.data(b"\1", channel=99),
    "Close of no channel": lambda raw: raw.send("Close", conn=0, channel=99),
    "Reset of no channel": lambda raw: raw.send("Reset", conn=0, channel=99),
    "credit for no channel": lambda raw: raw.send("Credit", conn=0, channel=99, bytes=1),
    "data after Close": _after_close,
    "data of another type": _opened(lambda raw: raw.data(b"\xff\xff\xff\xff\xff")),
    "data with something behind it": _opened(lambda raw: raw.data(b"\1\1")),
    "data longer than a payload": _opened(lambda raw: raw.data(b"x" * (PAYLOAD + 1))),
    "data beyond the credit": _opened(lambda raw: raw.data(b"x" * (WINDOW + 1))),
    "data against the direction": _against_the_direction,
    "a request on no connection": lambda raw: raw.request(SEEN, conn=9),
    "data on no connection": lambda raw: raw.data(b"\1", conn=9),
    "data on no channel of a virtual connection": _on_a_virtual_connection,
}


def break_rules(links: Callable[[], socket.socket], initiator: bool) -> dict[str, Any]:
    """What is said to each: the reason of the Goodbye on the root, when the socket has ended behind it."""
    said: dict[str, Any] = {}
    for name, act in {**FIRST_WORDS, **ACTS}.items():
        with links() as sock:
            raw = Raw(sock, initiator)
            if name in ACTS:
                raw.hello()
            assert (raw.next() or ("nothing",))[0] == "Hello"
            try:
                act(raw)
                goodbye = raw.until("Goodbye")
                after = raw.next()
                said[name] = goodbye["reason"] if (goodbye["conn"], after) == (0, None) else [goodbye, after]
            except (EOFError, TimeoutError) as error:
                said[name] = repr(error)
    return said
