# SPDX-License-Identifier: Apache-2.0
"""A call that comes back to a server whose only thread waits for its answer is accepted by nobody: with spans, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.processes import environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ends are named by Linux")
PROGRAM = Path(__file__).with_name("calls_back.py")
PATIENCE_S = 90.0


@pytest.fixture
def programs(collector: Collector, tmp_path: Path) -> Iterator[None]:
    settings = environment(PEEPS_COLLECTOR_ENDPOINT=collector.otlp, PEEPS_CPU_BUDGET_PERCENT="0")
    shop, stock, slow = (str(free_port()) for _ in range(3))
    started: list[subprocess.Popen[bytes]] = []
    for arguments in (("shop", shop, stock, "/order"), ("stock", stock, shop), ("slow", slow, slow, "/slow")):
        with (tmp_path / f"{arguments[0]}.txt").open("wb") as output:
            started.append(
                subprocess.Popen(
                    [sys.executable, str(PROGRAM), *arguments],
                    env=settings,
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
    yield
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.usefixtures("programs")
def test_the_ring_leads_through_the_calls(collector: Collector) -> None:
    def found() -> Any:
        findings = collector.get("/api/findings")["findings"]
        return findings if any(one["kind"] == "deadlock" and len(one["processes"]) > 1 for one in findings) else None

    findings = eventually(found, "the ring of shop and stock", PATIENCE_S)
    names = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert [(one["level"], sorted(names[process] for process in one["processes"])) for one in findings] == [
        ("LIKELY", ["shop", "stock"])
    ]
    (ring,) = findings
    asked = {step["resource_label"].partition(" to ")[0] for step in ring["evidence"]}
    assert asked >= {"request GET /price", "request GET /rate"}
