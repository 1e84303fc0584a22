# SPDX-License-Identifier: Apache-2.0
"""Settings, the byte queue, and what keeps a verdict of many processes honest."""

from __future__ import annotations

import pytest

from peeps_collector.config import Address, Config, ConfigError
from peeps_collector.decode.resource import process_of
from peeps_collector.diagnose import Confirmation, Diagnosis, pause_after
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.receive.request import Budget, Encoding, Request, Signal
from peeps_collector.receive.turns import Turns
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model import Finding, FindingKind, Graph, Level, Node, NodeKind
from tests.collector.collector_support import Program, apply_snapshot, logs_request, new_id, resource

SECOND = 1_000_000_000


def test_defaults() -> None:
    config = Config.from_environment({})
    assert [str(a) for a in (config.listen, config.otlp_grpc, config.otlp_http, config.api, config.explorer)] == [
        "127.0.0.1:9119",
        "127.0.0.1:4317",
        "127.0.0.1:4318",
        "127.0.0.1:9130",
        "127.0.0.1:9120",
    ]
    assert (config.database, config.retention_hours, config.max_request_bytes) == ("peeps.duckdb", 24.0, 64 << 20)


def test_a_dear_look_is_taken_less_often_but_soon_enough() -> None:
    assert [pause_after(cost_s) for cost_s in (0.0, 0.01, 0.03, 0.05)] == [0.2, 0.2, 0.24, 0.4]
    assert [pause_after(cost_s) for cost_s in (0.1, 0.2, 9.0)] == [0.45, 0.8, 2.0]


