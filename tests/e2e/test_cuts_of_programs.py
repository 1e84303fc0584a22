# SPDX-License-Identifier: Apache-2.0
"""`peeps snapshot --now` on real programs: within a second, and one that is stopped is named."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.e2e.conftest import Watch
from tests.e2e.e2e_support import Collector
from tests.support.waiting import eventually


def _cut(collector: Collector) -> dict[str, Any]:
    return json.loads(collector.peeps("snapshot", "--now", "--json").stdout)


def test_every_program_takes_a_snapshot_and_who_is_stopped_is_named(collector: Collector, watch: Watch) -> None:
    # Looks so rarely that only who is asked at once can answer in time.
    programs = [watch(name, PEEPS_INTERVAL_MS="20000") for name in ("lock-order-deadlock", "channel-full-stall")]
    eventually(lambda: sum(one["nodes"] > 0 for one in collector.get("/api/processes")["processes"]) == 2)
    cut = eventually(lambda: answer if (answer := _cut(collector))["complete"] else None, "a complete cut")
    assert {part["state"] for part in cut["processes"]} == {"answered"}
    taken = {part["process"]: part["sequence"] for part in cut["processes"]}
    known = {one["id"]: one["sequence"] for one in collector.get("/api/processes")["processes"]}
    assert all(known[process] >= sequence for process, sequence in taken.items())

    pid = next(p["pid"] for p in collector.get("/api/processes")["processes"] if p["service"] == programs[1].name)
    os.kill(pid, signal.SIGSTOP)
    try:
        result = collector.peeps("snapshot", "--now")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.returncode == 2
    assert f"Not answered: {programs[1].name} (pid {pid})" in result.stdout
    assert f"{programs[0].name} (pid " in result.stdout.partition("Not answered")[0]
