# SPDX-License-Identifier: Apache-2.0
"""By which protocol the collector is reached: the address decides, then OpenTelemetry's own variable."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from peeps_otel.config import read
from peeps_otel.export.otlp import endpoint


@pytest.mark.parametrize(
    ("address", "protocol", "reached"),
    [
        ("127.0.0.1:9119", "", ("http://127.0.0.1:9119", False)),
        ("127.0.0.1:9119", "http/protobuf", ("http://127.0.0.1:9119", False)),
        ("127.0.0.1:9119", "grpc", ("http://127.0.0.1:9119", True)),
        ("https://collector:443/", "grpc", ("https://collector:443", True)),
        ("https://collector/peeps", "http/protobuf", ("https://collector/peeps", False)),
        ("grpc://127.0.0.1:4317", "", ("http://127.0.0.1:4317", True)),
        ("grpcs://collector:4317", "http/protobuf", ("https://collector:4317", True)),
    ],
)
def test_who_says_how(address: str, protocol: str, reached: tuple[str, bool]) -> None:
    settings = read({"PEEPS_COLLECTOR_ENDPOINT": address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
    assert settings.collector_endpoint is not None
    assert endpoint(settings.collector_endpoint, settings.otlp_protocol) == reached


@pytest.fixture
def without_grpc(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setitem(sys.modules, "grpc", None)
    caplog.set_level(logging.INFO, "peeps_otel")
    return caplog


def test_a_scheme_that_cannot_be_had_is_an_error_that_names_the_extra(without_grpc: pytest.LogCaptureFixture) -> None:
    assert endpoint("grpc://127.0.0.1:4317", "http/protobuf") is None
    (record,) = without_grpc.records
    assert record.levelname == "ERROR"
    assert "grpc://127.0.0.1:4317 is not pushed to" in record.getMessage()
    assert record.getMessage().endswith("pip install 'peeps-otel[grpc]'")


def test_the_variable_alone_falls_back_to_http_and_says_so(without_grpc: pytest.LogCaptureFixture) -> None:
    assert endpoint("http://127.0.0.1:9119", "grpc") == ("http://127.0.0.1:9119", False)
    (record,) = without_grpc.records
    assert record.levelname == "WARNING"
    assert "pip install 'peeps-otel[grpc]'; pushing by HTTP" in record.getMessage()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
@pytest.mark.parametrize(("given", "counts"), [({}, "False"), ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "True")])
def test_what_a_distro_puts_into_the_environment_is_not_the_user_s(given: dict[str, str], counts: str) -> None:
    code = """if True:
        import os
        from peeps_otel.export.otlp import set_by_user
        os.environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        print(set_by_user("OTEL_EXPORTER_OTLP_PROTOCOL"))
    """
    others = {k: v for k, v in os.environ.items() if k != "OTEL_EXPORTER_OTLP_PROTOCOL"}
    done = subprocess.run([sys.executable, "-c", code], env=others | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == counts


def test_the_older_name_of_the_endpoint() -> None:
    older, newer = {"PEEPS_DASHBOARD": "127.0.0.1:1"}, {"PEEPS_COLLECTOR_ENDPOINT": "127.0.0.1:2"}
    assert (read(older).collector_endpoint, read(older).problems) == ("http://127.0.0.1:1", ())
    both = read(older | newer)
    assert both.collector_endpoint == "http://127.0.0.1:2"
    assert both.problems == (
        "PEEPS_COLLECTOR_ENDPOINT='127.0.0.1:2' is used, not PEEPS_DASHBOARD='127.0.0.1:1', its older name",
    )
    assert read({"PEEPS_DASHBOARD": "127.0.0.1:2"} | newer).problems == ()
    assert read({"PEEPS_DASHBOARD": "nowhere"}).problems == (
        "PEEPS_DASHBOARD='nowhere' must be host:port, for example 127.0.0.1:9119, or a URL; '' is used",
    )
