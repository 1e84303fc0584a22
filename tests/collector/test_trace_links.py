# SPDX-License-Identifier: Apache-2.0
"""Where the trace of a stuck request is shown: on its node, its call and the finding, in every answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from peeps_collector.config import Config, ConfigError
from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind
from tests.collector.collector_support import Deadlock, Program, Running, new_id
from tests.collector.conftest import Start
from tests.support.waiting import eventually

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
TEMPLATE = "https://jaeger.example.org/trace/{trace_id}?uiFind={span_id}"
URL = f"https://jaeger.example.org/trace/{TRACE}?uiFind={SPAN}"
HERE = {"trace_id": TRACE, "span_id": SPAN, "url": URL}
COMMAND = """
import pathlib, sys
pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())
"""


def stuck(running: Running, span: str = f"{TRACE}-{SPAN}") -> tuple[Node, dict[str, Any]]:
    """A deadlock of which one task handles a request: the response, and what is told of the deadlock."""
    deadlock = Deadlock()
    nodes, edges = deadlock.graph()
    attributes: dict[str, AttributeValue] = {semconv.METHOD: "GET /order", semconv.RPC_SPAN: span}
    response = Node(
        new_id(NodeKind.RESPONSE),
        NodeKind.RESPONSE,
        "GET /order",
        nodes[0].created_at,
        "app.py:1",
        attributes=attributes,
    )
    handled = Edge(EdgeKind.HANDLED_BY, response.id, deadlock.b)
    program = Program("app-1", "shop")
    running.send(program.snapshot([*nodes, response], [*edges, handled], key_frame=True))

    def found() -> dict[str, Any] | None:
        running.send(program.snapshot([]))  # and nobody has moved
        return next((one for one in running.get("/api/findings")["findings"] if one["kind"] == "deadlock"), None)

    return response, eventually(found)


def test_the_stuck_requests_trace_is_linked_everywhere(start: Start, tmp_path: Path) -> None:
    program, told = tmp_path / "tell.py", tmp_path / "told.json"
    program.write_text(COMMAND)
    running = start(PEEPS_TRACE_URL=TEMPLATE, PEEPS_ALERT_EXEC=f"{sys.executable} {program} {told}")
    response, deadlock = stuck(running)
    assert deadlock["trace"] == HERE
    assert running.get(f"/api/node/{response.id}")["node"]["trace"] == HERE
    assert [call["trace"] for call in running.get("/api/calls")["calls"]] == [HERE]
    assert f"\nTrace: {URL}\n" in running.peeps("why", "--no-ask").stdout
    assert f"\n  Trace: {URL}\n" in running.peeps("show", response.id).stdout
    alert = eventually(lambda: json.loads(told.read_text()) if told.exists() and told.read_text() else None)
    assert (alert["finding"]["trace"], f"\nTrace: {URL}\n" in alert["text"]) == (HERE, True)


def test_without_a_template_its_id_is_told(start: Start) -> None:
    running = start()
    _, deadlock = stuck(running)
    assert deadlock["trace"] == {"trace_id": TRACE, "span_id": SPAN}
    assert f"\nTrace: {TRACE}\n" in running.peeps("why", "--no-ask").stdout


def test_what_is_no_trace_makes_no_link(start: Start) -> None:
    running = start(PEEPS_TRACE_URL=TEMPLATE)
    response, deadlock = stuck(running, "../../evil?-00f067aa0ba902b7")
    assert "trace" not in deadlock
    assert "trace" not in running.get(f"/api/node/{response.id}")["node"]


@pytest.mark.parametrize(
    "text", ["jaeger/{trace_id}", "javascript:{trace_id}", "https://jaeger.example.org/", "http:///{trace_id}"]
)
def test_a_template_is_a_url_with_the_trace_in_it(text: str) -> None:
    with pytest.raises(ConfigError, match="PEEPS_TRACE_URL"):
        Config.from_environment({"PEEPS_TRACE_URL": text})
