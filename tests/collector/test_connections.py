# SPDX-License-Identifier: Apache-2.0
"""Connections that stop in the middle, say too much, or end early: none of them costs others anything."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import MutableMapping
from typing import Any, cast

import pytest
from google.rpc.status_pb2 import Status

from peeps_collector.receive.http_protocol import LimitedHttp, Limits, limited, sweep
from peeps_collector.receive.http_server import HttpReceiver
from peeps_collector.receive.request import Budget, Encoding, Outcome, Signal
from tests.collector.collector_support import Running, event, logs_request
from tests.support.network import http

HEAD = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while piece := sock.recv(65536):
        found += piece
    return found


def test_who_ends_its_side_with_the_request_is_answered(shared: Running) -> None:
    for where, request in (
        (shared.otlp, HEAD + b"Content-Length: 2\r\n\r\n{}"),
        (shared.api, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ):
        with connect(where) as sock:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock).startswith(b"HTTP/1.1 200 OK")


def test_a_head_without_end_is_ended(shared: Running) -> None:
    for where in (shared.otlp, shared.api):
        with connect(where) as sock:
            sock.sendall(HEAD + b"X-Long: ")
            with pytest.raises(OSError, match=r"reset|Broken pipe"):
                sock.sendall(b"x" * 100_000_000)
            assert http(f"http://{shared.api}/health").status == 200


def test_a_body_that_is_too_large_is_answered_413_and_not_reset(start: Any) -> None:
    collector: Running = start(PEEPS_MAX_REQUEST_BYTES="100000")
    with connect(collector.otlp) as sock:
        sock.sendall(HEAD + b"Content-Length: 20000000\r\n\r\n")
        for _ in range(200):
            sock.sendall(bytes(100_000))
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"larger than 100000 bytes" in answer


def test_every_member_of_a_gzip_body_counts(shared: Running) -> None:
    parts = [logs_request(event("member", body=text)).SerializeToString() for text in ("first", "second")]
    body = b"".join(map(gzip.compress, parts)) + bytes(512)
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    assert http(f"http://{shared.otlp}/v1/logs", body, headers).status == 200
    stored: list[list[Any]] = []
    deadline = time.monotonic() + 20
    while len(stored) < 2 and time.monotonic() < deadline:
        stored = shared.sql("SELECT body FROM log WHERE event_name = 'member' ORDER BY body")
        time.sleep(0.1)
    assert stored == [["first"], ["second"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_reaches_neither_port(shared: Running, headers: dict[str, str]) -> None:
    text = headers | {"content-type": "text/plain"}
    refused = http(f"http://{shared.api}/api/sql", b'{"sql": "SELECT 1"}', text)
    assert refused.status == 403
    refused = http(f"http://{shared.otlp}/v1/logs", b"{}", headers | {"content-type": "application/json"})
    assert refused.status == 403
    assert refused.json()["code"] == 7


def test_a_page_of_our_own_may_ask(shared: Running) -> None:
    own = {"origin": f"http://{shared.api}", "content-type": "application/json"}
    assert http(f"http://{shared.api}/api/sql", b'{"sql": "SELECT 1"}', own).status == 200


class Clock:
    """A connection without a network, at a time of its own."""

    def __init__(self, limits: Limits, beside: Clock | None = None) -> None:
        self.now_s = 0.0
        self.closed = False
        self.written = b""
        import uvicorn
        from uvicorn.server import ServerState

        async def app(_scope: Any, receive: Any, send: Any) -> None:
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        loop = asyncio.get_running_loop()
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        self.state = ServerState() if beside is None else beside.state
        kind = limited(limits) if beside is None else type(beside.protocol)
        self.protocol: LimitedHttp = kind(config=config, server_state=self.state, app_state={})
        self.protocol.loop = cast("asyncio.AbstractEventLoop", Proxy(loop, self))
        self.protocol.since_s = self.protocol.moved_s = 0.0
        self.protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closed = True

    close = abort

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    async def after(self, seconds: float) -> bool:
        """Whether it is still there then."""
        await asyncio.sleep(0.01)
        self.now_s += seconds
        sweep(self.state.connections, self.now_s)
        return not self.closed


class Proxy:
    """The loop, with the time of a Clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop, self._clock = loop, clock

    def time(self) -> float:
        return self._clock.now_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


LIMITS = Limits(head_s=10, pause_s=15, body_s=120, idle_s=75)


