# SPDX-License-Identifier: Apache-2.0
"""The API's look back: the graph as it was, two moments against each other, chains of waits, and word of changes."""

from __future__ import annotations

import inspect
import json
import re
import time
import urllib.request
from typing import Any, NamedTuple

import pytest

from peeps_collector.api import app as api_app
from peeps_collector.api.openapi import ENDPOINTS
from peeps_collector.graph.chain import chain
from peeps_collector.graph.view import View
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from tests.collector.collector_support import Deadlock, Program, Running
from tests.support.network import http
from tests.support.waiting import eventually


class Story(NamedTuple):
    """A deadlock; at `middle_ns` all is as it began; then the third task is gone and one of the others moved on."""

    collector: Running
    deadlock: Deadlock
    begun_ns: int
    middle_ns: int
    end_ns: int


@pytest.fixture(scope="module")
def story(shared: Running) -> Story:
    begun_ns = time.time_ns()
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    shared.send(program.snapshot(nodes, edges, key_frame=True))
    middle_ns = time.time_ns()
    moved = nodes[1]
    moved.wait, moved.state = None, "running"
    shared.send(program.snapshot([moved], [], gone=[deadlock.tail]))
    eventually(lambda: shared.sql("SELECT count(*) FROM node_change WHERE op = 'gone'") == [[1]])
    return Story(shared, deadlock, begun_ns, middle_ns, time.time_ns())


def ids(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["id"] for node in nodes}


def test_the_graph_as_it_was(story: Story) -> None:
    then = story.collector.get(f"/api/snapshot?at={story.middle_ns}")
    d = story.deadlock
    assert ids(then["nodes"]) == {d.a, d.b, d.tail, d.db, d.cache}
    assert (then["at_ns"], then["now_ns"], then["total_nodes"], then["truncated"]) == (
        story.middle_ns,
        story.middle_ns,
        5,
        False,
    )
    b = next(node for node in then["nodes"] if node["id"] == d.b)
    assert (b["wait"]["operation"], b["stack"][1]["function"], b["process"]) == ("lock.acquire", "audit", "app-1")
    assert b["wait"]["age"].startswith("43")
    assert {(edge["kind"], edge["src"], edge["dst"]) for edge in then["edges"]} == {
        ("needs", d.a, d.cache),
        ("needs", d.b, d.db),
        ("needs", d.tail, d.db),
        ("held_by", d.db, d.a),
        ("held_by", d.cache, d.b),
    }
    [picture] = then["processes"]
    assert (picture["id"], picture["sequence"], picture["shed"], picture["dropped"]) == ("app-1", 1, [], 0)
    assert 0 <= picture["stale_ns"] < 60_000_000_000
    assert then["not_answered"] == []

    assert story.collector.get(f"/api/snapshot?at={story.begun_ns}")["nodes"] == []
    around = story.collector.get(f"/api/snapshot?at={story.middle_ns}&focus={d.tail}&depth=1")
    assert ids(around["nodes"]) == {d.tail, d.db}
    now = story.collector.get("/api/snapshot")["processes"][0]
    assert {"stale_ns", "shed", "dropped", "missed"} <= now.keys()


def test_what_is_called_so(story: Story) -> None:
    called = story.collector.get("/api/snapshot?q=lock%20DB")
    assert [node["label"] for node in called["nodes"]] == ["Lock db"]
    assert story.collector.get("/api/snapshot?q=nothing%20like%20it")["total_nodes"] == 0


def test_two_moments(story: Story) -> None:
    d = story.deadlock
    found = story.collector.get(f"/api/diff?from={story.middle_ns}&to={story.end_ns}")
    assert (ids(found["appeared"]), ids(found["ended"]), ids(found["unmoved"])) == (set(), {d.tail}, {d.a})
    [changed] = found["changed"]
    assert (changed["before"]["wait"]["operation"], changed["after"]["wait"]) == ("lock.acquire", None)
    assert {(edge["src"], edge["dst"]) for edge in found["edges_removed"]} == {(d.b, d.db), (d.tail, d.db)}
    assert found["totals"] == {
        "appeared": 0,
        "ended": 1,
        "changed": 1,
        "unmoved": 1,
        "edges_added": 0,
        "edges_removed": 2,
    }
    assert ids(story.collector.get("/api/diff?from=-2h")["appeared"]) == {d.a, d.b, d.db, d.cache}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/diff", "from"),
        ("/api/diff?from=5&to=4", "to"),
        ("/api/snapshot?at=yesterday", "at"),
        ("/api/snapshot?at=-5d", "at"),
        (f"/api/snapshot?at={1 << 64}", "at"),
    ],
)
def test_moments_that_are_none(story: Story, path: str, field: str) -> None:
    answer = http(f"http://{story.collector.api}{path}")
    assert (answer.status, answer.json()["error"]["field"]) == (400, field)


def test_a_chain_to_its_end(story: Story) -> None:
    d = story.deadlock
    then = story.collector.get(f"/api/chain/{d.tail}?at={story.middle_ns}")
    assert [(edge["src"], edge["dst"]) for edge in then["edges"]] == [
        (d.tail, d.db),
        (d.db, d.a),
        (d.a, d.cache),
        (d.cache, d.b),
        (d.b, d.db),
    ]
    assert (then["ring"], then["leaves"], then["truncated"], len(then["nodes"])) == (True, [], False, 5)
    now = story.collector.get(f"/api/chain/{d.a}")
    assert (now["ring"], now["leaves"], now["nodes"][d.b]["state"]) == (False, [d.b], "running")
    assert http(f"http://{story.collector.api}/api/chain/{d.tail}").status == 404


def test_two_ways_to_one_end_are_no_ring() -> None:
    nodes = {name: Node(name, NodeKind.TASK, name, 1, "a.py:1") for name in "abcd"}
    pairs = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    edges = [Edge(EdgeKind.NEEDS, src, dst) for src, dst in pairs]
    out = {src: tuple(edge for edge in edges if edge.src == src) for src in "abc"}
    found = chain(View(1, nodes, {}, out), "a", 10)
    assert ([(e.src, e.dst) for e in found.edges], found.leaves, found.ring) == (pairs, ["d"], False)
    cut = chain(View(1, nodes, {}, out), "a", 2)
    assert (len(cut.edges), cut.truncated) == (2, True)


def test_word_of_changes(story: Story) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{story.collector.api}/api/changes", timeout=30) as stream:

        def next_version() -> int:
            lines = [stream.readline().decode() for _ in range(4)]
            assert (lines[0], lines[3]) == ("event: changed\n", "\n")
            return json.loads(lines[2].removeprefix("data: "))["version"]

        first = next_version()
        story.collector.send(Program("app-2", pid=2).snapshot(Deadlock().graph()[0], key_frame=True))
        assert next_version() > first


def test_the_document_names_every_endpoint_and_the_code_every_parameter(story: Story) -> None:
    document = story.collector.get("/openapi.json")
    routes = re.findall(r'Route\(("[^"]+"|_READY|_LIVE)', inspect.getsource(api_app.create_app))
    named = {"_READY": "/ready", "_LIVE": "/live"}
    paths = {named.get(path, path.strip('"').replace("{id:path}", "{id}")) for path in routes}
    assert set(document["paths"]) == paths == {endpoint.path for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method]
        assert operation["summary"] == endpoint.summary
        assert [one["name"] for one in operation["parameters"] if one["in"] == "query"] == [
            parameter.name for parameter in endpoint.parameters
        ]
