# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP as a raw ASGI application: /v1/traces, /v1/metrics, /v1/logs, protobuf and JSON.

Every error is a `google.rpc.Status` in the encoding of the request, as the OTLP specification demands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from ..access import refusal_of as token_refusal
from ..names import refusal_of
from ..requests_out import HEADER
from .encoding import Inflater, TooLarge, Undecodable, UnknownCompression, encode_response, encode_status
from .grpc_server import Intake
from .polls import PATH, Polls
from .request import NO_PROFILES, RETRY_AFTER_S, Encoding, Outcome, Signal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PROFILES = frozenset({"/v1development/profiles", "/v1/profiles"})
_PATHS = {f"/v1/{signal.value}": signal for signal in Signal}
_INVALID_ARGUMENT, _NOT_FOUND, _DENIED, _RESOURCE_EXHAUSTED, _UNIMPLEMENTED, _UNAVAILABLE = 3, 5, 7, 8, 12, 14
_UNAUTHENTICATED = 16
_WANTED = (b"www-authenticate", b"Bearer")
_RETRY = (b"retry-after", str(RETRY_AFTER_S).encode())
_RETRY_LATE = ((b"retry-after", b"60"),)
_LINGER_SECONDS = 10.0
_LINGER_BYTES = 256 << 20


class _Refusal(Exception):
    """An HTTP error: status, gRPC code, message, further headers."""

    def __init__(self, status: int, code: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class HttpReceiver:
    """The ASGI application. `limit`: bytes of a request, before and after decompression. `hosts`: the names under which
    a page may not be tricked into sending (see names.py); None: any. `token`: what a sender must show (access.py)."""

    def __init__(
        self,
        intake: Intake,
        limit: int,
        hosts: Collection[str] | None = None,
        polls: Polls | None = None,
        token: str = "",
    ) -> None:
        self._token = token
        self._polls = polls
        self._intake = intake
        self._limit = limit
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        encoding = Encoding.JSON if media_type == Encoding.JSON.value else Encoding.PROTOBUF
        try:
            if reason := token_refusal(headers.get(b"authorization", b""), self._token):
                raise _Refusal(401, _UNAUTHENTICATED, reason, _WANTED, (b"connection", b"close"))
            if scope["path"] == PATH and self._polls is not None:
                await self._await_requests(headers, receive, send)
                return
            outcome, body = await self._export(scope, media_type, encoding, headers, receive)
        except _Refusal as refusal:
            answer = encode_status(encoding, refusal.code, refusal.message)
            close = (b"connection", b"close") in refusal.headers
            await _respond(send, refusal.status, encoding, answer, refusal.headers, receive if close else None)
        else:
            await _respond(send, 200, encoding, body, ((HEADER, outcome.ask.encode()),) if outcome.ask else ())

    async def _await_requests(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        if self._hosts is not None and (reason := refusal_of(headers, self._hosts, plain=True)):
            raise _Refusal(403, _DENIED, reason, (b"connection", b"close"))
        assert self._polls is not None
        status, body = await self._polls.answer(await self._body(headers, receive), receive)
        await _respond(send, status, Encoding.JSON, body, _RETRY_LATE if status == 503 else ())

    async def _export(
        self, scope: Scope, media_type: str, encoding: Encoding, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[Outcome, bytes]:
        signal = _PATHS.get(scope["path"])
        if self._hosts is not None and (reason := refusal_of(headers, self._hosts, plain=True)):
            raise _Refusal(403, _DENIED, reason, (b"connection", b"close"))
        if scope["path"] in _PROFILES:
            raise _Refusal(404, _UNIMPLEMENTED, NO_PROFILES)
        if signal is None:
            raise _Refusal(404, _NOT_FOUND, f"no such path; OTLP goes to {', '.join(_PATHS)}")
        if scope["method"] != "POST":
            raise _Refusal(405, _UNIMPLEMENTED, "OTLP is sent with POST", (b"allow", b"POST"))
        if media_type != encoding.value:
            expected = " or ".join(known.value for known in Encoding)
            raise _Refusal(415, _INVALID_ARGUMENT, f"Content-Type {media_type!r} is not supported: use {expected}")
        body = await self._body(headers, receive)
        client = scope.get("client")
        sender = f"http {client[0]}:{client[1]}" if client else "http"
        outcome = await self._intake.submit(signal, encoding, body, sender)
        if outcome.wait_s:
            wait = (b"retry-after", str(outcome.wait_s).encode())
            raise _Refusal(429, _RESOURCE_EXHAUSTED, outcome.message, wait)
        if outcome.retry:
            raise _Refusal(503, _UNAVAILABLE, outcome.message, _RETRY)
        if outcome.undecodable:
            raise _Refusal(400, _INVALID_ARGUMENT, outcome.message)
        return outcome, encode_response(signal, encoding, outcome)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, decompressed; its bytes are taken from the budget."""
        budget = self._intake.budget
        taken = 0
        try:
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and int(length) > self._limit:
                raise TooLarge(f"the request is larger than {self._limit} bytes; send smaller batches")
            inflater = Inflater(headers.get(b"content-encoding", b"").decode("latin-1"), self._limit)
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Undecodable("the sender went away before the end of the body")
                for size in inflater.feed(message.get("body", b"")):
                    if not budget.take(size, taken):
                        what = "too many requests are being received; retry later"
                        raise _Refusal(503, _UNAVAILABLE, what, _RETRY, (b"connection", b"close"))
                    taken += size
                    await asyncio.sleep(0)  # a small body can become a large one: others have their turn
                if not message.get("more_body", False):
                    body, taken = inflater.finish(), 0
                    return body
        except UnknownCompression as error:
            raise _Refusal(415, _UNIMPLEMENTED, str(error)) from None
        except TooLarge as error:
            raise _Refusal(413, _RESOURCE_EXHAUSTED, str(error), (b"connection", b"close")) from None
        except Undecodable as error:
            raise _Refusal(400, _INVALID_ARGUMENT, str(error), (b"connection", b"close")) from None
        finally:
            budget.give(taken)


async def _respond(
    send: Send,
    status: int,
    encoding: Encoding,
    body: bytes,
    headers: tuple[tuple[bytes, bytes], ...],
    linger: Receive | None = None,
) -> None:
    """`linger`: what the sender is still sending is thrown away before the connection is closed. A connection that is
    closed on unread bytes is reset, and the answer with it."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", encoding.value.encode()),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": linger is not None})
    if linger is not None:
        left = _LINGER_BYTES
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while left > 0:
                    message = await linger()
                    left -= len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})
