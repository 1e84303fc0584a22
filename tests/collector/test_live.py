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


def findings(collector: Running, program: Program, history: bool = False) -> Any:
    """The verdict on one program, and its findings."""
    return collector.get(f"/api/findings?process={program.instance}{'&history=1' * history}")


def process(collector: Running, program: Program) -> dict[str, Any]:
    (found,) = (one for one in collector.get("/api/processes")["processes"] if one["id"] == program.instance)
    return found


@pytest.fixture
def own() -> Program:
    """A process that no other test has, so that they can have one collector."""
    return Program(instance=f"own-{next(_NUMBERS)}")


def test_a_deadlock_is_found_and_ends(shared: Running, own: Program) -> None:
    deadlock = Deadlock()
    nodes, edges = deadlock.graph()
    shared.send(own.snapshot(nodes, edges, key_frame=True))

    def stuck() -> bool:
        shared.send(own.snapshot([]))
        return bool(findings(shared, own)["verdict"]["stuck"])

    eventually(stuck)
    answer = findings(shared, own)
    assert answer["verdict"]["level"] == "PROVEN"
    assert answer["verdict"]["sentence"].startswith("DEADLOCK, PROVEN, 4")
    (finding,) = answer["findings"]
    assert finding["state"] == "open"
    assert finding["processes"] == [own.instance]
    assert set(finding["core"]) == {deadlock.a, deadlock.b, deadlock.db, deadlock.cache}
    assert finding["blocked"] == [deadlock.tail]
    assert finding["blocked_count"] == 1
    assert finding["nodes"].keys() == {*finding["core"], deadlock.tail}
    assert answer["calm"]["waiting"] == 3

    shared.send(own.snapshot([], gone=[node.id for node in nodes]))
    eventually(lambda: not findings(shared, own)["verdict"]["stuck"])
    assert findings(shared, own)["findings"] == []
    (ended,) = findings(shared, own, history=True)["findings"]
    assert ended["state"] == "resolved"
    changes = "SELECT DISTINCT change FROM finding_event WHERE finding = ? ORDER BY ALL"
    eventually(lambda: shared.sql(changes, ended["id"])[-1:] == [["resolved"]])


def test_deltas_change_the_graph_and_repetitions_do_not(shared: Running, own: Program) -> None:
    one, two = node("one"), node("two")
    first = own.snapshot([one, two], [Edge(EdgeKind.SPAWNED, one.id, two.id)], key_frame=True)
    shared.send(first)
    assert names(shared, own) == ["one", "two"]
    three = node("three")
    shared.send(own.snapshot([three], gone=[two.id]))
    assert names(shared, own) == ["one", "three"]

    def unchanged_by_a_repetition() -> bool:
        """The first time something else may have given it a new version: a verdict that was just looked for."""
        version = shared.get("/api/snapshot")["version"]
        shared.send(first)
        return http(f"http://{shared.api}/api/snapshot?if_version={version}").status == 304

    eventually(unchanged_by_a_repetition)
    assert names(shared, own) == ["one", "three"]


def test_a_key_frame_replaces_everything(shared: Running, own: Program) -> None:
    shared.send(own.snapshot([node("old")], key_frame=True))
    shared.send(own.snapshot([node("new")], key_frame=True))
    assert names(shared, own) == ["new"]


def test_a_gap_keeps_what_is_known_and_says_so(shared: Running, own: Program) -> None:
    shared.send(own.snapshot([node("one")], key_frame=True))
    own.snapshot([node("lost")])
    shared.send(own.snapshot([node("three")]))

    told = process(shared, own)
    assert names(shared, own) == ["one", "three"]
    assert told["missed"] == 1
    assert "missed" in told["coverage"][0]
    assert findings(shared, own)["not_answered"] == [own.instance]

    shared.send(own.snapshot([node("all")], key_frame=True))
    assert names(shared, own) == ["all"]

    def notes() -> list[str]:
        shared.send(own.snapshot([]))
        return process(shared, own)["coverage"]

    eventually(lambda: notes() == [])


def test_a_gap_hides_no_verdict_and_makes_none(shared: Running, own: Program) -> None:
    deadlock = Deadlock()
    nodes, edges = deadlock.graph()
    shared.send(own.snapshot([], key_frame=True))
    own.snapshot([])
    for _ in range(4):  # the same deadlock, but in a stream with a hole
        shared.send(own.snapshot(nodes, edges))
    findings(shared, own)
    assert not findings(shared, own)["verdict"]["stuck"]


def test_a_new_stream_forgets_the_old_one(shared: Running, own: Program) -> None:
    late = own.snapshot([node("before")], key_frame=True)
    shared.send(late)
    own.restart()
    shared.send(own.snapshot([node("after")], key_frame=True))
    assert names(shared, own) == ["after"]
    shared.send(late)
    assert names(shared, own) == ["after"]


def test_two_streams_under_one_identity_are_two_processes(shared: Running, own: Program) -> None:
    parent, child = own, Program(own.instance, stream_id=0xC41D)
    shared.send(parent.snapshot([node("parent")], key_frame=True))
    shared.send(child.snapshot([node("child")], key_frame=True))
    for _ in range(3):
        shared.send(parent.snapshot([node("p")]))
        shared.send(child.snapshot([node("c")]))
    other = f"{own.instance}/00000000000051ab"
    both = shared.get(f"/api/snapshot?process={own.instance}&process={other}")["nodes"]
    assert sorted(one["name"] for one in both) == ["c", "c", "c", "child", "p", "p", "p"]
    ids = [one["id"] for one in shared.get("/api/processes")["processes"]]
    assert [one for one in ids if one.partition("/")[0] == own.instance] == [own.instance, other]


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


