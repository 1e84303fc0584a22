# SPDX-License-Identifier: Apache-2.0
# pyright: reportUnnecessaryComparison=false, reportUnknownMemberType=false
# (uvicorn says that its fields are never None; they are, until they are set)
"""HTTP/1 connections that end: uvicorn's protocol with limits on time, on the head of a request, and on how many.

A sender that stops in the middle, or sends a head without end, must not keep a descriptor or memory for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes, connections. `pause_s`: between two pieces of a body, or of an answer that is not read."""

    connections: int = 600
    head_s: float = 10.0
    head_bytes: int = 64 << 10
    pause_s: float = 15.0
    body_s: float = 120.0
    idle_s: float = 75.0


_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class LimitedHttp(HttpToolsProtocol):
    """One connection. `sweep` must be called now and then. On the event loop."""

    limits = Limits()
    by_phase: ClassVar[dict[str, dict[LimitedHttp, None]]] = {}
    """Of each phase the connections that are in it, the one first that has been for longest."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.phase = "head"
        self.since_s = self.moved_s = self.loop.time()
        self._head_bytes = 0
        self._ended = False

    # --- what comes in ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            # Who has nothing to say, or has not said it for longest, makes room: a head comes in one piece as a rule.
            one = (*self._of("idle"), *self._of("head"), self)[0]
            self.by_phase.get(one.phase, {}).pop(one, None)
            one.transport.abort()
        if not transport.is_closing():
            self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self.by_phase.get(self.phase, {}).pop(self, None)
        super().connection_lost(exc)

    def _of(self, phase: str) -> tuple[LimitedHttp, ...]:
        """The connection that has been in it for longest, or none."""
        return tuple(islice(self.by_phase.get(phase, ()), 1))

    def data_received(self, data: bytes) -> None:
        self.moved_s = self.loop.time()
        if self.phase == "idle":
            self._enter("head")
        super().data_received(data)
        if self.phase == "head" and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  uvicorn's says None
        """A sender may end its side with its request and still wait for the answer."""
        cycle = self.cycle
        self._ended = self.phase == "answer" and cycle is not None and not cycle.response_complete
        return self._ended

    # --- callbacks of the parser --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._enter("head")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._enter("body")

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle is None or not self.cycle.response_complete:
            self._enter("answer")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._ended and not self.pipeline:
            self.transport.close()
        elif not self.pipeline and self.phase == "answer":
            self._enter("idle")

    # --- time ---------------------------------------------------------------------------------------------------------

    def _enter(self, phase: str) -> None:
        self.by_phase.get(self.phase, {}).pop(self, None)
        self.phase, self.since_s = phase, self.loop.time()
        if not self.transport.is_closing():
            self.by_phase.setdefault(phase, {})[self] = None

    def is_over(self, now_s: float) -> bool:
        """Whether its time is over."""
        limits, since_s, still_s = self.limits, now_s - self.since_s, now_s - self.moved_s
        match self.phase:
            case "head":
                return since_s > limits.head_s
            case "body":
                # Who is not read from cannot send: then it is our turn.
                return since_s > limits.body_s or (still_s > limits.pause_s and not self.flow.read_paused)
            case "answer":
                size = self.transport.get_write_buffer_size()
                if size != self._unread:
                    self._unread, self.moved_s = size, now_s
                return size > 0 and still_s > limits.pause_s
            case _:
                return since_s > limits.idle_s

    _unread = 0


def sweep(connections: Collection[Any], now_s: float) -> None:
    """Ends what is over."""
    for one in list(connections):
        if isinstance(one, LimitedHttp) and one.transport is not None and one.is_over(now_s):
            one.transport.abort()


def limited(limits: Limits) -> type[LimitedHttp]:
    """The protocol with these limits."""
    return type("LimitedHttp", (LimitedHttp,), {"limits": limits, "by_phase": {}})
