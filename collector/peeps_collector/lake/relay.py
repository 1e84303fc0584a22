# SPDX-License-Identifier: Apache-2.0
"""What a collector hears of the graphs of its processes goes on to the head, as it came: snapshots, findings, nodes.
Spans, metrics and the program's own logs do not: the lake has them.

Requests of many programs go on as one, five times a second: a request costs the head more than what is in it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from peeps_otel import semconv

from ..forward import Backend
from ..forward_choice import drop
from ..forward_transport import Item
from ..receive.encoding import Undecodable, decode_request
from ..receive.request import Encoding, Signal

_OURS = "peeps."
_EVERY_S = 0.2
_AT_ONCE_BYTES = 4 << 20
_log = logging.getLogger(__name__)


def our_events(encoding: Encoding, body: bytes) -> bytes:
    """The records of a request that are events of ours, in protobuf; empty where there are none. Raises Undecodable."""
    message: Any = decode_request(Signal.LOGS, encoding, body)
    kept = False
    for block in message.resource_logs:
        for scope in block.scope_logs:
            drop(scope.log_records, [one for one in scope.log_records if _is_ours(one.event_name)])
            kept = kept or bool(scope.log_records)
    return message.SerializeToString() if kept else b""


def _is_ours(event: str) -> bool:
    return event.startswith(_OURS) and event != semconv.EVENT_CLIENT_ERROR


def together(bodies: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Few requests of many, in their order: what is repeated in a message of protobuf may be written one after the
    other. `most`: bytes from which on a request is long enough."""
    parts: list[bytes] = []
    size = 0
    for body in bodies:
        parts.append(body)
        size += len(body)
        if size >= most:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


class Relay:
    """Thread-safe. `limit`: bytes that wait for the head; beyond it the oldest are left out, and the graphs of their
    processes are whole again with their next complete snapshots."""

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        self._headers = headers
        self._limit = limit
        self._lock = threading.Lock()
        self._taken: list[tuple[Encoding, bytes]] = []
        self._size = 0
        self._to = ""
        self._backend: Backend | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-relay", daemon=True)
        self.dropped = 0
        """Requests that had no room before they could be put together."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        self.send_to("")

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        if signal is not Signal.LOGS or _OURS.encode() not in body:
            return
        with self._lock:
            if self._backend is None:
                return
            if self._size + len(body) > self._limit:
                self.dropped += 1
                return
            self._taken.append((encoding, body))
            self._size += len(body)

    def send_to(self, url: str) -> bool:
        """From now on; empty: to nobody. Whether it is somebody new."""
        with self._lock:
            if url == self._to:
                return False
            before, self._to = self._backend, url
            self._backend = Backend(url, self._headers, self._limit) if url else None
            if self._backend is not None:
                self._backend.start()
        if before is not None:
            before.close()
        return bool(url)

    def status(self) -> dict[str, Any] | None:
        with self._lock:
            if self._backend is None:
                return None
            status = self._backend.status()
            return status | {"dropped": status["dropped"] + self.dropped}

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            taken, self._taken, self._size = self._taken, [], 0
            backend = self._backend
        if backend is not None:
            for body in together(_ours(taken), _AT_ONCE_BYTES):
                backend.offer(Item(Signal.LOGS, Encoding.PROTOBUF, body))


def _ours(taken: Iterable[tuple[Encoding, bytes]]) -> Iterator[bytes]:
    for encoding, body in taken:
        try:
            kept = our_events(encoding, body)
        except Undecodable:  # what was taken in was decoded before
            _log.warning("a request could not be read to be passed on", exc_info=True)
            continue
        if kept:
            yield kept
