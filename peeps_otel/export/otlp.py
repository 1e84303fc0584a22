# SPDX-License-Identifier: Apache-2.0
"""By which protocol the collector is reached, and the exporters for it.

Those are imported at the first export only, on the thread that exports: see `http_client`.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

from .http_client import import_when_allowed

_EXTRA = "pip install 'peeps-otel[grpc]'"
_GRPC = {"grpc://": "http://", "grpcs://": "https://"}
_NEEDED = ("grpc", "opentelemetry.exporter.otlp.proto.grpc")
_logger = logging.getLogger("peeps_otel")


class Exporters(Protocol):
    """The modules `otlp_http` and `otlp_grpc`. `url`: `http://host:port`, or `https:`; times in seconds."""

    def span_exporter(self, url: str, timeout_s: float) -> Any: ...

    def log_exporter(self, url: str, timeout_s: float) -> Any: ...

    def metric_exporter(self, url: str, timeout_s: float) -> Any: ...

    def snapshot_exporter(self, url: str, timeout_s: float, heard: Callable[[str], None]) -> Any:
        """A log exporter; what the collector asks in its answers goes to `heard`, on the thread that exports."""
        ...

    def asker(self, url: str) -> Any:
        """A function that sends a JSON object to `url` and waits long for the answer: its status and, where it is 200,
        what its JSON says. None where there is no such function."""
        ...


class Endpoint(NamedTuple):
    """Where to push: `http://host:port` or `https:`, and with what."""

    url: str
    grpc: bool = False

    def exporters(self) -> Exporters:
        """Blocks until the HTTP client may be imported. On the exporting thread."""
        return cast("Exporters", import_when_allowed(f"{__package__}.{'otlp_grpc' if self.grpc else 'otlp_http'}"))


def set_by_user(name: str) -> bool:
    """Whether the process was started with this variable: `opentelemetry-distro` sets `OTEL_EXPORTER_OTLP_PROTOCOL`
    to `grpc` in every process that says nothing, which is nobody's wish. Where it cannot be told, it counts as the
    user's."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return any(entry.startswith(name.encode() + b"=") for entry in file.read().split(b"\0"))
    except OSError:
        return True


def endpoint(address: str, protocol: str) -> Endpoint | None:
    """`address`: a URL of `PEEPS_COLLECTOR_ENDPOINT`; `protocol`: `OTEL_EXPORTER_OTLP_PROTOCOL`.

    By gRPC where the scheme or the protocol says so. Where it is not installed, that is logged: a scheme that cannot be
    had gives None, the protocol alone gives HTTP, which our collector takes as well.
    """
    scheme = next((scheme for scheme in _GRPC if address.startswith(scheme)), None)
    url = address if scheme is None else _GRPC[scheme] + address.removeprefix(scheme)
    if scheme is None and protocol != "grpc":
        return Endpoint(url)
    missing = next((name for name in _NEEDED if not _installed(name)), None)
    if missing is None:
        return Endpoint(url, grpc=True)
    if scheme is not None:
        _logger.error("peeps: %s is not pushed to, for OTLP/gRPC (%s) is not installed: %s", address, missing, _EXTRA)
        return None
    _logger.warning(
        "peeps: OTEL_EXPORTER_OTLP_PROTOCOL=grpc, but OTLP/gRPC (%s) is not installed: %s; pushing by HTTP",
        missing,
        _EXTRA,
    )
    return Endpoint(url)


def _installed(name: str) -> bool:
    """Looks for it, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
