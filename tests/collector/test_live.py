# SPDX-License-Identifier: Apache-2.0
"""A program's snapshots in, the live graph and the verdict out, through a real collector."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from tests.collector.collector_support import (
    Deadlock,
    Program,
    Running,
    event,
    finding_event,
    key_values,
    logs_request,
    new_id,
    resource,
)
from tests.support.network import http
from tests.support.waiting import eventually

_NUMBERS = itertools.count(1)


def node(name: str, kind: NodeKind = NodeKind.TASK) -> Node:
    return Node(new_id(kind), kind, name, 1_795_000_000_000_000_000, "app.py:1", state="running")


def names(collector: Running, program: Program | None = None) -> list[str]:
    query = "" if program is None else f"?process={program.instance}"
    return sorted(n["name"] for n in collector.get(f"/api/snapshot{query}")["nodes"])


@pytest.fixture
def own() -> Program:
    """A process that no other test has, so that they can have one collector."""
    return Program(instance=f"own-{next(_NUMBERS)}")


def test_a_deadlock_is_found_and_ends(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot(nodes, edges, key_frame=True))

    def stuck() -> bool:
        collector.send(program.snapshot([]))
        return bool(collector.get("/api/findings")["verdict"]["stuck"])

    eventually(stuck)
    answer = collector.get("/api/findings")
    assert answer["verdict"]["level"] == "PROVEN"
    assert answer["verdict"]["sentence"].startswith("DEADLOCK, PROVEN, 4")
    (finding,) = answer["findings"]
    assert finding["state"] == "open"
    assert finding["processes"] == ["app-1"]
    assert set(finding["core"]) == {deadlock.a, deadlock.b, deadlock.db, deadlock.cache}
    assert finding["blocked"] == [deadlock.tail]
    assert finding["blocked_count"] == 1
    assert finding["nodes"].keys() == {*finding["core"], deadlock.tail}
    assert answer["calm"]["waiting"] == 3

    collector.send(program.snapshot([], gone=[node.id for node in nodes]))
    eventually(lambda: not collector.get("/api/findings")["verdict"]["stuck"])
    assert collector.get("/api/findings")["findings"] == []
    (ended,) = collector.get("/api/findings?history=1")["findings"]
    assert ended["state"] == "resolved"
    eventually(lambda: len(collector.sql("SELECT change FROM finding_event")) >= 2)
    assert collector.sql("SELECT DISTINCT change FROM finding_event ORDER BY ALL")[-1] == ["resolved"]


def test_deltas_change_the_graph_and_repetitions_do_not(collector: Running) -> None:
    program = Program()
    one, two = node("one"), node("two")
    first = program.snapshot([one, two], [Edge(EdgeKind.SPAWNED, one.id, two.id)], key_frame=True)
    collector.send(first)
    assert names(collector) == ["one", "two"]
    three = node("three")
    collector.send(program.snapshot([three], gone=[two.id]))
    assert names(collector) == ["one", "three"]

    def unchanged_by_a_repetition() -> bool:
        """The first time something else may have given it a new version: a verdict that was just looked for."""
        version = collector.get("/api/snapshot")["version"]
        collector.send(first)
        return http(f"http://{collector.api}/api/snapshot?if_version={version}").status == 304

    eventually(unchanged_by_a_repetition)
    assert names(collector) == ["one", "three"]


def test_a_key_frame_replaces_everything(shared: Running, own: Program) -> None:
    shared.send(own.snapshot([node("old")], key_frame=True))
    shared.send(own.snapshot([node("new")], key_frame=True))
    assert names(shared, own) == ["new"]


def test_a_gap_keeps_what_is_known_and_says_so(collector: Running) -> None:
    program = Program()
    collector.send(program.snapshot([node("one")], key_frame=True))
    program.snapshot([node("lost")])
    collector.send(program.snapshot([node("three")]))

    (process,) = collector.get("/api/processes")["processes"]
    assert names(collector) == ["one", "three"]
    assert process["missed"] == 1
    assert "missed" in process["coverage"][0]
    assert collector.get("/api/findings")["not_answered"] == ["app-1"]

    collector.send(program.snapshot([node("all")], key_frame=True))
    assert names(collector) == ["all"]

    def notes() -> list[str]:
        collector.send(program.snapshot([]))
        return collector.get("/api/processes")["processes"][0]["coverage"]

    eventually(lambda: notes() == [])


def test_a_gap_hides_no_verdict_and_makes_none(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot([], key_frame=True))
    program.snapshot([])
    for _ in range(4):  # the same deadlock, but in a stream with a hole
        collector.send(program.snapshot(nodes, edges))
    collector.get("/api/findings")
    assert not collector.get("/api/findings")["verdict"]["stuck"]


def test_a_new_stream_forgets_the_old_one(shared: Running, own: Program) -> None:
    late = own.snapshot([node("before")], key_frame=True)
    shared.send(late)
    own.restart()
    shared.send(own.snapshot([node("after")], key_frame=True))
    assert names(shared, own) == ["after"]
    shared.send(late)
    assert names(shared, own) == ["after"]


def test_two_streams_under_one_identity_are_two_processes(collector: Running) -> None:
    parent, child = Program(), Program(stream_id=0xC41D)
    collector.send(parent.snapshot([node("parent")], key_frame=True))
    collector.send(child.snapshot([node("child")], key_frame=True))
    for _ in range(3):
        collector.send(parent.snapshot([node("p")]))
        collector.send(child.snapshot([node("c")]))
    assert names(collector) == ["c", "c", "c", "child", "p", "p", "p"]
    ids = [process["id"] for process in collector.get("/api/processes")["processes"]]
    assert ids == ["app-1", "app-1/00000000000051ab"]


def test_goodbye(collector: Running) -> None:
    program = Program()
    collector.send(program.snapshot([node("one")], key_frame=True))
    program.interval_ns = 0
    collector.send(program.snapshot([], key_frame=True))
    assert names(collector) == []
    assert collector.get("/api/processes")["processes"][0]["state"] == "gone"
    sentence = collector.get("/api/findings")["verdict"]["sentence"]
    assert sentence.startswith("No program is connected; shop (pid 4711) was last heard of")


def test_two_processes_are_two_graphs(collector: Running) -> None:
    one, two = Program(instance="a", service="front"), Program(instance="b", service="back", pid=2)
    collector.send(one.snapshot([node("x")], key_frame=True))
    collector.send(two.snapshot([node("y"), node("lock", NodeKind.LOCK)], key_frame=True))
    assert names(collector) == ["lock", "x", "y"]
    assert [n["name"] for n in collector.get("/api/snapshot?process=b&kind=task")["nodes"]] == ["y"]
    assert {p["service"]: p["tasks"] for p in collector.get("/api/processes")["processes"]} == {"front": 1, "back": 1}


def test_what_one_resource_leaves_out_another_of_the_process_has_said(shared: Running, own: Program) -> None:
    """The program's own telemetry and ours come in turns, under one id."""
    shared.send(own.snapshot([node("one")], key_frame=True))
    ours, theirs = resource(own.instance), resource(own.instance)
    ours.attributes.extend(key_values({"process.working_directory": "/srv/shop"}))
    del theirs.attributes[1:3]  # process.pid and host.name
    for source in (theirs, ours, theirs):
        shared.send(logs_request(event("note"), source=source))
    (process,) = (one for one in shared.get("/api/processes")["processes"] if one["id"] == own.instance)
    assert (process["host"], process["directory"]) == ("here", "/srv/shop")


