# SPDX-License-Identifier: Apache-2.0
"""No sender can silence, change or impersonate another, nor stop everything by one number."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from peeps_collector.decode.canonical import Rejected
from peeps_collector.decode.logs import FindingRecord, NodeRecord
from peeps_collector.decode.resource import process_of
from peeps_collector.decode.silence import SilenceRecord
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.graph.process import State
from peeps_collector.graph.silence import Silence
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model import EvidenceStep, Finding, FindingKind, Level, Node, NodeKind
from peeps_otel.model.seal import finding_seal
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.ulid import ulid_bytes
from peeps_otel.model.wire_decoder import WireError
from tests.collector.collector_support import new_id, resource

SECOND = 1_000_000_000
VICTIM = process_of(resource("victim"))


def node(node_id: str = "") -> Node:
    return Node(node_id or new_id(NodeKind.TASK), NodeKind.TASK, "n", 5, "a.py:1")


def message(sequence: int, secret: int, *ids: str, stream: int = 7, key_frame: bool = True) -> Message:
    made = Message(stream_id=stream, sequence=sequence, time_unix_nano=time.time_ns(), key_frame=key_frame)
    made.secret = secret
    made.strings.extend(["", "lock.acquire", "a.py:1"])
    made.cost.interval_ns = SECOND
    made.nodes.local.extend(range(1, len(ids) + 1))
    made.nodes.ulid = b"".join(ulid_bytes(one.partition(":")[2]) for one in ids)
    made.nodes.created_at.extend([5] * len(ids))
    return made


class World:
    def __init__(self) -> None:
        self.live = LiveGraph(RowBuffer(10_000))

    def send(self, made: Message, who: str = "victim", now_ns: int = SECOND) -> list[str]:
        """Why rows were left out."""
        steps = self.live.snapshot_steps(process_of(resource(who)), made.SerializeToString(), now_ns)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value

    def nodes(self, who: str = "victim") -> set[str]:
        return set(self.live.processes()[who].nodes)


def test_one_bad_row_costs_itself_and_is_named_by_column_and_row() -> None:
    world, good, bad = World(), new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    made = message(1, 1, good, bad)
    made.nodes.wait_operation.extend([1, 1])
    made.nodes.wait_since.extend([7, 2**63])
    assert world.send(made) == [
        f"peeps.snapshot: nodes row 1: wait_since={2**63} is not from 0 to {2**63 - 1}",
    ]
    assert world.nodes() == {good}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", 200),
        ("name", 3),
        ("created_at", 2**64 - 1),
        ("source", 99),
        ("state", 99),
        ("providers", 4),
        ("stack", 1),
        ("wait_operation", 3),
        ("wait_deadline", 2**63),
        ("wait_source", 99),
    ],
)
def test_every_number_has_a_range(column: str, value: int) -> None:
    world, good, bad = World(), new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    made = message(1, 1, good, bad)
    if column != "wait_operation":
        made.nodes.wait_operation.extend([1, 1])
    del getattr(made.nodes, column)[:]
    getattr(made.nodes, column).extend([0, value])
    (reason,) = world.send(made)
    assert f"nodes row 1: {column}={value}" in reason
    assert world.nodes() == {good}


def test_an_empty_key_frame_under_anothers_name_erases_nothing() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    world.send(message(1, 0xBAD, stream=99))
    world.send(message(2, 0xBAD, stream=7))  # also with the right stream
    with pytest.raises(WireError, match="belongs to another sender"):
        world.send(message(2**62, 0, stream=7, key_frame=False))
    assert world.nodes() == {own}
    assert world.live.processes()["victim"].sequence == 1
    world.send(message(2, 0xA, own, key_frame=False))
    assert world.live.processes()["victim"].sequence == 2


def test_a_program_that_starts_again_under_its_name_takes_over_once_the_first_is_gone() -> None:
    world, old, new = World(), new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, old))
    world.live.expire(100 * SECOND)
    assert world.live.processes()["victim"].state is State.GONE
    world.send(message(1, 0xB, new, stream=8), now_ns=101 * SECOND)
    assert world.nodes() == {new}


def test_a_sequence_does_not_jump_for_ever_ahead() -> None:
    world = World()
    world.send(message(1, 0, new_id(NodeKind.TASK)))
    with pytest.raises(WireError, match="too far ahead"):
        world.send(message(2**62, 0, key_frame=False))
    world.send(message(2, 0, key_frame=False))
    assert world.live.processes()["victim"].sequence == 2


def test_node_ids_live_inside_their_process() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    world.send(message(1, 0xB, own, stream=9), who="evil")
    assert world.nodes() == {own}
    (renamed,) = world.nodes("evil")
    assert renamed != own
    assert world.live.view().owner == {own: "victim", renamed: "evil"}
    with pytest.raises(Rejected, match="this id is of another process"):
        world.live.apply_node(process_of(resource("evil2")), NodeRecord(node(own), [], None, None, 5), SECOND)


def test_an_id_that_is_named_twice_is_one_node() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    (reason,) = world.send(message(1, 1, own, own))
    assert "nodes row 1: local=2 or its ulid is named twice" in reason
    assert world.nodes() == {own}


def test_who_says_that_another_ended_is_believed_once_it_is_silent() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    said = SilenceRecord("defunct", "it ended", "", (), 1, None, 1)
    Silence(world.live).reported(VICTIM, said, SECOND)
    world.live.expire(2 * SECOND)
    assert world.nodes() == {own}
    world.live.expire(20 * SECOND)
    assert world.live.processes()["victim"].farewell == "it ended"


def test_a_large_key_frame_is_decoded_in_steps_whose_number_grows_with_it() -> None:
    def steps(size: int) -> int:
        world = World()
        made = message(1, 1, *(new_id(NodeKind.TASK) for _ in range(size)))
        body = made.SerializeToString()
        return sum(1 for _ in world.live.snapshot_steps(VICTIM, body, SECOND))

    few, more, most = steps(2_000), steps(20_000), steps(38_000)
    assert more - few > 50
    assert abs((most - more) - (more - few)) < 10, "as many more for as many more rows"


def test_a_clock_that_is_set_ahead_ends_nobody() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    world.live.clock_jumped(3600 * SECOND)
    world.live.expire(3602 * SECOND)
    assert world.live.processes()["victim"].state is State.LIVE


def test_two_senders_without_an_instance_id_are_two_processes() -> None:
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    from tests.collector.collector_support import key_values

    one, two = (
        process_of(Resource(attributes=key_values({"service.name": "shop", "k8s.pod.name": pod}))) for pod in "ab"
    )
    assert one.id != two.id


def said(
    *core: str, secret: int = 0, level: Level = Level.PROVEN, state: str = "open", finding_id: str = "deadlock:1"
) -> FindingRecord:
    finding = Finding(finding_id, FindingKind.DEADLOCK, level, f"by {secret:x}", 1, list(core))
    return FindingRecord(finding, 0, state, "", finding_seal(secret, finding, list(core), state, 1), 1)


def told(findings: FindingRegistry) -> list[tuple[str, str, list[str], list[str]]]:
    entries = sorted((entry.to_json() for entry in findings.open()), key=lambda entry: entry["id"])
    return [(entry["id"], entry["level"], entry["reported_by"], entry["processes"]) for entry in entries]


def test_a_process_does_not_speak_of_anothers_nodes_and_a_finding_says_who_reports_it() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    findings = FindingRegistry(world.live, RowBuffer(100), [])
    with pytest.raises(Rejected, match=f"its member {own} is of another process"):
        findings.reported("evil", said(own, secret=0xA), SECOND)
    link = EvidenceStep(own, own, None, 1, "t")
    by_evidence = said(secret=0xB)
    by_evidence.finding.evidence.append(link)
    with pytest.raises(Rejected, match=f"its member {own} is of another process"):
        findings.reported("evil", by_evidence, SECOND)
    assert told(findings) == []
    findings.reported("victim", said(own, secret=0xA), SECOND)
    assert told(findings) == [("deadlock:1", "PROVEN", ["victim"], ["victim"])]


def test_who_does_not_know_the_secret_of_the_stream_says_nothing_under_its_name() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    findings = FindingRegistry(world.live, RowBuffer(100), [])
    for state in ("open", "resolved", "refuted"):
        with pytest.raises(Rejected, match=r"finding deadlock:1: peeps\.finding\.seal is missing or wrong"):
            findings.reported("victim", said(own, secret=0xBAD, state=state), SECOND)
    raised = replace(said(own, secret=0xA, level=Level.SUSPECT), finding=said(own).finding)
    with pytest.raises(Rejected, match="seal"):
        findings.reported("victim", raised, SECOND)
    assert told(findings) == []
    assert not world.live.apply_node(VICTIM, NodeRecord(node(own), [], 7, 2, 5), SECOND)
    assert world.live.processes()["victim"].nodes[own].name == ""


def test_what_was_said_under_a_name_before_its_stream_was_known_is_withdrawn() -> None:
    world, own = World(), new_id(NodeKind.TASK)
    findings = FindingRegistry(world.live, RowBuffer(100), [])
    world.live.seen(VICTIM, SECOND)
    findings.reported("victim", said(own, secret=0xBAD), SECOND)
    findings.reported("victim", said(own, secret=0xA, finding_id="deadlock:2"), SECOND)
    world.live.seen(process_of(resource("evil")), SECOND)
    findings.reported("evil", said(own, secret=0xBAD, finding_id="deadlock:3"), SECOND)
    made = message(1, 0xA, own)
    made.time_unix_nano = 1
    world.send(made)
    findings.check_reports(2 * SECOND)
    assert told(findings) == [("deadlock:2", "PROVEN", ["victim"], ["victim"])]


def test_the_id_of_anothers_finding_gives_no_say_in_it() -> None:
    world, own, other = World(), new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    world.send(message(1, 0xB, other, stream=9), who="evil")
    findings = FindingRegistry(world.live, RowBuffer(100), [])
    ours = Finding("deadlock:1", FindingKind.DEADLOCK, Level.LIKELY, "ours", 1, [own])
    findings.update_from_diagnosis([ours], {}, SECOND)
    findings.reported("evil", said(other, secret=0xB), SECOND)
    findings.reported("evil", said(other, secret=0xB, state="refuted"), SECOND)
    findings.update_from_diagnosis([ours], {}, SECOND)
    assert told(findings) == [("deadlock:1", "LIKELY", ["collector"], ["victim"])]
    findings.reported("evil", said(other, secret=0xB), SECOND)
    assert told(findings) == [
        ("deadlock:1", "LIKELY", ["collector"], ["victim"]),
        ("deadlock:1@evil", "PROVEN", ["evil"], ["evil"]),
    ]
    findings.reported("victim", said(own, secret=0xA), SECOND)
    assert told(findings)[0] == ("deadlock:1", "PROVEN", ["collector", "victim"], ["victim"])


def test_a_forked_copy_under_the_same_name_speaks_for_itself() -> None:
    world, own, copied = World(), new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    world.send(message(1, 0xA, own))
    world.send(message(1, 0xF, copied, stream=0x99))
    findings = FindingRegistry(world.live, RowBuffer(100), [])
    findings.reported("victim", said(copied, secret=0xF), SECOND)
    copy = f"victim/{0x99:016x}"
    assert told(findings) == [("deadlock:1", "PROVEN", [copy], [copy])]
