# SPDX-License-Identifier: Apache-2.0
"""The model as JSON and back; the shape of one of each as a whole."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.model import (
    Edge,
    EdgeKind,
    EvidenceStep,
    Finding,
    FindingKind,
    Frame,
    Level,
    Node,
    NodeKind,
    Wait,
    finding_id,
)
from peeps_otel.model.jsonable import (
    edge_from_json,
    edge_to_json,
    finding_from_json,
    finding_to_json,
    node_from_json,
    node_to_json,
)
from tests.model.model_strategies import edges, findings, ids, nodes


@given(nodes())
def test_a_node_round_trips(node: Node) -> None:
    assert node_from_json(json.loads(json.dumps(node_to_json(node)))) == node


@given(st.lists(ids, min_size=1, max_size=3).flatmap(lambda known: edges(known, known)))
def test_an_edge_round_trips(edge: Edge) -> None:
    assert edge_from_json(json.loads(json.dumps(edge_to_json(edge)))) == edge


@given(findings)
def test_a_finding_round_trips(finding: Finding) -> None:
    assert finding_from_json(json.loads(json.dumps(finding_to_json(finding)))) == finding


def test_a_node_reads_like_this() -> None:
    node = Node("task:1", NodeKind.TASK, "a", 5, "a.py:1", state="waiting", steps=3, attributes={"peeps.loop.id": 1})
    node.wait = Wait("lock.acquire", 7, "a.py:9", deadline_ns=11, exact=True)
    node.stack = (Frame("main", "a.py", 9), Frame("Lock.acquire", "locks.py", None))
    assert node_to_json(node) == {
        "id": "task:1",
        "kind": "task",
        "name": "a",
        "created_at": 5,
        "source": "a.py:1",
        "confidence": "exact",
        "state": "waiting",
        "providers": None,
        "wait": {
            "operation": "lock.acquire",
            "since_ns": 7,
            "source": "a.py:9",
            "needs": 1,
            "deadline_ns": 11,
            "exact": True,
        },
        "stack": [
            {"function": "main", "file": "a.py", "line": 9},
            {"function": "Lock.acquire", "file": "locks.py", "line": None},
        ],
        "steps": 3,
        "attributes": {"peeps.loop.id": 1},
    }


def test_an_edge_and_a_finding_read_like_this() -> None:
    assert edge_to_json(Edge(EdgeKind.HELD_BY, "lock:1", "task:1", 5)) == {
        "kind": "held_by",
        "src": "lock:1",
        "dst": "task:1",
        "since_ns": 5,
        "source": None,
        "confidence": "exact",
        "cancels": False,
        "bare": False,
    }
    link = EvidenceStep("task:1", "lock:1", None, 5, "a waits")
    assert finding_to_json(Finding("i", FindingKind.DEADLOCK, Level.PROVEN, "t", 5, ["task:1"], evidence=[link])) == {
        "id": "i",
        "kind": "deadlock",
        "level": "PROVEN",
        "title": "t",
        "since_ns": 5,
        "core": ["task:1"],
        "cycle": [],
        "blocked": [],
        "evidence": [
            {
                "waiter": "task:1",
                "resource": "lock:1",
                "holder": None,
                "since_ns": 5,
                "text": "a waits",
                "wait_source": "",
                "hold_since_ns": None,
                "hold_source": None,
                "holder_doing": "",
            }
        ],
        "advice": "",
        "blocked_sites": [],
        "break_first": "",
        "look_at": "",
        "stack": [],
        "count": 1,
        "examples": [],
    }


@given(st.permutations(["lock:1", "lock:2", "task:1"]))
def test_the_id_of_a_finding_does_not_depend_on_order(core: list[str]) -> None:
    assert finding_id(FindingKind.DEADLOCK, core) == finding_id(FindingKind.DEADLOCK, sorted(core))
    assert finding_id(FindingKind.DEADLOCK, core) != finding_id(FindingKind.CHANNEL_FULL, core)
    assert finding_id(FindingKind.DEADLOCK, core) != finding_id(FindingKind.DEADLOCK, core[1:])