def test_the_neighbourhood_of_a_node_and_the_members_of_a_limit(shared: Running, own: Program) -> None:
    chain = [node(f"n{i}") for i in range(5)]
    edges = [Edge(EdgeKind.SPAWNED, a.id, b.id) for a, b in itertools.pairwise(chain)]
    shared.send(own.snapshot(chain, edges, key_frame=True))
    near = shared.get(f"/api/snapshot?focus={chain[0].id}&depth=1")
    assert sorted(n["name"] for n in near["nodes"]) == ["n0", "n1"]
    assert [(e["src"], e["dst"]) for e in near["edges"]] == [(chain[0].id, chain[1].id)]
    cut = shared.get(f"/api/snapshot?process={own.instance}&limit=2")
    assert (len(cut["nodes"]), cut["total_nodes"], cut["truncated"]) == (2, 5, True)


def test_a_node_with_its_history_and_after_its_end(shared: Running, own: Program) -> None:
    one, two = node("one"), node("two")
    shared.send(own.snapshot([one, two], [Edge(EdgeKind.SPAWNED, one.id, two.id)], key_frame=True))
    answer = shared.get(f"/api/node/{two.id}")
    assert answer["node"]["process"] == own.instance
    assert [e["src"] for e in answer["edges_in"]] == [one.id]
    assert answer["neighbours"][one.id]["name"] == "one"
    shared.send(own.snapshot([], gone=[two.id]))
    ended = eventually(lambda: _ended(shared, two.id))
    assert (ended["node"]["name"], ended["node"]["state"]) == ("two", "gone")
    assert [h["change"] for h in ended["history"]] == ["gone", "state"]
    assert http(f"http://{shared.api}/api/node/{new_id(NodeKind.TASK)}").status == 404


