# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP, the usual way: the watched program needs no `grpcio` then, which is large and does not survive a
fork. Our collector takes both on the same port. Imports the HTTP client, so it is itself imported late; see `otlp`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.util.re import parse_env_headers
from requests import Response, Session

from .request import REQUEST_HEADER

_ASKER_S = (5.0, 60.0)  # until it is connected, until it answers


def span_exporter(url: str, timeout_s: float) -> OTLPSpanExporter:
    return OTLPSpanExporter(f"{url}/v1/traces", timeout=timeout_s)


def log_exporter(url: str, timeout_s: float) -> OTLPLogExporter:
    return OTLPLogExporter(f"{url}/v1/logs", timeout=timeout_s)


def metric_exporter(url: str, timeout_s: float) -> OTLPMetricExporter:
    return OTLPMetricExporter(f"{url}/v1/metrics", timeout=timeout_s)


def asker(url: str) -> Callable[[dict[str, str]], tuple[int, Any]]:
    """With the headers and certificates that exports go with: whatever authorises those, authorises this."""
    session = Session()
    session.headers.update(parse_env_headers(_setting("HEADERS"), liberal=True))
    certificate = _setting("CERTIFICATE")
    own, key = _setting("CLIENT_CERTIFICATE"), _setting("CLIENT_KEY")
    client = (own, key) if key else own or None

    def ask(body: dict[str, str]) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        with session.post(
            url, json=body, headers=headers, timeout=_ASKER_S, verify=certificate or True, cert=client
        ) as response:
            return response.status_code, response.json() if response.status_code == 200 else None

    return ask


def _setting(name: str) -> str:
    """As OpenTelemetry's exporter of logs reads it."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def snapshot_exporter(url: str, timeout_s: float, heard: Callable[[str], None]) -> OTLPLogExporter:
    def hear(response: Response, *_arguments: Any, **_options: Any) -> None:
        if header := response.headers.get(REQUEST_HEADER):
            heard(header)

    session = Session()
    session.hooks["response"].append(hear)
    # Snapshots are small and mostly to loopback: inflating them costs the collector more than reading them.
    return OTLPLogExporter(f"{url}/v1/logs", timeout=timeout_s, compression=Compression.NoCompression, session=session)
