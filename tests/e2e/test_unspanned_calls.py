# SPDX-License-Identifier: Apache-2.0
"""Services without any instrumentation of their clients and servers: the wait for an answer leads into the handler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.e2e_support import Collector
from tests.e2e.each_other import check_ring, each_other
from tests.support.program import source_line

SCRIPT = Path(__file__).with_name("unspanned_calls.py")


@pytest.mark.parametrize("server", ["aiohttp", "uvicorn"])
def test_two_services_without_spans_that_call_each_other_are_a_deadlock(
    collector: Collector, tmp_path: Path, server: str
) -> None:
    left_out = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiohttp-client,aiohttp-server,asgi,httpx"}
    with each_other(SCRIPT, (server,), collector, tmp_path, **left_out):
        asks, waits = source_line(SCRIPT, f"call_{server}", ".get("), source_line(SCRIPT, "read", "async with")
        check_ring(collector, {("io", asks), ("lock", waits)})
        told = {one["text"].partition(", received")[0] for one in collector.get("/api/calls")["calls"]}
        assert told == {"response GET /stock in shop", "response GET /stock in inventory"}
        assert {one["text"].partition("awaited by ")[2][:6] for one in collector.get("/api/calls")["calls"]} == {
            "update"
        }
