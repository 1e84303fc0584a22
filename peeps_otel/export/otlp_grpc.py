# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false, reportMissingModuleSource=false
"""OTLP over gRPC, for a collector that takes nothing else. Needs the extra `peeps-otel[grpc]`; see `otlp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from .request import REQUEST_HEADER


class _Answers(grpc.UnaryUnaryClientInterceptor):
    """Hears what the collector asks in the metadata of its answers."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = continuation(client_call_details, request)
        header = dict(call.trailing_metadata() or ()).get(REQUEST_HEADER)
        if header:
            self._heard(header)
        return call


class _Snapshots(OTLPLogExporter):
    """The exporter makes its channel anew after errors, so the interceptor goes in where it makes it. Checked with
    1.45."""

    def __init__(self, heard: Callable[[str], None], **options: Any) -> None:
        self._answers = _Answers(heard)
        super().__init__(**options)

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()
        if self._channel is not None:
            self._client = LogsServiceStub(grpc.intercept_channel(self._channel, self._answers))


def span_exporter(url: str, timeout_s: float) -> OTLPSpanExporter:
    return OTLPSpanExporter(endpoint=url, insecure=_insecure(url), timeout=timeout_s)


def log_exporter(url: str, timeout_s: float) -> OTLPLogExporter:
    return OTLPLogExporter(endpoint=url, insecure=_insecure(url), timeout=timeout_s)


def metric_exporter(url: str, timeout_s: float) -> OTLPMetricExporter:
    return OTLPMetricExporter(endpoint=url, insecure=_insecure(url), timeout=timeout_s)


def snapshot_exporter(url: str, timeout_s: float, heard: Callable[[str], None]) -> OTLPLogExporter:
    return _Snapshots(
        heard, endpoint=url, insecure=_insecure(url), timeout=timeout_s, compression=grpc.Compression.NoCompression
    )


def asker(_url: str) -> None:
    """By gRPC a request is heard with the answer to a snapshot."""


def _insecure(url: str) -> bool:
    return url.startswith("http:")
