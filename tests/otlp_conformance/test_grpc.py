# SPDX-License-Identifier: Apache-2.0
"""OTLP/gRPC, https://opentelemetry.io/docs/specs/otlp/#otlpgrpc: the sentences of the text, one test each."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from .conftest import Receiver
from .requests import NAMES, SIGNALS, UNKNOWN_FIELD, Signal

RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
"""After which a client sends the same again; of RESOURCE_EXHAUSTED only with RetryInfo."""
of_each_signal = pytest.mark.parametrize("signal", SIGNALS, ids=NAMES)


@pytest.fixture
def channel(grpc_receiver: Receiver) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(grpc_receiver.grpc) as made:
        yield made


def export(
    channel: grpc.Channel, method: str, body: bytes, compression: grpc.Compression = grpc.Compression.NoCompression
) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return call(body, timeout=30, compression=compression)


def is_full_success(signal: Signal, answer: bytes) -> bool:
    """The server leaves partial_success unset."""
    return not signal.response.FromString(answer).HasField("partial_success")


@of_each_signal
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["none", "gzip"])
def test_export(channel: grpc.Channel, signal: Signal, compression: grpc.Compression) -> None:
    assert is_full_success(signal, export(channel, signal.method, signal.request.SerializeToString(), compression))


@of_each_signal
def test_a_request_without_data_succeeds(channel: grpc.Channel, signal: Signal) -> None:
    assert is_full_success(signal, export(channel, signal.method, b""))


@of_each_signal
def test_unknown_fields_are_ignored(channel: grpc.Channel, signal: Signal) -> None:
    answer = export(channel, signal.method, signal.request.SerializeToString() + UNKNOWN_FIELD)
    assert is_full_success(signal, answer)


@of_each_signal
def test_what_cannot_be_decoded_is_refused_for_good(channel: grpc.Channel, signal: Signal) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, signal.method, b"\xff\xff\xff\xff")
    assert caught.value.code() not in RETRYABLE


def test_another_method_is_not_implemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(channel, "/opentelemetry.proto.collector.nothing.v1.NothingService/Export", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_requests_at_the_same_time_on_one_connection_are_each_answered(channel: grpc.Channel) -> None:
    under_way: list[tuple[Signal, grpc.Future[bytes]]] = []
    for number in range(60):
        signal = SIGNALS[number % len(SIGNALS)]
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(signal.method)
        under_way.append((signal, call.future(signal.request.SerializeToString(), timeout=30)))
    assert all(is_full_success(signal, answer.result()) for signal, answer in under_way)
