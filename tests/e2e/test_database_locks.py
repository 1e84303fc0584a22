# SPDX-License-Identifier: Apache-2.0
"""Two services that wait for each other, the one by a socket, the other by a row in PostgreSQL."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.accounts import accounts
from tests.support.network import free_port
from tests.support.processes import environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ends are named by Linux")
PROGRAM = Path(__file__).with_name("database_locks.py")
PATIENCE_S = 90.0


@pytest.fixture
def services(collector: Collector, tmp_path: Path) -> Iterator[None]:
    with accounts() as address:
        settings = environment(PEEPS_COLLECTOR_ENDPOINT=collector.otlp, PEEPS_CPU_BUDGET_PERCENT="0")
        port, started = str(free_port()), list[subprocess.Popen[bytes]]()
        for role in ("booking", "importer"):
            with (tmp_path / f"{role}.txt").open("wb") as output:
                command = [sys.executable, str(PROGRAM), role, address, port]
                started.append(subprocess.Popen(command, env=settings, stdout=output, stderr=subprocess.STDOUT))
        yield
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("services")
def test_a_ring_through_a_socket_and_a_row(collector: Collector) -> None:
    def found() -> Any:
        answer = collector.get("/api/findings")
        across = [one for one in answer["findings"] if len(one["processes"]) > 1]
        return across if across and all(node in one["nodes"] for one in across for node in one["core"]) else None

    (finding,) = eventually(found, "a verdict on both processes", PATIENCE_S)
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
    kinds = sorted(finding["nodes"][node]["kind"] for node in finding["core"])
    assert kinds == ["io", "io", "lock", "thread", "thread"]
    assert re.search("waits for Lock a row of accounts, held by (another|the first) MainThread", finding["title"])
