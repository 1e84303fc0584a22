# SPDX-License-Identifier: Apache-2.0
"""What the sidecar is told at its start: who the program is, and where reports go. It reads no environment itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from opentelemetry.util.re import parse_env_headers

from .. import semconv
from ..probes.source.ownership import Ownership
from ..version import __version__
from .page import ANNOUNCEMENT_MOST

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NEEDED = frozenset(
    {
        semconv.SERVICE_NAME,
        semconv.SERVICE_INSTANCE_ID,
        "service.namespace",
        semconv.PROCESS_PID,
        semconv.HOST_NAME,
        semconv.PROCESS_RUNTIME_NAME,
        semconv.PROCESS_RUNTIME_VERSION,
    }
)


def announcement(
    endpoint: str, resource: Mapping[str, Any], ownership: Ownership, environment: Mapping[str, str] = os.environ
) -> bytes:
    """JSON. `endpoint`: `http://host:port`; `resource`: the program's own; `ownership`: whose code
    is whose in it. Raises ValueError where it is too long.

    Headers and certificates are those of the program's OTLP exporters, as the link to the collector uses them.
    """
    attributes = dict(resource)
    text = _encode(endpoint, attributes, ownership, environment)
    if len(text) > ANNOUNCEMENT_MOST:
        text = _encode(endpoint, {key: attributes[key] for key in _NEEDED & attributes.keys()}, ownership, environment)
    if len(text) > ANNOUNCEMENT_MOST:
        raise ValueError(f"{len(text)} bytes of resource and headers, {ANNOUNCEMENT_MOST} is the most")
    return text


def _encode(endpoint: str, resource: dict[str, Any], ownership: Ownership, environment: Mapping[str, str]) -> bytes:
    def setting(name: str) -> str | None:
        return environment.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or environment.get(f"OTEL_EXPORTER_OTLP_{name}")

    certificate = setting("CERTIFICATE")
    if certificate is None and endpoint.startswith("https:"):
        from requests.utils import DEFAULT_CA_BUNDLE_PATH  # not at start: see `export.http_client`

        certificate = DEFAULT_CA_BUNDLE_PATH  # what the link to the collector trusts
    return json.dumps(
        {
            "endpoint": endpoint,
            "headers": parse_env_headers(setting("HEADERS") or "", liberal=True),
            "certificate": certificate,
            "client_certificate": setting("CLIENT_CERTIFICATE"),
            "client_key": setting("CLIENT_KEY"),
            "environment": {name: environment[name] for name in _PROXIES if name in environment},
            "service": str(resource.get(semconv.SERVICE_NAME, "unknown_service")),
            "resource": resource,
            "scope": {"name": semconv.SCOPE, "version": __version__},
            "schema_url": semconv.SCHEMA_URL,
            "event": semconv.EVENT_STACKS,
            "ownership": ownership.to_json(),
        }
    ).encode()
