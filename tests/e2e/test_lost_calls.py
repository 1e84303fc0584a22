# SPDX-License-Identifier: Apache-2.0
"""A process is killed while a call of it lasts: each end of the call gets exactly one end state, `lost` where
nobody was left to say how it ended."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("lost_calls.py")
EVENTS = """
SELECT service, json_extract_string(attributes, '$."peeps.state"') FROM log
WHERE event_name = 'peeps.request.in_flight'
"""


def states(collector: Collector) -> Counter[tuple[Any, ...]]:
    """How many events each service has sent with which state; that it lasts may be told several times."""
    return Counter((service, state) for service, state in collector.sql(EVENTS) if state not in ("pending", "detached"))


def test_who_calls_a_stopped_process_waits_behind_it(collector: Collector, tmp_path: Path) -> None:
    port = str(free_port())
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false"}
    programs = [
        Program(name, [str(SCRIPT), name, "aiohttp", port], tmp_path, **settings) for name in ("server", "client")
    ]
    try:
        joined = {"both_ends"}
        eventually(lambda: {one["join"] for one in collector.get("/api/calls")["calls"]} == joined, "the call is seen")
        programs[0].process.send_signal(signal.SIGSTOP)

        def told() -> Any:
            found = collector.get("/api/findings")["findings"]
            return next((one for one in found if one["kind"] == "process_silent" and one["blocked_count"]), None)

        finding = eventually(told, "it is silent, and somebody waits behind it")
        names = {finding["nodes"][node]["name"].partition(" ")[0] for node in finding["blocked"]}
        assert "call_aiohttp" in names
    finally:
        for program in programs:
            program.kill()


@pytest.mark.parametrize("transport", ["aiohttp", "httpx", "grpc", "grpc_aio"])
@pytest.mark.parametrize("killed", ["server", "client"])
def test_each_end_of_a_call_ends_once_where_a_process_is_killed(
    collector: Collector, tmp_path: Path, transport: str, killed: str
) -> None:
    port = str(free_port())
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false", "PEEPS_IN_FLIGHT_MS": "300"}
    programs = {
        name: Program(name, [str(SCRIPT), name, transport, port], tmp_path, **settings) for name in ("server", "client")
    }
    try:
        told = {"server", "client"}
        eventually(lambda: {service for service, _ in collector.sql(EVENTS)} == told, "both ends are told to last")
        assert states(collector) == {}
        programs[killed].kill()
        eventually(lambda: states(collector)[killed, "lost"], "what it had in flight is lost")
        if killed == "server":
            eventually(lambda: states(collector)["client", "error"], "who called it has an error")
            expected = {("server", "lost"): 1, ("client", "error"): 1}
        else:
            ends = {} if transport != "grpc_aio" else {("server", "cancelled"): 1}  # gRPC tells an async handler
            eventually(lambda: len(states(collector)) > len(ends), "the server knows")
            expected = {("client", "lost"): 1} | ends
        assert states(collector) == expected
    finally:
        for program in programs.values():
            program.kill()
