# SPDX-License-Identifier: Apache-2.0
"""Who reads the body of an answer waits for the one who streams it, in the other process."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.e2e_support import Collector
from tests.e2e.each_other import check_ring, each_other
from tests.support.program import source_line

SCRIPT = Path(__file__).with_name("streams_back.py")


def test_two_services_that_read_each_others_streams_are_a_deadlock(collector: Collector, tmp_path: Path) -> None:
    with each_other(SCRIPT, (), collector, tmp_path, PEEPS_HEAP="false"):
        reads, waits = (source_line(SCRIPT, *where) for where in (("update", "aiter_lines"), ("lines", "async with")))
        check_ring(collector, {("io", reads), ("lock", waits)})
        told = {one["text"].partition(", received")[0] for one in collector.get("/api/calls")["calls"]}
        assert told == {"response GET /rows in shop", "response GET /rows in inventory"}
        by = {one["text"].partition("awaited by ")[2].partition(",")[0] for one in collector.get("/api/calls")["calls"]}
        assert by == {"update in shop", "update in inventory"}
