# SPDX-License-Identifier: Apache-2.0
"""Somebody's service hangs. They start it under `opentelemetry-instrument` and ask what is stuck."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from tests.e2e.e2e_support import Collector, Finding
from tests.support.processes import peeps
from tests.support.program import Program
from tests.support.waiting import PATIENCE_S, eventually

Watch = Callable[..., Program]


def test_two_tasks_take_two_locks_in_opposite_order(collector: Collector, watch: Watch) -> None:
    program = watch("lock-order-deadlock")
    finding = collector.verdict_on(program)

    assert (finding.kind, finding.level) == ("deadlock", "PROVEN")
    assert finding.core == {"worker-a", "worker-b", "db", "cache"}
    assert finding.answer["blocked_count"] >= 3
    a_holds, a_waits = program.line("move", "async with db:"), program.line("move", "async with cache:")
    b_holds, b_waits = program.line("refresh", "async with cache:"), program.line("refresh", "async with db:")
    assert finding.waits() == {"worker-a": ("cache", a_waits), "worker-b": ("db", b_waits)}
    assert finding.holds() == {"db": ("worker-a", a_holds), "cache": ("worker-b", b_holds)}
    assert finding.source_of("db") == program.line("main", "db = ")
    assert finding.source_of("worker-a") == program.line("main", '"worker-a"')
    assert finding.sentence.startswith("DEADLOCK, PROVEN, ")

    # The program's own report, which may be the first to come, says only how many are blocked.
    behind = {"request-1", "request-2", "request-3"}
    eventually(lambda: behind <= collector.verdict_on(program, PATIENCE_S).blocked, "the blocked have names", 5)

    said = collector.peeps("why", "--paths")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("DEADLOCK, PROVEN, ")
    assert f"in lock-order-deadlock (pid {program.process.pid})" in said.stdout
    for line in (a_waits, b_waits):
        assert f"waits at {line}" in said.stdout
    assert re.search(rf"held by worker-b since .*, taken at {re.escape(b_holds)}", said.stdout)
    assert "What would release it: Take Lock cache and Lock db in the same order everywhere." in said.stdout

    as_json = collector.peeps("why", "--json", "--process", "lock-order-deadlock")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["findings"][0]["id"] == finding.answer["id"]

    listed = collector.peeps("ps", "--flat", "--paths")
    assert listed.returncode == 0, listed.stderr
    assert re.search(
        rf"worker-a +waiting +lock\.acquire Lock cache .*{re.escape(a_waits)}( +async with cache:)?$",
        listed.stdout,
        re.MULTILINE,
    )
    assert re.search(r"request-3 +waiting +lock\.acquire Lock db ", listed.stdout)


def test_a_task_keeps_the_only_permit(collector: Collector, watch: Watch) -> None:
    program = watch("semaphore-starvation")
    everybody = {"permit_waiter_1", "permit_waiter_2", "permit_waiter_3"}

    def with_names() -> Finding | None:
        found = collector.verdict_on(program, PATIENCE_S)
        return found if everybody <= found.core | found.blocked else None

    # The program's own report, which may be the first to come, says only how many are blocked.
    finding = eventually(with_names, "the blocked have names")

    assert (finding.kind, finding.level) == ("semaphore_starved", "SUSPECT")
    assert {"gate", "permit_holder"} <= finding.core
    waits = finding.waits()
    assert waits["permit_holder"] == ("confirmed", program.line("hold", "confirmed.wait()"))
    (waiter,) = waits.keys() & everybody
    assert waits[waiter] == ("gate", program.line("use", "async with gate:"))
    assert finding.holds() == {"gate": ("permit_holder", program.line("hold", "async with gate:"))}

    said = collector.peeps("why", "--paths")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("SEMAPHORE STARVED, SUSPECT, ")
    assert program.line("hold", "confirmed.wait()") in said.stdout
    assert re.search(r"permit_holder +waiting +event\.wait Event confirmed ", collector.peeps("ps").stdout)


def test_the_seventeenth_item_does_not_fit(collector: Collector, watch: Watch) -> None:
    program = watch("channel-full-stall")
    finding = collector.verdict_on(program)

    assert (finding.kind, finding.level) == ("channel_full", "LIKELY")
    assert {"producer", "work_queue", "main (Task-1)"} == finding.core
    assert finding.kinds["work_queue"] == "tx"
    waits = finding.waits()
    assert waits["producer"] == ("work_queue", program.line("produce", "work_queue.put("))
    assert waits["main (Task-1)"] == ("producer", program.line("main", "await producer"))
    assert "(16/16)" in finding.title

    said = collector.peeps("why", "--paths")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("CHANNEL FULL, LIKELY, ")
    assert "await the producer only after draining it" in said.stdout
    assert re.search(r"producer +waiting +\S+ Queue work_queue ", collector.peeps("ps").stdout)


def test_a_busy_server_is_not_stuck(collector: Collector, watch: Watch) -> None:
    program = watch("healthy", "9")
    end = time.monotonic() + 6
    seen = 0
    while time.monotonic() < end:
        answer = collector.get("/api/findings")
        assert not answer["findings"], answer["findings"]
        seen = max(seen, answer["calm"]["tasks"])
        time.sleep(0.1)
    assert seen >= 45, "20 clients, 20 handlers, 4 workers and main"
    said = collector.peeps("why", "--paths")
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.startswith("Nothing is stuck: ")
    assert program.process.wait(30) == 0
    assert "requests answered, none left behind" in program.output()
    assert not collector.get("/api/findings?history=1")["findings"]


def test_what_was_found_is_in_the_file_afterwards(collector: Collector, watch: Watch) -> None:
    program = watch("lock-order-deadlock")
    collector.verdict_on(program)
    collector.stop()
    assert collector.stored("SELECT kind, level FROM finding") == [("deadlock", "PROVEN")]
    names = collector.stored("SELECT name FROM node WHERE kind = 'task' AND name LIKE 'worker-%' ORDER BY name")
    assert names == [("worker-a",), ("worker-b",)]


def test_the_verdict_ends_with_the_program(collector: Collector, watch: Watch) -> None:
    program = watch("lock-order-deadlock")
    collector.verdict_on(program)
    program.interrupt()
    eventually(lambda: collector.peeps("why").returncode == 2, "nothing is stuck or connected any more", 10)
    (past,) = collector.get("/api/findings?history=1")["findings"]
    assert (past["kind"], past["state"]) == ("deadlock", "resolved")


def test_nobody_to_ask() -> None:
    said = peeps("why", PEEPS_API="127.0.0.1:9")
    assert said.returncode == 2
    assert "no collector answers at 127.0.0.1:9" in said.stderr
