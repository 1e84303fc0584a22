# SPDX-License-Identifier: Apache-2.0
"""A program waits to be asked: what it hears, and what it makes of a collector that is none of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from peeps_otel.export.otlp import Endpoint
from peeps_otel.export.request import Request
from peeps_otel.export.requests_heard import PATH, THREAD_NAME, RequestsHeard
from tests.support.waiting import eventually

Answers = Callable[[int, dict[str, Any]], tuple[int, Any]]


@contextmanager
def answering(answers: Answers) -> Generator[tuple[Endpoint, list[tuple[str, dict[str, Any], str]]]]:
    """A server that gives the answers in turn; what it was asked: path, body and authorization."""
    asked: list[tuple[str, dict[str, Any], str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path, body, self.headers.get("authorization", "")))
            status, said = answers(len(asked), body)
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Endpoint(f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listening() -> bool:
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_it_says_whose_stream_it_is_and_hears_all_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    gate = threading.Event()

    def answers(number: int, _body: dict[str, Any]) -> tuple[int, Any]:
        if number == 1:
            said = [
                {"kind": "cut", "id": "0a"},
                {"kind": "no such; thing", "id": "1"},
                7,
                {"kind": "leaks", "id": "0b"},
            ]
            return 200, {"requests": said}
        if number == 2:
            return 200, "no object"
        gate.wait()
        return 404, None

    heard: list[Request] = []
    with answering(answers) as (endpoint, asked):
        listener = RequestsHeard(endpoint, lambda: (0xC0FFEE, 0xBEEF), heard.append)
        listener.start()
        listener.start()
        eventually(lambda: len(asked) == 3)
        assert heard == [Request("cut", "0a"), Request("leaks", "0b")]
        said = {"stream": "0000000000c0ffee", "secret": "000000000000beef"}
        assert asked == [(PATH, said, "Bearer abc")] * 3
        listener.stop()
        gate.set()
        eventually(lambda: not listening())


@pytest.mark.parametrize("status", [404, 405, 501])
def test_what_does_not_know_the_question_is_not_asked_again(status: int) -> None:
    with answering(lambda _number, _body: (status, None)) as (endpoint, asked):
        RequestsHeard(endpoint, lambda: (1, 1), lambda _request: None).start()
        eventually(lambda: asked and not listening())
        assert len(asked) == 1


def test_who_is_not_known_yet_comes_again_and_a_request_that_fails_is_no_end() -> None:
    heard: list[Request] = []

    def fails(request: Request) -> None:
        heard.append(request)
        raise ValueError

    def answers(number: int, _body: dict[str, Any]) -> tuple[int, Any]:
        return (
            (409, None)
            if number == 1
            else (200, {"requests": [{"kind": "cut", "id": "1"}]})
            if number < 4
            else (404, 0)
        )

    with answering(answers) as (endpoint, asked):
        RequestsHeard(endpoint, lambda: (1, 1), fails).start()
        eventually(lambda: not listening() and asked)
        assert len(asked) == 4
        assert heard == [Request("cut", "1")] * 2


def test_by_grpc_nobody_waits() -> None:
    RequestsHeard(Endpoint("http://127.0.0.1:1", grpc=True), lambda: (1, 1), lambda _request: None).start()
    assert not listening()
