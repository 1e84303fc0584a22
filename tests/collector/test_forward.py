# SPDX-License-Identifier: Apache-2.0
"""What goes on to other backends: all of it where they take it, and never at the cost of who sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.config import Config, ConfigError
from peeps_collector.forward import Backend, Forwarder
from peeps_collector.forward_transport import Item
from peeps_collector.receive.request import Encoding, Signal
from tests.collector.collector_support import Running, event, logs_request
from tests.support.network import free_address, http
from tests.support.waiting import eventually

PROTOBUF = {"content-type": "application/x-protobuf"}


class Other:
    """A backend that answers with what is in `statuses`, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[str, bytes, dict[str, str]]] = []
        other = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = other.statuses.pop(0) if other.statuses else 200
                other.received.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
                self.send_response(status)
                self.send_header("content-length", "0")
                if status == 429:
                    self.send_header("retry-after", "7")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def other() -> Iterator[Other]:
    made = Other()
    yield made
    made.close()


@pytest.fixture
def backend() -> Iterator[Callable[..., Backend]]:
    made: list[Backend] = []

    def make(url: str, limit: int = 1000, pause: Callable[[float], object] = lambda _s: None) -> Backend:
        made.append(Backend(url, {"x-key": "v"}, limit, pause))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.join()


def offer(backend: Backend, body: bytes, signal: Signal = Signal.LOGS) -> None:
    backend.offer(Item(signal, Encoding.PROTOBUF, body))


def test_it_is_tried_again_while_that_has_a_chance(other: Other, backend: Callable[..., Backend]) -> None:
    other.statuses = [503, 429, 200, 400, 200]
    pauses: list[float] = []
    to = backend(f"{other.url}/base/", pause=pauses.append)
    for body in (b"first", b"bad", b"last"):
        offer(to, body)
    eventually(lambda: (to.sent, to.rejected) == (2, 1))
    assert [body for _, body, _ in other.received] == [b"first", b"first", b"first", b"bad", b"last"]
    assert pauses == [1.0, 7.0], "twice as long the second time, but for what the backend asks for"
    path, _, headers = other.received[0]
    assert (path, headers["content-type"], headers["x-key"]) == ("/base/v1/logs", "application/x-protobuf", "v")
    assert (to.failure, to.dropped, to.status()["queued_bytes"]) == ("", 0, 0)


def test_a_backend_that_is_down_costs_its_queue_and_no_more(backend: Callable[..., Backend]) -> None:
    asleep = threading.Event()

    def sleep(_seconds: float) -> None:
        asleep.wait()

    to = backend(f"http://user:secret@{free_address()}", limit=100, pause=sleep)
    for number in range(50):
        offer(to, b"%010d" % number)
    eventually(lambda: to.failure)
    status = to.status()
    assert (status["queued_requests"], status["queued_bytes"], status["dropped"], status["sent"]) == (10, 100, 40, 0)
    assert "secret" not in str(status)
    assert "ConnectionRefusedError" in status["failure"]
    to.close()
    asleep.set()


def test_only_the_signals_that_are_wanted(other: Other) -> None:
    forwarder = Forwarder([other.url], ["metrics"], {}, 1000)
    forwarder.start()
    forwarder.offer(Signal.LOGS, Encoding.JSON, b"{}")
    forwarder.offer(Signal.METRICS, Encoding.JSON, b"{}")
    forwarder.stop()
    assert [(path, headers["content-type"]) for path, _, headers in other.received] == [
        ("/v1/metrics", "application/json")
    ]
    assert not Forwarder([], ["logs"], {}, 1)


def test_a_collector_forwards_what_it_takes_without_secrets(start: Any, other: Other) -> None:
    collector: Running = start(
        PEEPS_FORWARD_TO=other.url, PEEPS_FORWARD_HEADERS="authorization=Bearer%20abc", PEEPS_REDACT_KEYS="password"
    )
    body = logs_request(event("note", {"password": "hunter2", "n": 1})).SerializeToString()
    assert http(f"http://{collector.otlp}/v1/logs", body, PROTOBUF).status == 200
    assert http(f"http://{collector.otlp}/v1/logs", b"\xff", PROTOBUF).status == 400
    eventually(lambda: other.received)
    [(_, forwarded, headers)] = other.received
    [attribute, number] = (
        ExportLogsServiceRequest.FromString(forwarded).resource_logs[0].scope_logs[0].log_records[0].attributes
    )
    assert (attribute.value.string_value, number.value.int_value) == ("[redacted]", 1)
    assert headers["authorization"] == "Bearer abc"
    [state] = eventually(lambda: [one for one in collector.get("/health")["forward"] if one["sent"]])
    assert (state["url"], state["sent"], state["dropped"]) == (other.url, 1, 0)
    assert collector.stop() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PEEPS_FORWARD_TO", "backend:4318"),
        ("PEEPS_FORWARD_TO", "http://a,ftp://b"),
        ("PEEPS_FORWARD_SIGNALS", "traces,profiles"),
        ("PEEPS_FORWARD_HEADERS", "no pair"),
        ("PEEPS_FORWARD_BYTES", "-1"),
    ],
)
def test_settings_that_are_none(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_environment({name: value})
