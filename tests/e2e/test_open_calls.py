# SPDX-License-Identifier: Apache-2.0
"""Of all calls between two busy processes only the two that hang are told: not the streams, the long poll, the
websocket, nor those that come and go. And how far the two ends of each have found each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.conftest import Start
from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program, source_line
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("open_calls.py")
AT_ONCE = "call_unanswered:asleep=1s:unseen=1s:stuck=1h"


def test_only_the_calls_that_hang_are_told(start: Start, tmp_path: Path) -> None:
    collector: Collector = start(PEEPS_RULES=AT_ONCE)
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false"}
    ports = [str(free_port()) for _ in range(3)]
    programs: list[Program] = []
    try:
        for name, arguments in (("open_calls", ports), ("open_calls", [*ports, "call"])):
            directory = tmp_path / str(len(programs))
            directory.mkdir()
            programs.append(Program(name, [str(SCRIPT), *arguments], directory, **settings))
            programs[-1].until_it_speaks()

        def found() -> Any:
            return {one["title"]: one for one in collector.get("/api/findings")["findings"]}

        sleeps = source_line(SCRIPT, "hang", "asyncio.sleep").rpartition("/")[2]
        hangs = (
            "hanging waits for request shop.Books/Hang to open_calls, whose handler HandleExceptions[/shop.Books/Hang] "
            f"sleeps at e2e/{sleeps}"
        )
        lost = "unheard waits for request GET /unheard, which nobody who reports has received"
        told = eventually(lambda: titles if (titles := found()).keys() >= {hangs, lost} else None, "those that hang")
        assert {one["level"] for one in told.values()} == {"SLOW"}
        sends = source_line(SCRIPT, "hanging", "await channel")
        assert told[hangs]["evidence"][0]["wait_source"] == sends

        def joins() -> dict[str, str]:  # of those that are older than any of the rules needs
            calls = collector.get("/api/calls?least_ms=8000")["calls"]
            return {one["method"]: one["join"] for one in calls}

        wanted = dict.fromkeys(["GET /next", *(f"shop.Books/{name}" for name in ("Hang", "Rows", "Chat"))], "both_ends")
        wanted |= {"GET /ticker": "caller_unknown", "GET /unheard": "not_received", "GET /slow": "finished_on_one_side"}
        eventually(lambda: joins() == wanted, "all of them are seen, and are old")
        # A call that comes and goes may take a second where the machine has too much to do: it is told for as long.
        eventually(lambda: found().keys() == {hangs, lost}, "no others are told")
    finally:
        for program in programs:
            program.end()
