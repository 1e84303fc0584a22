# SPDX-License-Identifier: Apache-2.0
"""Services without any instrumentation of their clients and servers: the wait for an answer leads into the handler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program, source_line
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("unspanned_calls.py")


@pytest.mark.parametrize("server", ["aiohttp", "uvicorn"])
def test_two_services_without_spans_that_call_each_other_are_a_deadlock(
    collector: Collector, tmp_path: Path, server: str
) -> None:
    ports = [str(free_port()), str(free_port())]
    settings = {
        "PEEPS_COLLECTOR_ENDPOINT": collector.otlp,
        "PEEPS_CPU_BUDGET_PERCENT": "0",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiohttp-client,aiohttp-server,asgi,httpx",
    }
    programs = [
        Program(name, [str(SCRIPT), server, *order], tmp_path, **settings)
        for name, order in (("shop", ports), ("inventory", ports[::-1]))
    ]
    try:

        def across() -> Any:
            found = collector.get("/api/findings")["findings"]
            return next((one for one in found if len(one["processes"]) > 1), None)

        finding = eventually(across, "a verdict on both processes")
        assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
        asks, waits = source_line(SCRIPT, f"call_{server}", ".get("), source_line(SCRIPT, "read", "async with")
        wanted = {("io", asks), ("lock", waits)}

        def steps() -> set[tuple[str, str]]:
            found = across()
            return {(step["resource"].partition(":")[0], step["wait_source"]) for step in found["evidence"]}

        eventually(lambda: steps() == wanted, "the lines of all waits")
        told = {one["text"].partition(", received")[0] for one in collector.get("/api/calls")["calls"]}
        assert told == {"response GET /stock in shop", "response GET /stock in inventory"}
        assert {one["text"].partition("awaited by ")[2][:6] for one in collector.get("/api/calls")["calls"]} == {
            "update"
        }
    finally:
        for program in programs:
            program.kill()