def _ended(collector: Running, node_id: str) -> dict[str, Any] | None:
    answer = http(f"http://{collector.api}/api/node/{node_id}")
    found = answer.json() if answer.status == 200 else None
    return found if found and len(found["history"]) == 2 else None


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=20001", "limit"), ("depth=7", "depth"), ("limit=x", "limit")],
)
def test_bad_parameters_are_named(shared: Running, query: str, field: str) -> None:
    answer = http(f"http://{shared.api}/api/snapshot?{query}")
    assert answer.status == 400
    assert answer.json()["error"]["field"] == field


def test_only_our_own_names_and_pages(shared: Running) -> None:
    url = f"http://{shared.api}/health"
    assert http(url, headers={"host": "localhost:1"}).status == 200
    assert http(url, headers={"host": "attacker.example"}).status == 403
    assert http(url, headers={"origin": "https://attacker.example"}).status == 403


def test_a_program_may_report_what_the_collector_cannot_see(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    collector.send(program.request(finding_event(deadlock.finding(), "open", blocked=31)))
    (finding,) = collector.get("/api/findings")["findings"]
    assert (finding["level"], finding["blocked_count"], finding["processes"]) == ("PROVEN", 31, ["app-1"])
    assert finding["evidence"][0]["hold_source"] == "app.py:45"
    collector.send(program.request(finding_event(deadlock.finding(), "resolved")))
    assert collector.get("/api/findings")["findings"] == []


def test_a_refuted_finding_is_said_less_surely_from_then_on(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot(nodes, edges, key_frame=True))

    def level() -> list[str]:
        collector.send(program.snapshot([]))
        return [finding["level"] for finding in collector.get("/api/findings")["findings"]]

    eventually(lambda: level() == ["PROVEN"])
    collector.send(program.request(finding_event(deadlock.finding(), "refuted", refuted_by=deadlock.a)))
    assert ended_states(collector) == ["refuted"]
    eventually(lambda: level() == ["LIKELY"])  # of the same shape at the same lines
    eventually(lambda: ["refuted"] in collector.sql("SELECT change FROM finding_event"))


def test_a_finding_that_had_ended_may_still_be_refuted(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    for state in ("open", "resolved", "refuted"):
        collector.send(program.request(finding_event(deadlock.finding(), state)))
    assert ended_states(collector) == ["refuted"]


def test_a_reported_finding_found_again_is_one_and_ends_with_its_wait(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.request(finding_event(deadlock.finding(), "open", blocked=31)))
    collector.send(program.snapshot(nodes, edges, key_frame=True))

    def found_again() -> bool:
        collector.send(program.snapshot([]))
        return collector.get("/api/findings")["findings"][0]["blocked"] == [deadlock.tail]

    eventually(found_again)
    assert len(collector.get("/api/findings")["findings"]) == 1
    collector.send(program.snapshot([], gone=[deadlock.a]))
    eventually(lambda: not collector.get("/api/findings")["findings"])


def test_readable_nodes_without_any_snapshot(shared: Running, own: Program) -> None:
    one, lock = new_id(NodeKind.TASK), new_id(NodeKind.LOCK)
    attributes = {
        "peeps.node.id": one,
        "peeps.node.name": "reader",
        "peeps.created_at": 1_795_000_000_000_000_000,
        "peeps.source": "app.py:3",
        "peeps.wait.operation": "lock.acquire",
        "peeps.wait.since": 1_795_000_000_000_000_001,
        "peeps.snapshot.sequence": 5,
        "peeps.stream.id": "51ab",
        "code.stacktrace": 'Traceback:\n  File "app.py", line 3, in read\n    x\n  File "lib.py", in acquire',
        "peeps.edges": [{"kind": "needs", "dst": lock, "since": 7}],
        "app.size": 1.5,
    }
    shared.send(own.request(event("peeps.node", attributes)))
    answer = shared.get(f"/api/node/{one}")
    assert answer["node"]["wait"]["source"] == "app.py:3"
    assert answer["node"]["stack"] == [
        {"function": "read", "file": "app.py", "line": 3, "short": "app.py:3"},
        {"function": "acquire", "file": "lib.py", "line": None, "short": "lib.py"},
    ]
    assert answer["edges_out"][0]["dst"] == lock

    def rename(name: str, sequence: int) -> str:
        changed = attributes | {"peeps.node.name": name, "peeps.snapshot.sequence": sequence}
        shared.send(own.request(event("peeps.node", changed)))
        return shared.get(f"/api/node/{one}")["node"]["name"]

    assert rename("older", 4) == "reader"
    assert rename("newer", 6) == "newer"
    shared.send(own.request(event("peeps.node.gone", {"peeps.node.id": one, "peeps.snapshot.sequence": 7})))
    assert names(shared, own) == []


def test_a_late_readable_node_does_not_undo_a_snapshot(collector: Running) -> None:
    program = Program()
    one = node("one")
    collector.send(program.snapshot([one], key_frame=True))
    collector.send(program.snapshot([], gone=[one.id]))
    late = {
        "peeps.node.id": one.id,
        "peeps.created_at": 1,
        "peeps.source": "app.py:1",
        "peeps.snapshot.sequence": 1,
        "peeps.stream.id": f"{program.stream_id:x}",
    }
    collector.send(program.request(event("peeps.node", late)))
    assert names(collector) == []


def ended_states(collector: Running) -> list[str]:
    findings = collector.get("/api/findings?history=1")["findings"]
    return [finding["state"] for finding in findings if finding["state"] != "open"]


def test_no_all_clear_before_a_process_has_been_seen_twice(collector: Running) -> None:
    """As after a restart of the collector: the first that comes says only what has changed."""
    program, deadlock = Program(sequence=40), Deadlock()

    def verdict() -> dict[str, Any]:
        return collector.get("/api/findings")["verdict"]

    collector.send(program.snapshot([]))
    assert verdict()["sentence"].startswith("Cannot judge: shop (pid 4711): first look pending")
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))
    assert verdict()["sentence"].startswith("Cannot judge: shop (pid 4711): first look pending")
    said: list[bool] = []

    def found() -> bool:
        collector.send(program.snapshot([]))
        now = verdict()
        said.append(now["stuck"] or bool(now["cannot_judge"]))
        return now["stuck"]

    eventually(found)
    assert all(said)


def test_what_a_process_tells_itself_stands_without_a_word_of_the_first_look(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))
    collector.send(program.request(finding_event(deadlock.finding(), "open", blocked=31)))
    verdict = collector.get("/api/findings")["verdict"]
    assert (verdict["level"], verdict["cannot_judge"]) == ("PROVEN", [])


def test_after_a_gap_nothing_is_called_calm_until_the_next_key_frame(collector: Running) -> None:
    program = Program()

    def note() -> str:
        collector.send(program.snapshot([]))
        (process,) = collector.get("/api/processes")["processes"]
        return "; ".join(process["cannot_judge"])

    collector.send(program.snapshot([], key_frame=True))
    eventually(lambda: not note())
    program.sequence += 3
    assert note() == "3 snapshots were missed: the picture is incomplete until the next key frame"
    collector.send(program.snapshot([], key_frame=True))
    eventually(lambda: not note())
