# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP as a raw ASGI application: /v1/traces, /v1/metrics, /v1/logs, protobuf and JSON.

Every error is a `google.rpc.Status` in the encoding of the request, as the OTLP specification demands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..asking import HEADER
from .encoding import Inflater, TooLarge, Undecodable, UnknownCompression, encode_response, encode_status
from .grpc_server import Intake
from .queue import Encoding, Outcome, Signal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PATHS = {f"/v1/{signal.value}": signal for signal in Signal}
_INVALID_ARGUMENT, _NOT_FOUND, _RESOURCE_EXHAUSTED, _UNIMPLEMENTED, _UNAVAILABLE = 3, 5, 8, 12, 14


class _Refusal(Exception):
    """An HTTP error: status, gRPC code, message, further headers."""

    def __init__(self, status: int, code: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class HttpReceiver:
    """The ASGI application. `limit`: bytes of a request, before and after decompression."""

    def __init__(self, intake: Intake, limit: int) -> None:
        self._intake = intake
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        encoding = Encoding.JSON if media_type == Encoding.JSON.value else Encoding.PROTOBUF
        try:
            outcome, body = await self._export(scope, media_type, encoding, headers, receive)
        except _Refusal as refusal:
            answer = encode_status(encoding, refusal.code, refusal.message)
            await _respond(send, refusal.status, encoding, answer, refusal.headers)
        else:
            await _respond(send, 200, encoding, body, ((HEADER, outcome.ask.encode()),) if outcome.ask else ())

    async def _export(
        self, scope: Scope, media_type: str, encoding: Encoding, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[Outcome, bytes]:
        signal = _PATHS.get(scope["path"])
        if signal is None:
            raise _Refusal(404, _NOT_FOUND, f"no such path; OTLP goes to {', '.join(_PATHS)}")
        if scope["method"] != "POST":
            raise _Refusal(405, _UNIMPLEMENTED, "OTLP is sent with POST", (b"allow", b"POST"))
        if media_type != encoding.value:
            expected = " or ".join(known.value for known in Encoding)
            raise _Refusal(415, _INVALID_ARGUMENT, f"Content-Type {media_type!r} is not supported: use {expected}")
        body = await self._body(headers, receive)
        answer = self._intake.submit(signal, encoding, body)
        if answer is None:
            raise _Refusal(503, _UNAVAILABLE, "the collector's queue is full; retry later", (b"retry-after", b"1"))
        outcome = await answer
        if outcome.undecodable:
            raise _Refusal(400, _INVALID_ARGUMENT, outcome.message)
        return outcome, encode_response(signal, encoding, outcome)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        try:
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and int(length) > self._limit:
                raise TooLarge(f"the request is larger than {self._limit} bytes; send smaller batches")
            inflater = Inflater(headers.get(b"content-encoding", b"").decode("latin-1"), self._limit)
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Undecodable("the sender went away before the end of the body")
                inflater.feed(message.get("body", b""))
                if not message.get("more_body", False):
                    return inflater.finish()
        except UnknownCompression as error:
            raise _Refusal(415, _UNIMPLEMENTED, str(error)) from None
        except TooLarge as error:
            raise _Refusal(413, _RESOURCE_EXHAUSTED, str(error), (b"connection", b"close")) from None
        except Undecodable as error:
            raise _Refusal(400, _INVALID_ARGUMENT, str(error)) from None


async def _respond(
    send: Send, status: int, encoding: Encoding, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
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
    await send({"type": "http.response.body", "body": body})
