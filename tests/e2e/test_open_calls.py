# SPDX-License-Identifier: Apache-2.0
"""Of all calls between two busy processes only the one that hangs is told: not the streams, the long poll, the
websocket, nor those that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.conftest import Start
from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program, source_line
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("open_calls.py")
AT_ONCE = "call_unanswered:asleep=1s:unseen=1s"


def test_only_the_call_that_hangs_is_told(start: Start, tmp_path: Path) -> None:
    collector: Collector = start(PEEPS_RULES=AT_ONCE)
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false"}
    ports = [str(free_port()), str(free_port())]
    programs: list[Program] = []
    try:
        for name, arguments in (("open_calls", ports), ("open_calls", [*ports, "call"])):
            directory = tmp_path / str(len(programs))
            directory.mkdir()
            programs.append(Program(name, [str(SCRIPT), *arguments], directory, **settings))
            programs[-1].until_it_speaks()

        def found() -> Any:
            return collector.get("/api/findings")["findings"]

        (finding,) = eventually(found, "the call that hangs")
        assert (finding["kind"], finding["level"]) == ("call_unanswered", "SLOW")
        sleeps = source_line(SCRIPT, "hang", "asyncio.sleep").rpartition("/")[2]
        assert finding["title"] == (
            "hanging waits for request shop.Books/Hang to open_calls, whose handler HandleExceptions[/shop.Books/Hang] "
            f"sleeps at e2e/{sleeps}"
        )
        sends = source_line(SCRIPT, "hanging", "await channel")
        assert finding["evidence"][0]["wait_source"] == sends

        def open_for_long() -> set[str]:  # longer than any of the rules needs
            calls = collector.get("/api/calls?least_ms=8000")["calls"]
            return {one["method"] for one in calls}

        long = {"GET /next", "GET /ticker", *(f"shop.Books/{name}" for name in ("Hang", "Rows", "Chat"))}
        eventually(lambda: open_for_long() == long, "all of them are seen, and are old")
        assert [one["title"] for one in found()] == [finding["title"]]
    finally:
        for program in programs:
            program.end()
