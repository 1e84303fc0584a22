# SPDX-License-Identifier: Apache-2.0
"""`POST /peeps/v1/requests`: a process waits to be asked something (see proto/peeps/v1/requests.proto)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from ..graph.live import LiveGraph
from ..requests_out import ProcessRequests

PATH = "/peeps/v1/requests"
WAIT_S = 25.0
_BODY_MOST = 1024
_REQUESTS_MOST = 16

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Polls:
    """On the event loop. `most`: how many processes may wait at one time."""

    def __init__(self, live: LiveGraph, requests: ProcessRequests, most: int, wait_s: float = WAIT_S) -> None:
        self._live = live
        self._requests = requests
        self._most = most
        self._wait_s = wait_s
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._closed = False
        loop = asyncio.get_running_loop()
        requests.on_ask = lambda process: loop.call_soon_threadsafe(self._wake, process)

    async def answer(self, body: bytes, receive: Receive) -> tuple[int, bytes]:
        """Status and JSON. `receive`: tells when the process has gone away."""
        found = _stream_of(body)
        if found is None:
            return 400, _error("stream and secret must be 16 hexadecimal digits each, in a JSON object")
        process = self._live.speaker(*found)
        if process is None:
            return 409, _error("no snapshot of this stream is known with this secret; come again after the next one")
        if self._count >= self._most:
            return 503, _error("too many processes wait already; requests come with the answers to snapshots")
        woken = asyncio.Event()
        self._waiting.setdefault(process, set()).add(woken)
        self._count += 1
        gone = asyncio.ensure_future(receive())
        try:
            requests = self._due(process)
            if not requests and not self._closed:
                waits = asyncio.ensure_future(woken.wait())
                await asyncio.wait({gone, waits}, timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
                waits.cancel()
                requests = [] if gone.done() else self._due(process)
        finally:
            gone.cancel()
            self._count -= 1
            self._waiting[process].discard(woken)
            if not self._waiting[process]:
                del self._waiting[process]
        return 200, json.dumps({"requests": requests}).encode()

    def close(self) -> None:
        """Answers all who wait: the collector ends."""
        self._closed = True
        for process in list(self._waiting):
            self._wake(process)

    def _due(self, process: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        while len(found) < _REQUESTS_MOST and (asked := self._requests.due_for([process])) is not None:
            found.append({"kind": asked.kind, "id": asked.id})
        return found

    def _wake(self, process: str) -> None:
        for woken in self._waiting.get(process, ()):
            woken.set()


def _stream_of(body: bytes) -> tuple[int, int] | None:
    if len(body) > _BODY_MOST:
        return None
    try:
        values: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    named = cast("dict[str, object]", values) if isinstance(values, dict) else {}
    numbers = [_number(named.get(name)) for name in ("stream", "secret")]
    return None if numbers[0] is None or numbers[1] is None else (numbers[0], numbers[1])


def _number(text: object) -> int | None:
    if not isinstance(text, str) or len(text) != 16:
        return None
    try:
        return int.from_bytes(bytes.fromhex(text), "big")
    except ValueError:
        return None


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()