def test_a_program_may_report_what_the_collector_cannot_see(shared: Running, own: Program) -> None:
    deadlock = Deadlock()
    shared.send(own.request(finding_event(deadlock.finding(), "open", blocked=31)))
    (finding,) = findings(shared, own)["findings"]
    assert (finding["level"], finding["blocked_count"], finding["processes"]) == ("PROVEN", 31, [own.instance])
    assert finding["evidence"][0]["hold_source"] == "app.py:45"
    shared.send(own.request(finding_event(deadlock.finding(), "resolved")))
    assert findings(shared, own)["findings"] == []


def test_a_refuted_finding_is_said_less_surely_from_then_on(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot(nodes, edges, key_frame=True))

    def level() -> list[str]:
        collector.send(program.snapshot([]))
        return [finding["level"] for finding in collector.get("/api/findings")["findings"]]

    eventually(lambda: level() == ["PROVEN"])
    collector.send(program.request(finding_event(deadlock.finding(), "refuted", refuted_by=deadlock.a)))
    assert ended_states(collector, program) == ["refuted"]
    eventually(lambda: level() == ["LIKELY"])  # of the same shape at the same lines
    eventually(lambda: ["refuted"] in collector.sql("SELECT change FROM finding_event"))


def test_a_finding_that_had_ended_may_still_be_refuted(collector: Running) -> None:
    program, deadlock = Program(), Deadlock()
    for state in ("open", "resolved", "refuted"):
        collector.send(program.request(finding_event(deadlock.finding(), state)))
    assert ended_states(collector, program) == ["refuted"]


def test_a_reported_finding_found_again_is_one_and_ends_with_its_wait(shared: Running, own: Program) -> None:
    deadlock = Deadlock()
    nodes, edges = deadlock.graph()
    shared.send(own.request(finding_event(deadlock.finding(), "open", blocked=31)))
    shared.send(own.snapshot(nodes, edges, key_frame=True))

    def found_again() -> bool:
        shared.send(own.snapshot([]))
        return findings(shared, own)["findings"][0]["blocked"] == [deadlock.tail]

    eventually(found_again)
    assert len(findings(shared, own)["findings"]) == 1
    shared.send(own.snapshot([], gone=[deadlock.a]))
    eventually(lambda: not findings(shared, own)["findings"])


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


def test_a_late_readable_node_does_not_undo_a_snapshot(shared: Running, own: Program) -> None:
    one = node("one")
    shared.send(own.snapshot([one], key_frame=True))
    shared.send(own.snapshot([], gone=[one.id]))
    late = {
        "peeps.node.id": one.id,
        "peeps.created_at": 1,
        "peeps.source": "app.py:1",
        "peeps.snapshot.sequence": 1,
        "peeps.stream.id": f"{own.stream_id:x}",
    }
    shared.send(own.request(event("peeps.node", late)))
    assert names(shared, own) == []


def ended_states(collector: Running, program: Program) -> list[str]:
    found = findings(collector, program, history=True)["findings"]
    return [finding["state"] for finding in found if finding["state"] != "open"]


def test_no_all_clear_before_a_process_has_been_seen_twice(shared: Running, own: Program) -> None:
    """As after a restart of the collector: the first that comes says only what has changed."""
    deadlock = Deadlock()
    own.sequence = 40

    def verdict() -> dict[str, Any]:
        return findings(shared, own)["verdict"]

    shared.send(own.snapshot([]))
    assert verdict()["sentence"].startswith("Cannot judge: shop (pid 4711): first look pending")
    shared.send(own.snapshot(*deadlock.graph(), key_frame=True))
    assert verdict()["sentence"].startswith("Cannot judge: shop (pid 4711): first look pending")
    said: list[bool] = []

    def found() -> bool:
        shared.send(own.snapshot([]))
        now = verdict()
        said.append(now["stuck"] or bool(now["cannot_judge"]))
        return now["stuck"]

    eventually(found)
    assert all(said)


def test_what_a_process_tells_itself_stands_without_a_word_of_the_first_look(shared: Running, own: Program) -> None:
    deadlock = Deadlock()
    shared.send(own.snapshot(*deadlock.graph(), key_frame=True))
    shared.send(own.request(finding_event(deadlock.finding(), "open", blocked=31)))
    verdict = findings(shared, own)["verdict"]
    assert (verdict["level"], verdict["cannot_judge"]) == ("PROVEN", [])


def test_after_a_gap_nothing_is_called_calm_until_the_next_key_frame(shared: Running, own: Program) -> None:
    def note() -> str:
        shared.send(own.snapshot([]))
        return "; ".join(process(shared, own)["cannot_judge"])

    shared.send(own.snapshot([], key_frame=True))
    eventually(lambda: not note())
    own.sequence += 3
    assert note() == "3 snapshots were missed: the picture is incomplete until the next key frame"
    shared.send(own.snapshot([], key_frame=True))
    eventually(lambda: not note())
