# SPDX-License-Identifier: Apache-2.0
"""Who may send and ask: tokens, TLS and certificates of senders, on every port and in every protocol."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from peeps_collector.access import refusal_of
from peeps_collector.config import OPTIONS, Config, ConfigError
from tests.collector.collector_support import Running, event, logs_request
from tests.collector.conftest import Start
from tests.support.network import http as ask
from tests.support.processes import peeps

TOKEN = "correct-horse-battery-staple"
BODY = logs_request(event("note")).SerializeToString()
PROTOBUF = {"content-type": "application/x-protobuf"}
SHOWN = {"authorization": f"Bearer {TOKEN}"}
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("guarded")
    file = directory / "token"
    file.write_text(f"{TOKEN}\n")
    running = Running(directory, PEEPS_TOKEN_FILE=str(file))
    yield running
    running.end()


@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer wrong-wrong-wrong-wrong"}, {"authorization": TOKEN}])
def test_without_the_token_nothing_is_taken_and_nothing_told(guarded: Running, shown: dict[str, str]) -> None:
    refused = ask(f"http://{guarded.otlp}/v1/logs", BODY, PROTOBUF | shown)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert Status.FromString(refused.body).code == grpc.StatusCode.UNAUTHENTICATED.value[0]
    for path in ("/health", "/metrics", "/api/processes", "/api/nothing"):
        answer = ask(f"http://{guarded.api}{path}", headers=shown)
        assert (answer.status, answer.json()["error"]["field"]) == (401, "authorization")
    with grpc.insecure_channel(guarded.otlp) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        with pytest.raises(grpc.RpcError) as caught:
            call(BODY, timeout=20, metadata=tuple(shown.items()))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert TOKEN not in str(caught.value) + guarded.output() + guarded.errors()


def test_with_the_token_everything_is(guarded: Running) -> None:
    assert ask(f"http://{guarded.otlp}/v1/logs", BODY, PROTOBUF | SHOWN).status == 200
    with grpc.insecure_channel(guarded.otlp) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
        assert call(BODY, timeout=20, metadata=tuple(SHOWN.items())) == b""
    assert ask(f"http://{guarded.api}/health", headers=SHOWN).json()["received"]["logs"] == 2
    assert peeps("sql", "SELECT 1", PEEPS_API=guarded.api, PEEPS_TOKEN=TOKEN).returncode == 0
    told = peeps("ps", PEEPS_API=guarded.api)
    assert (told.returncode, "wants a token" in told.stderr) == (2, True)


@pytest.mark.parametrize("host", ["", "10.1.2.3:9130", "shop.example.org"])
def test_who_only_asks_whether_it_lives_or_is_ready_needs_neither_token_nor_name(guarded: Running, host: str) -> None:
    for word in ("live", "ready"):
        answer = ask(f"http://{guarded.api}/{word}", headers={"host": host} if host else {})
        assert (answer.status, answer.json()[word]) == (200, True)


def test_with_the_token_an_address_is_as_good_as_a_name(guarded: Running) -> None:
    def asked(host: str, shown: dict[str, str]) -> int:
        return ask(f"http://{guarded.api}/metrics", headers={"host": host} | shown).status

    assert asked("10.1.2.3:9130", SHOWN) == 200
    assert asked("10.1.2.3:9130", {}) == 401
    assert asked("shop.example.org", SHOWN) == 403


def test_numbers_for_prometheus(guarded: Running) -> None:
    answer = ask(f"http://{guarded.api}/metrics", headers=SHOWN)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.body.decode().splitlines()
    assert "# TYPE peeps_collector_received_total counter" in lines
    assert "peeps_collector_healthy 1" in lines
    assert 'peeps_collector_received_total{kind="findings"} 0' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(names) == len(set(names)) == 14


def make_certificate(directory: Path, name: str) -> tuple[str, str]:
    cert, key = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    what = ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run([*command, *what, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def test_tls_on_every_port_and_certificates_of_senders(start: Start, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "collector")
    ours, our_key = make_certificate(tmp_path, "sender")
    both = tmp_path / "authorities.pem"
    both.write_text(Path(ours).read_text() + Path(cert).read_text())
    running: Running = start(PEEPS_TLS_CERT=cert, PEEPS_TLS_KEY=key, PEEPS_TLS_CLIENT_CA=str(both))

    def status(address: str, method: str, path: str, known: bool, body: bytes | None = None) -> int:
        context = ssl.create_default_context(cafile=cert)
        if known:
            context.load_cert_chain(ours, our_key)
        connection = http.client.HTTPSConnection(address, timeout=20, context=context)
        try:
            connection.request(method, path, body, PROTOBUF)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    assert status(running.otlp, "POST", "/v1/logs", True, BODY) == 200
    assert status(running.otlp, "POST", "/v1/logs", False, BODY) == 0
    assert status(running.api, "GET", "/health", True) == 200
    assert status(running.api, "GET", "/health", False) == 0

    def export(known: bool) -> bytes:
        root = Path(cert).read_bytes()
        shown = (Path(our_key).read_bytes(), Path(ours).read_bytes()) if known else (None, None)
        with grpc.secure_channel(running.otlp, grpc.ssl_channel_credentials(root, *shown)) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            return call(BODY, timeout=20)

    assert export(known=True) == b""
    with pytest.raises(grpc.RpcError):
        export(known=False)
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(f"http://{running.otlp}/v1/logs", BODY, PROTOBUF, timeout=20)
    own: Any = {"PEEPS_TLS_CERT": cert, "PEEPS_TLS_KEY": key, "PEEPS_TLS_CLIENT_CA": str(both)}
    assert peeps("sql", "SELECT 1", PEEPS_API=running.api, **own).returncode == 0
    assert running.stop() == ""


def test_authorization_is_read_as_the_header_is_defined() -> None:
    assert refusal_of(b"", "") == ""
    assert refusal_of(b"bearer " + TOKEN.encode(), TOKEN) == ""
    assert refusal_of(b"Bearer  " + TOKEN.encode() + b" ", TOKEN) == ""
    assert refusal_of(b"Basic " + TOKEN.encode(), TOKEN) != ""


@pytest.mark.parametrize(
    "settings",
    [
        {"PEEPS_TOKEN": "short"},
        {"PEEPS_TOKEN": "with a space and a bit longer"},
        {"PEEPS_TOKEN_FILE": "/no/such/file"},
        {"PEEPS_TLS_CERT": "cert.pem"},
        {"PEEPS_TLS_CLIENT_CA": "ca.pem"},
    ],
)
def test_half_a_guard_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="PEEPS_T"):
        Config.from_environment(settings)


def test_a_token_opens_other_addresses_but_not_for_the_explorer() -> None:
    config = Config.from_environment({"PEEPS_TOKEN": TOKEN, "PEEPS_LISTEN": "0.0.0.0:1", "PEEPS_API": "0.0.0.0:2"})
    assert (str(config.listen), str(config.api)) == ("0.0.0.0:1", "0.0.0.0:2")
    assert TOKEN not in repr(config)
    with pytest.raises(ConfigError, match="PEEPS_HTTP"):
        Config.from_environment({"PEEPS_TOKEN": TOKEN, "PEEPS_HTTP": "0.0.0.0:3"})


def test_a_file_of_settings_and_an_environment_that_is_stronger(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('listen = "127.0.0.1:1"\nretention_hours = 2.5\napi_hosts = ["a.b", "c"]\nprotocol_trace = true\n')
    config = Config.load(str(file), {"PEEPS_LISTEN": "127.0.0.1:7"})
    assert (str(config.listen), config.retention_hours, config.api_hosts, config.protocol_trace) == (
        "127.0.0.1:7",
        2.5,
        ("a.b", "c"),
        True,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listn = 1", "listn is no setting; there are alert_exec, "),
        ("listen = {}", "listen must be a text, a number"),
        ("listen = ", "is not TOML"),
        ("LISTEN = '127.0.0.1:1'", "LISTEN is no setting"),
        ("queue_bytes = -1", "PEEPS_QUEUE_BYTES='-1'"),
    ],
)
def test_a_file_that_is_wrong_is_said_to_be(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        Config.load(str(file), {})


def test_the_document_has_every_setting() -> None:
    text = (Path(__file__).parents[2] / "docs" / "collector.md").read_text()
    rows = [
        f"| `{name}` | {f'`{default}`' if default else '–'} | {what} |" for name, (default, what) in OPTIONS.items()
    ]
    assert [line for line in text.splitlines() if line.startswith("| `PEEPS_")] == rows
