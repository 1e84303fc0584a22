# SPDX-License-Identifier: Apache-2.0
"""What could not be taken, kept where it is looked for: as `peeps.client_error` events in the table `log`, and the last
ones in GET /health."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from peeps_otel import semconv

from .decode.values import json_text
from .receive.request import Encoding, Signal
from .store.schema import LOG, Row

PROCESS = "peeps-collector"
"""The process under which the collector's own events are stored."""
_SEVERITY = 13  # WARN
_PREVIEW_BYTES = 200
_KEPT = 20
_MOST_IN_A_MINUTE = 60


class ClientErrors:
    """`note` by the decoding thread, `last` by any. At most sixty a minute are stored; all are counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, previews: bool = True) -> None:
        """`previews`: False where what was sent must not be shown."""
        self._previews = previews
        self._clock = clock
        self._lock = threading.Lock()
        self._last: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._minute_s = clock()
        self._in_minute = 0
        self.count = 0

    def last(self) -> list[dict[str, Any]]:
        """The newest first, at most twenty."""
        with self._lock:
            return list(reversed(self._last))

    def note(
        self, stage: str, sender: str, signal: Signal, encoding: Encoding, body: bytes, reason: str, now_ns: int
    ) -> list[Row]:
        """Rows of the table `log`. `stage`: decode or apply."""
        attributes: dict[str, Any] = {
            semconv.CLIENT_ERROR_STAGE: stage,
            semconv.CLIENT_ERROR_SENDER: sender,
            semconv.CLIENT_ERROR_SIGNAL: f"{signal.value} {encoding.value}",
            semconv.CLIENT_ERROR_SIZE: len(body),
        }
        if self._previews:
            attributes[semconv.CLIENT_ERROR_PREVIEW] = preview(body)
        with self._lock:
            self.count += 1
            self._last.append(
                {"time_ns": now_ns, "reason": reason} | {key.rpartition(".")[2]: v for key, v in attributes.items()}
            )
            if self._clock() - self._minute_s >= 60:
                self._minute_s, self._in_minute = self._clock(), 0
            self._in_minute += 1
            if self._in_minute > _MOST_IN_A_MINUTE:
                return []
        known: dict[str, Any] = {
            "process": PROCESS,
            "service": PROCESS,
            "time_ns": now_ns,
            "severity": _SEVERITY,
            "severity_text": "WARN",
            "event_name": semconv.EVENT_CLIENT_ERROR,
            "body": reason,
            "scope": PROCESS,
            "attributes": json_text(attributes),
            "received_ns": now_ns,
            "flags": 0,
            "dropped_attributes": 0,
        }
        return [tuple(known.get(column) for column in LOG.columns)]


def preview(body: bytes) -> str:
    """The beginning of a request as text; what is not printable is escaped."""
    text = body[:_PREVIEW_BYTES].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
