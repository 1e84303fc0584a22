# SPDX-License-Identifier: Apache-2.0
"""Services that hang in each other: the processes are real, the instrumentations are the stock ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.processes import environment
from tests.support.program import Program
from tests.support.waiting import eventually

Watch = Callable[..., Program]


def the_deadlock(collector: Collector) -> dict[str, Any]:
    """The finding that is about more than one process, once it is there."""

    def found() -> Any:
        answer = collector.get("/api/findings")
        across = [one for one in answer["findings"] if len(one["processes"]) > 1]
        return across if across and all(node in one["nodes"] for one in across for node in one["core"]) else None

    (finding,) = eventually(found, "a verdict on both processes")
    return finding


def waits_of(finding: dict[str, Any]) -> set[tuple[str, str]]:
    """By kind of what is waited for: on which lines."""
    return {(step["resource"].partition(":")[0], step["wait_source"]) for step in finding["evidence"]}


def test_two_http_services_call_each_other_with_their_locks_held(collector: Collector, watch: Watch) -> None:
    program = watch("fastapi-two-way-deadlock")
    finding = the_deadlock(collector)
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
    kinds = sorted(finding["nodes"][node]["kind"] for node in finding["core"])
    assert kinds == ["lock"] * 2 + ["request"] * 2 + ["response"] * 2 + ["task"] * 4
    called = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert {called[process] for process in finding["processes"]} == {"shop", "inventory"}
    calls = {step["resource_label"]: step for step in finding["evidence"] if step["resource"].startswith("request:")}
    assert set(calls) == {"request GET /read to shop", "request GET /read to inventory"}
    asks, waits = program.line("update", "await client.get"), program.line("read", "async with books:")
    expected = {("request", asks), ("lock", waits)}  # lines are resolved one by one
    eventually(lambda: waits_of(the_deadlock(collector)) == expected, "the lines of all waits")
    assert finding["advice"].startswith("Do not wait for request GET /read to ")

    # Those who asked first wait behind it, in the third process.
    def asked_first() -> list[str]:
        nodes = [one for one in collector.get("/api/snapshot")["nodes"] if one["kind"] == "request"]
        return sorted(one["label"] for one in nodes if one["name"] == "GET /update")

    wanted = ["request GET /update to inventory", "request GET /update to shop"]
    eventually(lambda: asked_first() == wanted, "the callers are seen")
    # What each process sees of it alone is not told beside it.
    assert [one["id"] for one in collector.get("/api/findings")["findings"]] == [finding["id"]]
    said = collector.peeps("why")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("DEADLOCK, LIKELY, ")
    assert "  handled by " in said.stdout


SERVICES = Path(__file__).with_name("services.py")
Start = Callable[..., None]


@pytest.fixture
def services(collector: Collector, tmp_path: Path) -> Iterator[Start]:
    """Starts the two of them: transport, mode and what else `services.py` takes. `heap`: who else could end a wait is
    asked, as by default."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(transport: str, mode: str, *more: str, heap: bool = False) -> None:
        settings = environment(PEEPS_COLLECTOR_ENDPOINT=collector.otlp, PEEPS_HEAP=str(heap).lower())
        ports = [str(free_port()), str(free_port())]
        for name, port, other in (("shop", *ports), ("inventory", *reversed(ports))):
            command = [sys.executable, str(SERVICES), transport, mode, name, port, other, *more]
            with (tmp_path / f"{name}.txt").open("wb") as output:
                started.append(
                    subprocess.Popen(
                        command, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
                    )
                )

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("transport", ["aiohttp", "grpc", "roam"])
def test_two_services_of_any_transport_wait_for_each_other(
    collector: Collector, services: Start, transport: str
) -> None:
    services(transport, "deadlock")
    finding = the_deadlock(collector)
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
    named = [finding["nodes"][node] for node in finding["core"]]
    assert {"lock", "request", "response", "task"} == {node["kind"] for node in named}
    assert sum(node["kind"] == "lock" for node in named) == 2
    methods = {node["attributes"]["peeps.method"] for node in named if node["kind"] in ("request", "response")}
    assert methods == {{"aiohttp": "GET /read", "grpc": "shop.Books/Read", "roam": "Books/read"}[transport]}
    called = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert {called[process] for process in finding["processes"]} == {"shop", "inventory"}


LOOKS = """
SELECT count(*) FROM snapshot JOIN (FROM finding WHERE finding = ?) AS found ON list_contains(found.processes, process)
WHERE time_ns >= found.since_ns AND snapshot.received_ns <= found.first_seen_ns GROUP BY process
"""


