# SPDX-License-Identifier: Apache-2.0
"""Distro and configurator: one table of defaults, and the SDK's own configuration."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _OTelSDKConfigurator  # pyright: ignore[reportPrivateUsage]  # the SDK's documented base class for distributions' configurators is private

from .version import __version__

DEFAULTS = {
    # Who sets PEEPS_COLLECTOR_ENDPOINT gets our exporters; who wants others names them. Without this the SDK's default
    # would be used, an exporter to localhost:4317 that complains where nobody listens.
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    # Several processes of one service are told apart by their pid. `otel` last: what the user sets wins.
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel",
}
NAME = "telemetry.distro.name=peeps-otel"


def set_defaults(environment: MutableMapping[str, str]) -> None:
    """Fills in what the user has left open, never more. An `OTEL_EXPORTER_OTLP_*ENDPOINT` asks for OTLP."""
    for name, value in DEFAULTS.items():
        if environment.get(name):
            continue
        signal = name.removeprefix("OTEL_").removesuffix("_EXPORTER")
        asked = name.endswith("_EXPORTER") and (
            environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        )
        environment[name] = "otlp" if asked else value
    if environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") is None:
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"  # the only exporter that comes with us
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if "telemetry.distro.name=" not in attributes:
        named = f"{NAME},telemetry.distro.version={__version__}"
        environment["OTEL_RESOURCE_ATTRIBUTES"] = f"{named},{attributes}" if attributes else named


class PeepsDistro(BaseDistro):
    def _configure(self, **kwargs: Any) -> None:
        set_defaults(os.environ)


class PeepsConfigurator(_OTelSDKConfigurator):
    """The SDK's configuration as it is."""
