# SPDX-License-Identifier: Apache-2.0
"""The distro fills in what the user has left open, never more."""

from __future__ import annotations

from peeps_otel.version import __version__
from peeps_otel_distro.distro import set_defaults

_ATTRIBUTES = f"telemetry.distro.name=peeps-otel,telemetry.distro.version={__version__}"


def test_an_empty_environment() -> None:
    environment: dict[str, str] = {}
    set_defaults(environment)
    assert environment == {
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": _ATTRIBUTES,
    }


def test_what_the_user_set_stays() -> None:
    theirs = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "console",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_RESOURCE_ATTRIBUTES": "telemetry.distro.name=other",
    }
    environment = dict(theirs)
    set_defaults(environment)
    assert environment == theirs


def test_an_endpoint_asks_for_otlp() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_RESOURCE_ATTRIBUTES": "a=b"}
    set_defaults(environment)
    signals = ("TRACES", "METRICS", "LOGS")
    assert [environment[f"OTEL_{signal}_EXPORTER"] for signal in signals] == ["otlp"] * 3
    assert environment["OTEL_RESOURCE_ATTRIBUTES"] == f"{_ATTRIBUTES},a=b"


def test_an_endpoint_for_one_signal_asks_for_that_signal() -> None:
    environment = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:4318/v1/logs"}
    set_defaults(environment)
    assert (environment["OTEL_LOGS_EXPORTER"], environment["OTEL_TRACES_EXPORTER"]) == ("otlp", "none")