@pytest.mark.parametrize("transport", ["aiohttp", "grpc"])
def test_a_stuck_request_is_found_by_two_looks_of_each_process(
    collector: Collector, services: Start, transport: str
) -> None:
    """One look a second: within three seconds, on a machine that has time. Looks are counted, for this one may not."""
    services(transport, "deadlock", heap=True)
    finding = the_deadlock(collector)
    looks = eventually(lambda: collector.sql(LOOKS, finding["id"]), "it is in the database")
    assert len(looks) == 2
    assert min(looks) <= [2]  # one that looks on time sees it several times while the other is late


@pytest.mark.parametrize("transport", ["aiohttp", "grpc", "roam"])
def test_calls_with_a_timeout_are_no_deadlock_but_a_ring_that_breaks(
    collector: Collector, services: Start, transport: str
) -> None:
    services(transport, "deadlock", "3000")

    def both_wait() -> bool:
        answer = collector.get("/api/snapshot")
        nodes = {node["id"]: node for node in answer["nodes"]}
        waiting = [edge["src"] for edge in answer["edges"] if edge["dst"].startswith("request:")]
        joined = [node for node in nodes.values() if node["attributes"].get("peeps.rpc.join") == "both_ends"]
        bounded = [one for one in waiting if one in nodes and nodes[one]["wait"]["deadline_ns"]]
        return len(bounded) == 2 and len(joined) == 4

    eventually(both_wait, "both calls wait, each until its timeout")

    def ring() -> Any:
        found = collector.get("/api/findings")["findings"]
        across = [one for one in found if len(one["processes"]) > 1]
        return across if len(found) == len(across) == 1 else None  # what each sees by itself is a part of it

    (finding,) = eventually(ring, "the ring of both, and nothing else")
    assert (finding["kind"], finding["level"]) == ("times_out", "SLOW")
    assert "; the ring breaks when " in finding["title"]
    assert both_wait()


def test_a_cancelled_grpc_call_whose_handler_goes_on_is_seen(collector: Collector, services: Start) -> None:
    services("grpc", "cancelled")

    def abandoned() -> Any:
        nodes = collector.get("/api/snapshot")["nodes"]
        return next((node for node in nodes if node["kind"] == "request" and node["state"] == "detached"), None)

    request = eventually(abandoned, "a request without the task that made it")
    assert request["attributes"]["peeps.rpc.join"] == "both_ends"
    answer = collector.get("/api/snapshot")
    nodes = {node["id"]: node for node in answer["nodes"]}
    follow = {(edge["kind"], edge["src"]): edge["dst"] for edge in answer["edges"]}
    handler = nodes[follow["handled_by", follow["rpc_link", request["id"]]]]
    assert (handler["kind"], handler["wait"]["operation"]) == ("task", "sleep")


def test_a_grpc_call_is_cancelled_and_its_handler_works_on(collector: Collector, watch: Watch) -> None:
    program = watch("grpc-cancelled-but-running")

    def chain() -> Any:
        answer = collector.get("/api/snapshot")
        nodes = {node["id"]: node for node in answer["nodes"]}
        follow = {(edge["kind"], edge["src"]): edge["dst"] for edge in answer["edges"]}
        told: dict[str, tuple[str, str]] = {}
        for request in (node for node in nodes.values() if node["kind"] == "request"):
            handler = nodes.get(follow.get(("handled_by", follow.get(("rpc_link", request["id"]), "")), ""))
            if handler is not None and handler["wait"] is not None:
                told[request["state"]] = (request["label"], handler["wait"]["source"])
        return told if told.keys() == {"detached", "pending"} else None

    name = "request shop.Inventory/Reserve to inventory"
    holds, works = program.line("reserve", "async with books"), program.line("reserve", "asyncio.sleep")
    eventually(
        lambda: chain() == {"detached": (name, works), "pending": (name, holds)}, "both calls, and their handlers"
    )

    def told() -> Any:
        findings = collector.get("/api/findings")["findings"]
        return next((one for one in findings if one["kind"] == "call_abandoned"), None)

    finding = eventually(told, "the call that is for nobody is a finding")
    assert finding["level"] == "SLOW"
    assert finding["title"].startswith(f"{name} has outlived the task that sent it, but its handler ")
    called = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert sorted(called[process] for process in finding["processes"]) == ["grpc-cancelled-but-running", "inventory"]
