# SPDX-License-Identifier: Apache-2.0
"""What was taken goes on to other OTLP backends, as it came or without what must not be stored.

A backend that is slow or down slows nobody: its queue is bounded in bytes, the oldest go first, and that is counted.
What waits in a queue is durable here already; it is not kept for the backend over a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .forward_choice import Choice
from .forward_transport import Item, NotTaken, transport_to
from .receive.encoding import Undecodable
from .receive.request import Encoding, Signal

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_ENDING_S = 3.0
_LAST_TRY_S = 10.0
_log = logging.getLogger(__name__)


class Forwarder:
    """One queue and one thread for each backend. `offer` from any thread, and never waits."""

    def __init__(
        self,
        urls: Sequence[str],
        signals: Sequence[str],
        headers: Mapping[str, str],
        limit: int,
        choice: Choice | None = None,
    ) -> None:
        """`signals`: which go on, and `choice`: what of them. `limit`: bytes that wait for each backend."""
        self._signals = frozenset(Signal(signal) for signal in signals)
        self._backends = [Backend(url, headers, limit, choice=choice) for url in urls]

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
        self,
        url: str,
        headers: Mapping[str, str],
        limit: int,
        pause: Callable[[float], object] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self._url = url
        self._transport = transport_to(url, headers)
        self._choice = choice or Choice()
        self._limit = limit
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._pause = pause or self._ending.wait
        self._queue: deque[Item] = deque()
        self._bytes = 0
        self._last_try_s = float("inf")
        self._thread = threading.Thread(target=self._run, name="peeps-forward", daemon=True)
        self.sent = self.dropped = self.rejected = self.not_chosen = 0
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
        self._thread.join(_ENDING_S + _LAST_TRY_S)

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
                "not_chosen": self.not_chosen,
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
        try:
            chosen = self._chosen(item)
            if chosen is None:
                self.not_chosen += 1
                return None
            self._transport.send(chosen)
        except NotTaken as failed:
            self._failed(str(failed))
            self.rejected += failed.wait_s is None
            return failed.wait_s
        self.failure = ""
        self.sent += 1
        return None

    def _chosen(self, item: Item) -> Item | None:
        try:
            chosen = self._choice.of(item.signal, item.encoding, item.body)
        except Undecodable as error:
            raise NotTaken(f"it cannot be read to choose from: {error}", None) from None
        return None if chosen is None else Item(item.signal, *chosen)

    def _failed(self, why: str) -> None:
        if not self.failure:
            _log.warning("%s does not take what is forwarded: %s", self.status()["url"], why)
        self.failure = why
