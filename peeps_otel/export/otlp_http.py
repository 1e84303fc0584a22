# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP, the usual way: the watched program needs no `grpcio` then, which is large and does not survive a
fork. Our collector takes both on the same port. Imports the HTTP client, so it is itself imported late; see `otlp`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from requests import Response, Session

from .request import REQUEST_HEADER


def span_exporter(url: str, timeout_s: float) -> OTLPSpanExporter:
    return OTLPSpanExporter(f"{url}/v1/traces", timeout=timeout_s)


def log_exporter(url: str, timeout_s: float) -> OTLPLogExporter:
    return OTLPLogExporter(f"{url}/v1/logs", timeout=timeout_s)


def metric_exporter(url: str, timeout_s: float) -> OTLPMetricExporter:
    return OTLPMetricExporter(f"{url}/v1/metrics", timeout=timeout_s)


def snapshot_exporter(url: str, timeout_s: float, heard: Callable[[str], None]) -> OTLPLogExporter:
    def hear(response: Response, *_arguments: Any, **_options: Any) -> None:
        if header := response.headers.get(REQUEST_HEADER):
            heard(header)

    session = Session()
    session.hooks["response"].append(hear)
    # Snapshots are small and mostly to loopback: inflating them costs the collector more than reading them.
    return OTLPLogExporter(f"{url}/v1/logs", timeout=timeout_s, compression=Compression.NoCompression, session=session)
