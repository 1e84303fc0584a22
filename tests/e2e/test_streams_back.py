# SPDX-License-Identifier: Apache-2.0
"""Who reads the body of an answer waits for the one who streams it, in the other process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program, source_line
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("streams_back.py")


def test_two_services_that_read_each_others_streams_are_a_deadlock(collector: Collector, tmp_path: Path) -> None:
    ports = [str(free_port()), str(free_port())]
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false", "PEEPS_CPU_BUDGET_PERCENT": "0"}
    programs = [
        Program(name, [str(SCRIPT), *order], tmp_path, **settings)
        for name, order in (("shop", ports), ("inventory", ports[::-1]))
    ]
    try:

        def across() -> Any:
            found = collector.get("/api/findings")["findings"]
            return next((one for one in found if len(one["processes"]) > 1), None)

        finding = eventually(across, "a verdict on both processes")
        assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
        reads, waits = (source_line(SCRIPT, *where) for where in (("update", "aiter_lines"), ("lines", "async with")))
        wanted = {("io", reads), ("lock", waits)}

        def steps() -> set[tuple[str, str]]:
            found = across()
            return {(step["resource"].partition(":")[0], step["wait_source"]) for step in found["evidence"]}

        eventually(lambda: steps() == wanted, "the lines of all waits")
        told = {one["text"].partition(", received")[0] for one in collector.get("/api/calls")["calls"]}
        assert told == {"response GET /rows in shop", "response GET /rows in inventory"}
        by = {one["text"].partition("awaited by ")[2].partition(",")[0] for one in collector.get("/api/calls")["calls"]}
        assert by == {"update in shop", "update in inventory"}
    finally:
        for program in programs:
            program.kill()
