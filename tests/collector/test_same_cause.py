# SPDX-License-Identifier: Apache-2.0
"""One cause in many processes is told once."""

from __future__ import annotations

from typing import Any

from peeps_collector.api.same_cause import mark_same
from tests.collector.collector_support import Deadlock, Program, Running
from tests.support.waiting import eventually


def finding(number: int, place: str, *processes: str, level: str = "PROVEN") -> dict[str, Any]:
    steps = [{"wait_source": place, "hold_source": "app.py:2"}] if place else []
    told: dict[str, Any] = {"id": f"deadlock:{number}", "kind": "deadlock", "level": level, "look_at": place}
    return told | {"evidence": steps, "processes": list(processes)}


def test_the_first_of_those_alike_names_the_others() -> None:
    told = [finding(number, "app.py:31", f"p{number}") for number in range(8)]
    assert mark_same(told, {}) == 1
    assert told[0]["same_in"] == ["p1", "p2", "p3", "p4", "p5", "p6", "p7"]
    assert told[0]["same_text"] == "The same at the same lines in 7 more processes: p1, p2, p3, p4, p5 and 2 more."
    assert [one.get("same_as") for one in told] == [None, *["deadlock:0"] * 7]


def test_what_differs_is_told_by_itself() -> None:
    told = [
        finding(1, "app.py:31", "p1"),
        finding(2, "app.py:32", "p2"),
        finding(3, "app.py:31", "p3", level="LIKELY"),
        finding(4, "app.py:31", "p1"),  # of the same process
        finding(5, "", "p5"),
        finding(6, "", "p6"),
    ]
    assert mark_same(told, {}) == 6
    assert not any(key.startswith("same") for one in told for key in one)


def test_the_terminal_tells_it_once(collector: Running) -> None:
    programs = [Program(f"app-{number}", "shop", 4700 + number, 0x51AB + number) for number in range(3)]
    for program in programs:
        collector.send(program.snapshot(*Deadlock().graph(), key_frame=True))
    eventually(lambda: collector.sql("SELECT count(*) FROM node_change") == [[15]], "they are stored")
    for program in programs:
        collector.send(program.snapshot([]))
    eventually(lambda: len(collector.get("/api/findings")["findings"]) == 3, "each has a finding")
    answer = collector.get("/api/findings")
    assert [len(one.get("same_in", [])) for one in answer["findings"]] == [2, 0, 0]
    assert "more)" not in answer["verdict"]["sentence"]
    said = collector.peeps("why", "--no-ask")
    assert (said.returncode, said.stdout.count("DEADLOCK, PROVEN")) == (1, 1)
    assert "The same at the same lines in 2 more processes: shop (pid 470" in said.stdout
