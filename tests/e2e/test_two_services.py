# SPDX-License-Identifier: Apache-2.0
"""Services that hang in each other: the processes are real, the instrumentations are the stock ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.e2e_support import Collector
from tests.support.program import Program
from tests.support.waiting import eventually

Watch = Callable[..., Program]


def the_deadlock(collector: Collector, program: Program) -> dict[str, Any]:
    """The finding that is about more than one process, once it is there."""

    def found() -> Any:
        assert program.process.poll() is None, program.output()
        answer = collector.get("/api/findings")
        across = [one for one in answer["findings"] if len(one["processes"]) > 1]
        return across if across and all(node in one["nodes"] for one in across for node in one["core"]) else None

    (finding,) = eventually(found, f"a verdict on {program.name}")
    return finding


def waits_of(finding: dict[str, Any]) -> set[tuple[str, str]]:
    """By kind of what is waited for: on which lines."""
    return {(step["resource"].partition(":")[0], step["wait_source"]) for step in finding["evidence"]}


def test_two_http_services_call_each_other_with_their_locks_held(collector: Collector, watch: Watch) -> None:
    program = watch("fastapi-two-way-deadlock")
    finding = the_deadlock(collector, program)
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
    kinds = sorted(finding["nodes"][node]["kind"] for node in finding["core"])
    assert kinds == ["lock"] * 2 + ["request"] * 2 + ["response"] * 2 + ["task"] * 4
    services = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert {services[process] for process in finding["processes"]} == {"shop", "inventory"}
    calls = {step["resource_label"]: step for step in finding["evidence"] if step["resource"].startswith("request:")}
    assert set(calls) == {"request GET /read to shop", "request GET /read to inventory"}
    asks, waits = program.line("update", "await client.get"), program.line("read", "async with books:")
    expected = {("request", asks), ("lock", waits)}  # lines are resolved one by one
    eventually(lambda: waits_of(the_deadlock(collector, program)) == expected, "the lines of all waits")
    assert finding["advice"].startswith("Do not wait for request GET /read to ")

    # Those who asked first wait behind it, in the third process.
    callers = [one for one in collector.get("/api/snapshot")["nodes"] if one["kind"] == "request"]
    assert sorted(one["label"] for one in callers if one["name"] == "GET /update") == [
        "request GET /update to inventory",
        "request GET /update to shop",
    ]
    # What each process sees of it alone is not told beside it.
    assert [one["id"] for one in collector.get("/api/findings")["findings"]] == [finding["id"]]
    said = collector.peeps("why")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("DEADLOCK, LIKELY, ")
    assert "  handled by " in said.stdout