def test_time_limits_for_head_pauses_body_and_idleness() -> None:
    async def story() -> dict[str, bool]:
        found: dict[str, bool] = {}
        silent = Clock(LIMITS)
        found["says nothing"] = await silent.after(9) and not await silent.after(2)
        head = Clock(LIMITS)
        head.protocol.data_received(HEAD)
        found["stops in its head"] = await head.after(9) and not await head.after(2)
        dribble = Clock(LIMITS)
        dribble.protocol.data_received(HEAD[:20])
        await dribble.after(6)
        dribble.protocol.data_received(HEAD[20:30])
        found["a head in drops"] = not await dribble.after(6)
        body = Clock(LIMITS)
        body.protocol.data_received(HEAD + b"Content-Length: 100\r\n\r\n{")
        found["stops in its body"] = await body.after(14) and not await body.after(2)
        slow = Clock(LIMITS)
        slow.protocol.data_received(HEAD + b"Content-Length: 100\r\n\r\n{")
        alive = True
        for _ in range(9):
            slow.protocol.data_received(b" ")
            alive = alive and await slow.after(13)
        slow.protocol.data_received(b" ")
        found["a body in drops"] = alive and not await slow.after(13)
        idle = Clock(LIMITS)
        idle.protocol.data_received(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await asyncio.sleep(0.05)
        found["answered"] = idle.written.startswith(b"HTTP/1.1 200")
        found["idle"] = await idle.after(74) and not await idle.after(2)
        return found

    found = asyncio.run(story())
    assert found == dict.fromkeys(found, True)


def test_beyond_the_limit_who_has_said_nothing_for_longest_makes_room() -> None:
    async def story() -> list[bool]:
        limits = Limits(connections=3)
        busy = Clock(limits)
        busy.protocol.data_received(HEAD + b"Content-Length: 100\r\n\r\n{")
        stopped = Clock(limits, busy)
        stopped.protocol.data_received(HEAD)
        idle = Clock(limits, busy)
        idle.protocol.data_received(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await asyncio.sleep(0.05)
        first = Clock(limits, busy)  # in place of `idle`
        second = Clock(limits, busy)  # in place of `stopped`
        third = Clock(limits, busy)  # in place of `first`
        return [one.closed for one in (busy, stopped, idle, first, second, third)]

    assert asyncio.run(story()) == [False, True, True, True, False, False]


def test_the_budget_counts_what_is_being_received() -> None:
    """Forty unfinished uploads do not fill the memory: who comes when there is no room is told to come again."""

    class Intake:
        budget = Budget(1_000_000)

        async def submit(self, signal: Signal, encoding: Encoding, body: bytes, sender: str) -> Outcome:
            self.budget.give(len(body))
            return Outcome()

    async def story() -> list[int]:
        intake, statuses, hold = Intake(), list[int](), asyncio.Event()

        async def upload() -> None:
            pieces = 0

            async def receive() -> MutableMapping[str, Any]:
                nonlocal pieces
                pieces += 1
                if pieces == 3:
                    await hold.wait()
                    return {"type": "http.request", "body": b"", "more_body": False}
                return {"type": "http.request", "body": bytes(100_000), "more_body": True}

            async def send(message: MutableMapping[str, Any]) -> None:
                if "status" in message:
                    statuses.append(message["status"])

            headers = [(b"content-type", b"application/x-protobuf"), (b"host", b"localhost")]
            scope = {"type": "http", "method": "POST", "path": "/v1/logs", "headers": headers}
            await HttpReceiver(intake, 1_000_000)(scope, receive, send)

        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(upload())
            for _ in range(1000):
                await asyncio.sleep(0)
            assert intake.budget.bytes <= 1_000_000
            hold.set()
        assert intake.budget.bytes == 0
        return statuses

    statuses = asyncio.run(story())
    assert len(statuses) == 40
    assert 1 <= statuses.count(200) <= 10
    assert statuses.count(503) == 40 - statuses.count(200)


def test_what_grpc_has_not_received_in_full_is_counted_too(start: Any) -> None:
    collector: Running = start(PEEPS_QUEUE_BYTES="2000000")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    held = [connect(collector.otlp) for _ in range(8)]
    refused = 0
    for sock in held:
        sock.sendall(preface)
        try:
            for _ in range(100):  # frames of a stream that gRPC may or may not like: here they are bytes
                sock.sendall(b"\0\x40\0\0\0\0\0\0\x01" + bytes(16384))
        except OSError:
            refused += 1
    assert http(f"http://{collector.otlp}/v1/logs", b"{}", {"content-type": "application/json"}).status in {200, 503}
    for sock in held:
        sock.close()
    deadline = time.monotonic() + 20
    while collector.get("/health")["queue_bytes"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert collector.get("/health")["queue_bytes"] == 0, "what was taken is given back"


def test_a_refusal_is_a_status_in_the_encoding_of_the_request(shared: Running) -> None:
    headers = {"content-type": "application/x-protobuf", "origin": "http://evil.example"}
    refused = http(f"http://{shared.otlp}/v1/logs", b"", headers)
    assert Status.FromString(refused.body).code == 7
