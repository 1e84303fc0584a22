# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP, https://opentelemetry.io/docs/specs/otlp/#otlphttp: the sentences of the text, one test each."""

from __future__ import annotations

import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
from google.rpc.status_pb2 import Status

from tests.support.network import Answer, http

from .conftest import Receiver
from .requests import LOGS, NAMES, SIGNALS, TRACES, UNKNOWN_FIELD, Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
of_each_signal = pytest.mark.parametrize("signal", SIGNALS, ids=NAMES)


def post(receiver: Receiver, path: str, body: bytes, content_type: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http(f"http://{receiver.http}{path}", body, {"content-type": content_type} | named)


def check_success(answer: Answer, signal: Signal, content_type: str) -> None:
    """200, the media type of the request, and a response whose partial_success is unset."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].partition(";")[0] == content_type
    if content_type == JSON:
        assert json.loads(answer.body).get("partialSuccess", {}) in ({}, None)
        return
    response = signal.response.FromString(answer.body)
    assert not response.HasField("partial_success")


@of_each_signal
def test_binary(http_receiver: Receiver, signal: Signal) -> None:
    answer = post(http_receiver, signal.path, signal.request.SerializeToString(), PROTOBUF)
    check_success(answer, signal, PROTOBUF)


@of_each_signal
def test_json(http_receiver: Receiver, signal: Signal) -> None:
    check_success(post(http_receiver, signal.path, json.dumps(signal.json).encode(), JSON), signal, JSON)


@of_each_signal
@pytest.mark.parametrize(("body", "content_type"), [(b"", PROTOBUF), (b"{}", JSON)])
def test_a_request_without_data_succeeds(
    http_receiver: Receiver, signal: Signal, body: bytes, content_type: str
) -> None:
    check_success(post(http_receiver, signal.path, body, content_type), signal, content_type)


@of_each_signal
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_gzip(http_receiver: Receiver, signal: Signal, content_type: str) -> None:
    plain = signal.request.SerializeToString() if content_type == PROTOBUF else json.dumps(signal.json).encode()
    answer = post(http_receiver, signal.path, gzip.compress(plain), content_type, content_encoding="gzip")
    check_success(answer, signal, content_type)


@of_each_signal
def test_unknown_fields_are_ignored(http_receiver: Receiver, signal: Signal) -> None:
    later = signal.request.SerializeToString() + UNKNOWN_FIELD
    check_success(post(http_receiver, signal.path, later, PROTOBUF), signal, PROTOBUF)

    new: dict[str, object] = {"ofALaterVersion": {"a": [1, None, {"b": "c"}]}}
    ((outer, blocks),) = signal.json.items()
    body = {outer: [block | new for block in blocks]} | new
    check_success(post(http_receiver, signal.path, json.dumps(body).encode(), JSON), signal, JSON)


def test_whole_numbers_of_64_bits_are_text_or_numbers_in_json(http_receiver: Receiver) -> None:
    text = json.dumps(TRACES.json)
    span = TRACES.json["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    as_number = text.replace(f'"{span["endTimeUnixNano"]}"', span["endTimeUnixNano"])
    assert as_number != text
    check_success(post(http_receiver, TRACES.path, as_number.encode(), JSON), TRACES, JSON)


@of_each_signal
@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        (b"\xff\xff\xff\xff", PROTOBUF, ""),
        (b"\x0a\x05ab", PROTOBUF, ""),
        (b"{", JSON, ""),
        (b"not gzip", PROTOBUF, "gzip"),
        (zlib.compress(b"of another kind"), PROTOBUF, "gzip"),
    ],
    ids=["no message", "cut off", "no JSON", "no gzip", "other compression"],
)
def test_what_cannot_be_decoded_is_a_bad_request(
    http_receiver: Receiver, signal: Signal, body: bytes, content_type: str, encoding: str
) -> None:
    """400, which is not retried, and the reason as google.rpc.Status in the media type of the request."""
    headers = {"content_encoding": encoding} if encoding else {}
    answer = post(http_receiver, signal.path, body, content_type, **headers)
    assert answer.status == 400
    if content_type == JSON:
        assert json.loads(answer.body)["message"]
    else:
        assert Status.FromString(answer.body).message


def test_another_media_type_is_refused_for_good(http_receiver: Receiver) -> None:
    answer = post(http_receiver, TRACES.path, TRACES.request.SerializeToString(), "text/plain")
    assert 400 <= answer.status < 500
    assert answer.status != 429


def test_another_path_or_method_is_refused_for_good(http_receiver: Receiver) -> None:
    assert post(http_receiver, "/v1/nothing", b"", PROTOBUF).status == 404
    assert 400 <= http(f"http://{http_receiver.http}{TRACES.path}").status < 500


def test_too_large_also_after_decompression_is_refused_for_good(http_receiver: Receiver) -> None:
    if http_receiver.limit is None:
        pytest.skip("OTLP_LIMIT_BYTES says no limit")
    body = gzip.compress(bytes(http_receiver.limit + 1), 1)
    answer = post(http_receiver, TRACES.path, body, PROTOBUF, content_encoding="gzip")
    assert answer.status == 413
    assert Status.FromString(answer.body).message


def test_a_connection_is_kept_for_the_next_request(http_receiver: Receiver) -> None:
    connection = HTTPConnection(http_receiver.http, timeout=30)
    sockets: set[int] = set()
    for _ in range(3):
        connection.request("POST", LOGS.path, LOGS.request.SerializeToString(), {"content-type": PROTOBUF})
        response = connection.getresponse()
        assert (response.status, len(response.read()) >= 0) == (200, True)
        assert connection.sock is not None
        sockets.add(id(connection.sock))
    connection.close()
    assert len(sockets) == 1


def test_requests_at_the_same_time_are_each_answered(http_receiver: Receiver) -> None:
    def send(number: int) -> int:
        signal = SIGNALS[number % len(SIGNALS)]
        return post(http_receiver, signal.path, signal.request.SerializeToString(), PROTOBUF).status

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(send, range(60))) == [200] * 60
