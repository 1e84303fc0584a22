# SPDX-License-Identifier: Apache-2.0
"""Roam calls that are never answered, between real processes: both in Python, or one of them in Node.js."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.e2e_support import Collector
from tests.support.program import Program
from tests.support.waiting import eventually

Watch = Callable[..., Program]
METHOD = "DemoRpc/sleepy_forever"


@pytest.fixture
def collector(start: Start) -> Collector:
    return start(PEEPS_RULES="call_unanswered:asleep=1s:unseen=1s:stuck=1h")  # SLOW at once, and no more


def the_request(collector: Collector, join: str) -> tuple[dict[str, Any], dict[str, Any], dict[tuple[str, str], str]]:
    """It, all nodes, and where the edges of each kind lead, once both ends are known as far as they can be."""

    def found() -> Any:
        answer = collector.get("/api/snapshot")
        nodes = {node["id"]: node for node in answer["nodes"]}
        requests = [node for node in answer["nodes"] if node["kind"] == "request"]
        if [one["attributes"].get("peeps.rpc.join") for one in requests] != [join]:
            return None
        waiting = [one for one in nodes.values() if one["kind"] == "task" and one["name"].startswith("call")]
        follow = {(edge["kind"], edge["src"]): edge["dst"] for edge in answer["edges"]}
        if [follow.get(("needs", one["id"])) for one in waiting] != [requests[0]["id"]]:
            return None
        return requests[0], nodes, follow

    return eventually(found, f"the request, {join}")


def told(collector: Collector, words: str) -> None:
    """`peeps calls` has one line, and `peeps why` has the same; the age stands as `AGE`."""

    def listed(command: str) -> list[str]:
        said = collector.peeps(command).stdout
        lines = [line.strip() for line in said.splitlines() if line.strip().startswith(f"request {METHOD}")]
        return [re.sub(r"sent \d+(\.\d+)? \w+ ago", "sent AGE ago", line) for line in lines]

    eventually(lambda: listed("calls") == [words], f"peeps calls: {words}")
    eventually(lambda: listed("why") == [words], f"peeps why: {words}")


def found(collector: Collector, title: str, *lines: str) -> None:
    """The one finding is a call without an answer, told with the line that waits and the one where its handler is."""

    def told_of() -> Any:
        return collector.get("/api/findings")["findings"]

    (finding,) = eventually(told_of, "a finding")
    assert (finding["kind"], finding["level"], finding["title"]) == ("call_unanswered", "SLOW", title)
    assert (finding["evidence"][0]["wait_source"], finding["look_at"]) == (lines[0], lines[-1])
    assert collector.peeps("why").stdout.startswith("CALL UNANSWERED, SLOW, ")


def test_a_handler_in_another_process_sleeps_for_ever(collector: Collector, watch: Watch) -> None:
    program = watch("roam-rpc-stuck-request")
    request, nodes, follow = the_request(collector, "both_ends")
    called, sleeps = program.line("call", "await link.call"), program.line("sleepy_forever", "asyncio.sleep")
    assert request["label"] == f"request {METHOD} to demo-server"
    assert (request["state"], request["source"]) == ("pending", called)
    assert request["attributes"]["peeps.rpc.stage"] == "sent"
    response = nodes[follow["rpc_link", request["id"]]]
    assert response["label"] == f"response {METHOD} for roam-rpc-stuck-request"
    handler = nodes[follow["handled_by", response["id"]]]
    assert (handler["name"], handler["wait"]["operation"]) == ("roam DemoRpc.sleepy_forever", "sleep")

    def waits_at() -> str:  # lines are resolved one by one
        now: dict[str, Any] = {one["id"]: one for one in collector.get("/api/snapshot")["nodes"]}
        return now[handler["id"]]["wait"]["source"]

    eventually(lambda: waits_at() == sleeps, "the line of the handler's wait")
    short = "examples/" + sleeps.rpartition("/")[2]
    told(
        collector,
        f"request {METHOD} to service demo-server, sent AGE ago by call (Task-1) in roam-rpc-stuck-request, "
        f"handled by roam DemoRpc.sleepy_forever in demo-server, which sleeps at {short}",
    )
    title = (
        f"call (Task-1) waits for request {METHOD} to demo-server, whose handler {handler['name']} sleeps at {short}"
    )
    found(collector, title, called, sleeps)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")
def test_a_peer_in_node_reads_and_never_answers(collector: Collector, watch: Watch) -> None:
    program = watch("roam-python-node-stuck-request")
    request, nodes, follow = the_request(collector, "peer_not_attached")
    assert request["source"] == program.line("call", "await link.call")
    assert ("rpc_link", request["id"]) not in follow
    assert [node for node in nodes.values() if node["kind"] == "response"] == []
    (connection,) = [node for node in nodes.values() if node["kind"] == "connection"]
    assert connection["label"] == "connection python-host - node-peer"
    assert '"credit": "not tracked by peer"' in connection["attributes"]["peeps.connection.limits"]
    port = request["attributes"]["server.port"]
    told(
        collector,
        f"request {METHOD} to 127.0.0.1:{port}, sent AGE ago by call (Task-1) in roam-python-node-stuck-request; "
        "its receiver does not report here",
    )
    sent = program.line("call", "await link.call")
    found(collector, f"call (Task-1) waits for request {METHOD}, whose receiver does not report", sent)
