# SPDX-License-Identifier: Apache-2.0
"""The verdict of an earlier moment, and the history at a glance."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from peeps_collector.cli.command import moment
from peeps_otel.model import NodeKind
from tests.collector.collector_support import Deadlock, Program, Running
from tests.collector.test_past import ids
from tests.support.waiting import eventually

S = 1_000_000_000


def test_what_was_stuck_then_is_told_after_it_has_ended(collector: Running) -> None:
    before_ns = time.time_ns() - 3600 * S
    deadlock, program = Deadlock(), Program()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot(nodes, edges, key_frame=True))
    eventually(lambda: collector.sql("SELECT count(*) FROM node_change") == [[5]], "it is stored")
    first_ns = time.time_ns()
    collector.send(program.snapshot([]))
    [found] = eventually(lambda: collector.get("/api/findings")["findings"], "it is found")
    eventually(lambda: collector.sql("SELECT max(sequence) FROM snapshot") == [[2]], "the second look is stored")
    stuck_ns = time.time_ns()
    collector.send(program.snapshot([], [], gone=[node.id for node in nodes]))
    eventually(lambda: not collector.get("/api/findings")["findings"], "it has ended")
    eventually(lambda: collector.sql("SELECT count(*) FROM node_change WHERE op = 'gone'") == [[5]], "that is stored")

    then = collector.get(f"/api/findings?at={stuck_ns}")
    [told] = then["findings"]
    assert (told["id"], told["state"], told["level"], then["at_ns"]) == (found["id"], "open", found["level"], stuck_ns)
    assert told["headline"].startswith("DEADLOCK, PROVEN, ")
    assert then["verdict"]["stuck"] is True
    assert {one["id"] for one in told["nodes"].values() if one["kind"] == NodeKind.TASK} >= {deadlock.a, deadlock.b}
    # With what is known now: it was stuck before it was found.
    assert [one["id"] for one in collector.get(f"/api/findings?at={first_ns}")["findings"]] == [found["id"]]
    nobody = collector.get(f"/api/findings?at={before_ns}")
    assert (nobody["findings"], nobody["verdict"]["connected"], nobody["verdict"]["sentence"]) == (
        [],
        False,
        "No program was connected then.",
    )
    node = collector.get(f"/api/node/{deadlock.a}?at={stuck_ns}")
    assert (node["node"]["wait"]["operation"], ids(list(node["neighbours"].values()))) == (
        "lock.acquire",
        {deadlock.db, deadlock.cache},
    )
    assert [one["id"] for one in node["findings"]] == [found["id"]]

    said = collector.peeps("why", "--at", datetime.fromtimestamp(stuck_ns / 1e9 + 0.001).isoformat())
    assert (said.returncode, said.stdout.splitlines()[0][:13]) == (1, "As it was at "), said.stderr
    assert "DEADLOCK, PROVEN" in said.stdout
    long_ago = collector.peeps("why", "--at", "1h")
    assert (long_ago.returncode, long_ago.stdout.splitlines()[-1]) == (2, "No program was connected then.")

    history: dict[str, Any] = collector.get("/api/timeline?since_s=3600")
    [span] = history["findings"]
    assert (span["id"], span["from_ns"], span["state"]) == (found["id"], found["since_ns"], "resolved")
    assert span["from_ns"] < span["found_ns"] < span["to_ns"]
    assert sum(one["count"] for one in history["changes"]) == 10
    assert history["from_ns"] <= first_ns


def test_a_first_look_is_no_all_clear(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(deadlock.graph()[0][:1], key_frame=True))
    eventually(lambda: collector.sql("SELECT count(*) FROM snapshot") == [[1]], "it is stored")
    [blind] = collector.get(f"/api/findings?at={time.time_ns()}")["verdict"]["cannot_judge"]
    assert blind["note"].startswith("first look pending")


def test_moments_as_a_person_writes_them() -> None:
    now = datetime.now().astimezone()
    assert abs(moment("10m") / 1e9 - (now - timedelta(minutes=10)).timestamp()) < 60
    assert moment("-10m") // (60 * S) in {moment("10m") // (60 * S), moment("10m") // (60 * S) + 1}
    assert moment("2026-01-02T03:04:05+00:00") == 1_767_323_045 * S
    last = datetime.fromtimestamp(moment(now.strftime("%H:%M:%S")) / 1e9).astimezone()
    assert timedelta(0) <= now - last < timedelta(minutes=1)
    ahead = moment((now + timedelta(minutes=30)).strftime("%H:%M"))
    assert ahead / 1e9 < now.timestamp()


@pytest.mark.parametrize("text", ["soon", "", "25:61", "2999-01-01T00:00", "10x", "8d"])
def test_what_is_no_moment_of_the_past_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        moment(text)
