# SPDX-License-Identifier: Apache-2.0
"""What a collector hears of the graphs of its processes goes on to the head, as it came: snapshots, findings, nodes.
Spans, metrics and the program's own logs do not: the lake has them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from peeps_otel import semconv

from ..forward import Backend
from ..forward_choice import Choice, drop
from ..forward_transport import Item
from ..receive.encoding import decode_request
from ..receive.queue import Encoding, Signal

_OURS = "peeps."


class OurEvents(Choice):
    """Keeps the records that are events of ours."""

    def of(self, signal: Signal, encoding: Encoding, body: bytes) -> tuple[Encoding, bytes] | None:
        message: Any = decode_request(signal, encoding, body)
        kept = False
        for block in message.resource_logs:
            for scope in block.scope_logs:
                drop(scope.log_records, [one for one in scope.log_records if _is_ours(one.event_name)])
                kept = kept or bool(scope.log_records)
        return (Encoding.PROTOBUF, message.SerializeToString()) if kept else None


def _is_ours(event: str) -> bool:
    return event.startswith(_OURS) and event != semconv.EVENT_CLIENT_ERROR


class Relay:
    """Thread-safe. `limit`: bytes that wait for the head; beyond it the oldest are left out, and the graphs of their
    processes are whole again with their next key frames."""

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        self._headers = headers
        self._limit = limit
        self._lock = threading.Lock()
        self._to = ""
        self._backend: Backend | None = None

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        if signal is not Signal.LOGS or _OURS.encode() not in body:
            return
        with self._lock:
            if self._backend is not None:
                self._backend.offer(Item(signal, encoding, body))

    def send_to(self, url: str) -> None:
        """From now on; empty: to nobody."""
        with self._lock:
            if url == self._to:
                return
            before, self._to = self._backend, url
            self._backend = Backend(url, self._headers, self._limit, choice=OurEvents()) if url else None
            if self._backend is not None:
                self._backend.start()
        if before is not None:
            before.close()

    def status(self) -> dict[str, Any] | None:
        with self._lock:
            return None if self._backend is None else self._backend.status()
