# SPDX-License-Identifier: Apache-2.0
"""The HTTP client: answers, and one clear error for everything that can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from peeps_collector.access import token_of
from peeps_dashboard.client import Collector, CollectorError
from tests.dashboard.fake_api import FakeApi
from tests.support.network import free_port


@pytest.mark.usefixtures("api")
def test_every_question_is_answered() -> None:
    collector = Collector.from_environment()
    assert collector.health().get("status") == "ok"
    assert [p["service"] for p in collector.processes()["processes"]] == ["orders"]
    assert collector.findings()["findings"][0]["level"] == "PROVEN"
    assert collector.node("task:A")["node"]["name"] == "worker-a"
    assert len(collector.snapshot(kinds=["lock"], limit=1)["nodes"]) == 1
    around = collector.snapshot(processes=["orders-7f3a9c"], focus="lock:CACHE", depth=1)
    assert {n["id"] for n in around["nodes"]} >= {"lock:CACHE", "task:A", "task:B"}
    assert len(collector.snapshot(finding="deadlock:0000000000000001")["nodes"]) == 35


def test_the_token_is_the_one_that_the_collector_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of-the-file-0123456789\n")
    environment = {"PEEPS_TOKEN": "of-the-variable-0123456789", "PEEPS_TOKEN_FILE": str(file)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Collector.from_environment().token == token_of(environment) == "of-the-file-0123456789"


def test_a_node_nobody_saw(api: FakeApi) -> None:
    with pytest.raises(CollectorError) as caught:
        Collector(api.address).node("task:never/../seen")
    assert caught.value.trouble == "not_found"
    assert caught.value.message == "no node task:never/../seen was ever seen"


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(CollectorError) as caught:
        Collector(address).findings()
    assert (caught.value.trouble, caught.value.address) == ("unreachable", address)
    assert "refused" in caught.value.message


def test_an_address_that_makes_no_sense() -> None:
    with pytest.raises(CollectorError) as caught:
        Collector("127.0.0.1:notaport").health()
    assert caught.value.trouble == "unreachable"


@pytest.fixture
def stranger() -> Iterator[str]:
    """Something else than a collector on the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500 if self.path == "/health" else 200)
            self.end_headers()
            self.wfile.write(b"<h1>hello</h1>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_something_else_answers(stranger: str) -> None:
    with pytest.raises(CollectorError, match="did not answer like a peeps collector") as caught:
        Collector(stranger).findings()
    assert caught.value.trouble == "not_a_collector"
    with pytest.raises(CollectorError, match="answered 500") as caught:
        Collector(stranger).health()
    assert caught.value.trouble == "refused"