def test_settings() -> None:
    config = Config.from_environment(
        {
            "PEEPS_OTLP_GRPC": "OFF",
            "PEEPS_LISTEN": "[::1]:0",
            "PEEPS_API": "0.0.0.0:1",
            "PEEPS_INSECURE": "1",
            "PEEPS_API_HOSTS": "a, b",
        }
    )
    assert config.otlp_grpc is None
    assert config.listen == Address("::1", 0)
    assert str(config.listen) == "[::1]:0"
    assert config.api_hosts == ("a", "b")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PEEPS_LISTEN", "9119", "is not host:port"),
        ("PEEPS_LISTEN", "127.0.0.1:70000", "is not host:port"),
        ("PEEPS_API", "example.org:80", "is not a loopback address"),
        ("PEEPS_OTLP_HTTP", "0.0.0.0:4318", "PEEPS_INSECURE=1"),
        ("PEEPS_QUEUE_BYTES", "0", "greater than 0"),
        ("PEEPS_RETENTION_HOURS", "soon", "number of hours"),
        ("PEEPS_PROTOCOL_TRACE", "maybe", "neither 0 nor 1"),
    ],
)
def test_settings_that_cannot_be_used(variable: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Config.from_environment({variable: text})
    assert variable in str(caught.value)


def test_the_budget_is_of_bytes_and_one_request_always_fits() -> None:
    budget = Budget(10)
    assert budget.take(50), "one request always fits"
    assert budget.take(25, already=50), "also while it grows"
    assert not budget.take(1)
    assert budget.refused == 1
    budget.give(75)
    assert budget.take(10)
    assert budget.bytes == 10


def request(sender: str, body: bytes) -> Request:
    return Request(Signal.LOGS, Encoding.PROTOBUF, body, lambda _outcome: None, sender)


def test_senders_are_served_in_turn_and_each_in_its_own_order() -> None:
    turns = Turns()
    for sender, body in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4")):
        turns.put(request(sender, body))
    served: list[bytes] = []
    turns.close()
    lengths = {b"1": 3, b"2": 1, b"3": 1, b"4": 2}
    while (one := turns.next()) is not None:
        served.append(one.body)
        lengths[one.body] -= 1
        if not lengths[one.body]:
            turns.over(one)
    assert served == [b"1", b"3", b"4", b"1", b"4", b"1", b"2"]


def finding(core: list[str], level: Level = Level.PROVEN) -> Finding:
    return Finding("deadlock:1", FindingKind.DEADLOCK, level, "t", 1, core)


def test_a_finding_waits_until_every_member_process_has_moved_on() -> None:
    confirmation, found, owner = Confirmation(), [finding(["x", "y"])], {"x": "a", "y": "b"}
    assert confirmation.filter([], owner, {"a": 1, "b": 1}) == []
    assert confirmation.filter(found, owner, {"a": 2, "b": 1}) == [], "b is still the old picture"
    assert confirmation.filter(found, owner, {"a": 3, "b": 1}) == []
    assert confirmation.filter(found, owner, {"a": 3, "b": 2}) == found
    assert confirmation.filter([], owner, {"a": 4, "b": 3}) == []
    assert confirmation.filter(found, owner, {"a": 5, "b": 3}) == [], "it begins again"


class Looks:
    """An engine that counts its looks."""

    def __init__(self) -> None:
        self.graphs: list[Graph] = []

    def look(self, graph: Graph, now_ns: int) -> list[Finding]:
        self.graphs.append(graph)
        return []


def test_the_engine_looks_only_at_something_new() -> None:
    rows = RowBuffer(1000)
    live, looks = LiveGraph(rows), Looks()
    diagnosis = Diagnosis(live, FindingRegistry(live, rows, []), looks, clock=lambda: 2 * SECOND)
    program = Program()
    info = process_of(resource())

    def send(nodes: list[Node]) -> None:
        record = program.snapshot(nodes).resource_logs[0].scope_logs[0].log_records[0]
        apply_snapshot(live, info, record.body.bytes_value, SECOND)

    diagnosis.step()
    assert len(looks.graphs) == 0
    send([Node(new_id(NodeKind.TASK), NodeKind.TASK, "n", 1, "a.py:1")])
    diagnosis.step()
    diagnosis.step()
    assert len(looks.graphs) == 1
    send([])
    diagnosis.step()
    assert [len(graph.nodes) for graph in looks.graphs] == [1, 1]
    program.sequence += 1  # one is lost
    send([])
    diagnosis.step()
    assert len(looks.graphs[-1].nodes) == 0, "an incomplete picture is not judged"


def test_a_process_falls_silent_and_goes() -> None:
    rows = RowBuffer(1000)
    live = LiveGraph(rows)
    program = Program(interval_ns=SECOND)
    info = process_of(resource())
    record = program.snapshot([Node(new_id(NodeKind.TASK), NodeKind.TASK, "n", 1, "a.py:1")], key_frame=True)
    apply_snapshot(live, info, record.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value, SECOND)

    def state_after(seconds: int) -> str:
        live.expire(SECOND + seconds * SECOND)
        return live.processes()[info.id].state

    assert [state_after(s) for s in (0, 5, 6, 60, 61)] == ["live", "live", "silent", "silent", "gone"]
    assert live.view().nodes == {}
    assert live.not_answered() == []
    assert [row[3] for row in rows.take()[0]["node_change"].tuples] == ["upsert", "gone"]
    live.expire(5000 * SECOND)
    assert live.processes() == {}
    assert logs_request().resource_logs


def test_the_collector_reads_its_own_rules() -> None:
    config = Config.from_environment({"PEEPS_RULES": "-order_risk,loop_blocked:3s"})
    assert config.rules is not None
    assert (config.rules.off, config.rules.values) == ({"order_risk"}, {"loop_blocked": {"stalled": 3 * SECOND}})
    assert Config.from_environment({}).rules is None
    with pytest.raises(ConfigError) as raised:
        Config.from_environment({"PEEPS_RULES": "-deadlok"})
    said = "PEEPS_RULES='-deadlok' is wrong: '-deadlok': rule 'deadlok' is not known; did you mean deadlock?"
    assert str(raised.value) == said
