# SPDX-License-Identifier: Apache-2.0
"""What was taken goes on to other OTLP backends, by OTLP/HTTP, as it came or without what must not be stored.

A backend that is slow or down slows nobody: its queue is bounded in bytes, the oldest go first, and that is counted.
What waits in a queue is durable here already; it is not kept for the backend over a restart.
"""

from __future__ import annotations

import email.utils
import http.client
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .receive.queue import Encoding, Signal

_TIMEOUT_S = 10.0
_RETRY = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_ENDING_S = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Item:
    """One request as it goes on."""

    signal: Signal
    encoding: Encoding
    body: bytes


class Forwarder:
    """One queue and one thread for each backend. `offer` from any thread, and never waits."""

    def __init__(self, urls: Sequence[str], signals: Sequence[str], headers: Mapping[str, str], limit: int) -> None:
        """`signals`: which go on. `limit`: bytes that wait for each backend."""
        self._signals = frozenset(Signal(signal) for signal in signals)
        self._backends = [Backend(url, headers, limit) for url in urls]

    def __bool__(self) -> bool:
        return bool(self._backends)

    def start(self) -> None:
        for backend in self._backends:
            backend.start()

    def stop(self) -> None:
        """Gives what waits a few seconds, then leaves it."""
        for backend in self._backends:
            backend.close()
        for backend in self._backends:
            backend.join()

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        if signal in self._signals:
            for backend in self._backends:
                backend.offer(Item(signal, encoding, body))

    def status(self) -> list[dict[str, Any]]:
        return [backend.status() for backend in self._backends]


class Backend:
    """One backend. `pause`: waits so many seconds, or until it is to end."""

    def __init__(
        self, url: str, headers: Mapping[str, str], limit: int, pause: Callable[[float], object] | None = None
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._limit = limit
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._pause = pause or self._ending.wait
        self._queue: deque[Item] = deque()
        self._bytes = 0
        self._connection: http.client.HTTPConnection | None = None
        self._last_try_s = float("inf")
        self._thread = threading.Thread(target=self._run, name="peeps-forward", daemon=True)
        self.sent = self.dropped = self.rejected = 0
        self.failure = ""
        """Why the last request did not get through; empty where it did."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._last_try_s = time.monotonic() + _ENDING_S
        with self._changed:
            self._ending.set()
            self._changed.notify()

    def join(self) -> None:
        self._thread.join(_ENDING_S + _TIMEOUT_S)

    def offer(self, item: Item) -> None:
        with self._changed:
            self._queue.append(item)
            self._bytes += len(item.body)
            while self._bytes > self._limit and len(self._queue) > 1:
                self._bytes -= len(self._queue.popleft().body)
                self.dropped += 1
            self._changed.notify()

    def status(self) -> dict[str, Any]:
        """Without user and password of the URL."""
        parts = urlsplit(self._url)
        with self._changed:
            return {
                "url": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
                "queued_requests": len(self._queue),
                "queued_bytes": self._bytes,
                "sent": self.sent,
                "dropped": self.dropped,
                "rejected": self.rejected,
                "failure": self.failure,
            }

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (item := self._next()) is not None:
            if time.monotonic() > self._last_try_s:
                return
            wait_s = self._send(item)
            if wait_s is None:
                pause_s = _FIRST_PAUSE_S
                self._done(item)
            elif self._ending.is_set():
                return  # it is in the database; the backend has had its chance
            else:
                self._pause(max(wait_s, pause_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _next(self) -> Item | None:
        """The oldest; it stays in the queue until it is done, or is pushed out."""
        with self._changed:
            while not self._queue:
                if self._ending.is_set():
                    return None
                self._changed.wait()
            return self._queue[0]

    def _done(self, item: Item) -> None:
        with self._changed:
            if self._queue and self._queue[0] is item:
                self._queue.popleft()
                self._bytes -= len(item.body)

    def _send(self, item: Item) -> float | None:
        """None once it is done with, for good or bad; else how long the backend wants to be left alone, in seconds."""
        parts = urlsplit(self._url)
        try:
            if self._connection is None:
                self._connection = _connection(parts)
            headers = self._headers | {"content-type": item.encoding.value}
            self._connection.request("POST", f"{parts.path.rstrip('/')}/v1/{item.signal.value}", item.body, headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self._failed(f"{type(error).__name__}: {error}")
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0.0
        if response.status in _RETRY:
            self._failed(f"{response.status} {response.reason}")
            return _seconds(response.headers.get("retry-after"))
        if response.status >= 300:
            self._failed(f"{response.status} {response.reason}: not tried again")
            self.rejected += 1
            return None
        self.failure = ""
        self.sent += 1
        return None

    def _failed(self, why: str) -> None:
        if not self.failure:
            _log.warning("%s does not take what is forwarded: %s", self.status()["url"], why)
        self.failure = why


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    assert parts.hostname is not None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)


def _seconds(retry_after: str | None) -> float:
    """Of a `Retry-After`, which is a number or a date; at most ten minutes."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return min(float(retry_after), 600.0)
    try:
        return min(max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0), 600.0)
    except (ValueError, TypeError):
        return 0.0
