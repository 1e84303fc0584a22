# SPDX-License-Identifier: Apache-2.0
"""The same verdict when the surroundings are not ideal: late or restarted collector, other loop, distro, backend."""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import EXAMPLES, Collector
from tests.support.network import free_address
from tests.support.program import Program
from tests.support.waiting import eventually

Start = Callable[..., Collector]
Watch = Callable[..., Program]
COMES_BACK_S = 15.0


def is_deadlock(collector: Collector) -> bool:
    return [(f["kind"], f["level"]) for f in collector.get("/api/findings")["findings"]] == [("deadlock", "PROVEN")]


def test_the_collector_is_started_after_the_program(start: Start, run: Watch) -> None:
    address = free_address()
    program = run("lock-order-deadlock", PEEPS_COLLECTOR_ENDPOINT=address)
    time.sleep(3)
    assert program.process.poll() is None
    collector = start(PEEPS_LISTEN=address)
    eventually(lambda: is_deadlock(collector), "the verdict", COMES_BACK_S)
    assert "Traceback" not in program.output()


def test_the_collector_is_restarted(start: Start, run: Watch) -> None:
    first = start()
    program = run("lock-order-deadlock", PEEPS_COLLECTOR_ENDPOINT=first.otlp)
    before = first.verdict_on(program)
    first.stop()
    time.sleep(2)
    second = start(PEEPS_LISTEN=first.otlp)
    eventually(lambda: is_deadlock(second), "the verdict comes back", COMES_BACK_S)
    (again,) = second.get("/api/findings")["findings"]
    assert again["id"] == before.answer["id"], "the same finding, not a new one"
    assert program.process.poll() is None
    assert "Traceback" not in program.output()


@pytest.mark.parametrize("distro", ["opentelemetry-distro", "peeps-otel-distro"])
def test_under_either_distro(collector: Collector, watch: Watch, distro: str) -> None:
    names = ("distro", "configurator") if distro == "opentelemetry-distro" else ("peeps", "peeps")
    if distro not in {each.name for each in importlib.metadata.distributions()}:
        pytest.skip(f"{distro} is not installed")
    program = watch("lock-order-deadlock", OTEL_PYTHON_DISTRO=names[0], OTEL_PYTHON_CONFIGURATOR=names[1])
    assert collector.verdict_on(program).level == "PROVEN"


@pytest.mark.parametrize("example", ["lock-order-deadlock", "semaphore-starvation", "channel-full-stall"])
def test_on_uvloop(collector: Collector, watch: Watch, tmp_path: Path, example: str) -> None:
    pytest.importorskip("uvloop")
    source = (EXAMPLES / f"{example}.py").read_text()
    path = tmp_path / f"{example}.py"
    path.write_text(
        source.replace("import asyncio\n", "import asyncio\nimport uvloop\n").replace("asyncio.run(", "uvloop.run(")
    )
    program = watch(path)
    expected = {
        "lock-order-deadlock": ("deadlock", "PROVEN", {"worker-a", "worker-b", "db", "cache"}),
        "semaphore-starvation": ("semaphore_starved", "SUSPECT", {"gate", "permit_holder"}),
        "channel-full-stall": ("channel_full", "LIKELY", {"producer", "work_queue"}),
    }
    kind, level, members = expected[example]
    finding = collector.verdict_on(program)
    assert (finding.kind, finding.level) == (kind, level)
    assert members <= finding.core


def test_any_backend_gets_the_finding_as_an_event(collector: Collector, run: Watch) -> None:
    """Here our collector stands for somebody else's: the program does not know of it, only of an OTLP endpoint."""
    program = run(
        "lock-order-deadlock",
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.otlp}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    rows = eventually(
        lambda: collector.sql("SELECT service, severity_text, attributes FROM log WHERE event_name = 'peeps.finding'"),
        "the event arrives",
        20,
    )
    service, _, attributes = rows[0]
    assert service == program.name
    said: dict[str, Any] = json.loads(attributes) if isinstance(attributes, str) else attributes
    assert (said["peeps.finding.kind"], said["peeps.finding.level"]) == ("deadlock", "PROVEN")
    for words in ("worker-a", "waits for Lock cache, held by worker-b", "waits for Lock db, held by worker-a"):
        assert words in said["peeps.finding.title"]
    assert not collector.sql("SELECT 1 FROM snapshot"), "snapshots are for a peeps collector only"
