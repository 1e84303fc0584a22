# SPDX-License-Identifier: Apache-2.0
"""The two ends of a channel, and the errors that end a call."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from .postcard import Reader, decode, encode

if TYPE_CHECKING:
    from .connection import Connection

WAIT_S = 60.0  # a bound for what comes at once, and never the thing tested


class Failed(Exception):
    """A call's answer that is no value: ("User", E), ("UnknownMethod", None), …"""


class Gone(Exception):
    """The connection ended, and why."""


class Inbox:
    """A channel that this side reads."""

    def __init__(self, connection: Connection, channel: int, kind: Any) -> None:
        self.connection = connection
        self.channel = channel
        self.kind = kind
        self.credit = connection.link.window
        self.elements: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read(self) -> Any:
        """The next element; None at the end. Grants what it read."""
        payload = self.elements.get(timeout=WAIT_S)
        if payload is None:
            return None
        if self.connection.link.full:
            self.credit += len(payload)
            self.connection.send("Credit", channel=self.channel, bytes=len(payload))
        return decode(self.kind, Reader(payload))

    def all(self) -> list[Any]:
        return list(iter(self.read, None))


class Outbox:
    """A channel that this side writes."""

    def __init__(self, connection: Connection, channel: int, kind: Any) -> None:
        self.connection = connection
        self.channel = channel
        self.kind = kind
        self.credit = connection.link.window
        self.waited = 0  # how often there was no credit
        self.reset = False
        self.more = threading.Condition()

    def write(self, element: Any) -> None:
        payload = encode(self.kind, element)
        if self.connection.link.full:
            with self.more:
                self.waited += self.credit < len(payload)
                if not self.more.wait_for(lambda: self.credit >= len(payload) or self.reset, WAIT_S):
                    raise Gone("no credit came")
                self.credit -= len(payload)
        self.connection.send("Data", channel=self.channel, payload=payload)

    def close(self) -> None:
        self.connection.send("Close", channel=self.channel)
