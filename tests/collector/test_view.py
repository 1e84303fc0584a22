# SPDX-License-Identifier: Apache-2.0
"""A view that is made out of the one before is the view that is made of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings

from peeps_collector.decode.logs import GoneRecord, NodeRecord
from peeps_collector.decode.resource import process_of
from peeps_collector.graph.live import LiveGraph
from peeps_collector.graph.view import View
from peeps_collector.store.buffer import RowBuffer
from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.report.movers import Movers, counted
from tests.collector.collector_support import Program, apply_snapshot, new_id, resource
from tests.collector.test_snapshot_columns import Story, events
from tests.support.examples import examples

SECOND = 1_000_000_000


def parts(view: View) -> tuple[Mapping[str, Node], dict[str, set[Edge]], Mapping[str, str]]:
    return view.nodes, {node: set(edges) for node, edges in view.out.items()}, view.owner


def movers_of(view: View) -> Movers:
    return counted(list(view.nodes.values()), view.out)


def by_id(movers: Movers) -> list[Node]:
    return sorted(movers.doubtful, key=lambda node: node.id)


@given(events())
@settings(max_examples=examples(200), deadline=None)
def test_a_view_after_each_change_is_as_one_at_the_end(story: list[Message | NodeRecord | GoneRecord]) -> None:
    for few in (0, 1 << 60):
        watched, unseen = Story(few), Story(few, looks=False)
        for event in story:
            watched.apply(event)
            unseen.apply(event)
        view = watched.live.view()
        assert parts(view) == parts(unseen.live.view())
        assert view.movers is not None
        anew = movers_of(view)
        assert replace(view.movers, doubtful=by_id(view.movers)) == replace(anew, doubtful=by_id(anew))


def test_a_parent_has_its_children_whoever_comes_first_and_until_it_ends() -> None:
    live, program = LiveGraph(RowBuffer(1_000_000)), Program()
    parent = Node(new_id(NodeKind.TASK), NodeKind.TASK, "parent", 1, "a.py:1")
    child = Node(
        new_id(NodeKind.TASK), NodeKind.TASK, "child", 2, "a.py:2", attributes={semconv.TASK_PARENT: parent.id}
    )
    spawned = Edge(EdgeKind.SPAWNED, parent.id, child.id, 2, "a.py:2")

    def after(nodes: list[Node], gone: list[str] | None = None, edges: list[Edge] | None = None) -> View:
        record = program.snapshot(nodes, edges, gone).resource_logs[0].scope_logs[0].log_records[0]
        apply_snapshot(live, process_of(resource()), record.body.bytes_value, SECOND)
        return live.view()

    first = after([child])
    assert parent.id not in first.out
    both = after([parent])
    assert both.out[parent.id] == (spawned,)
    waits = Edge(EdgeKind.NEEDS, parent.id, child.id, 3)
    assert after([replace(parent, name="renamed")], edges=[waits]).out[parent.id] == (waits, spawned)
    assert after([], gone=[child.id]).out == {parent.id: (waits,)}
    assert after([child], gone=[parent.id]).out == {child.id: ()}
    assert both.nodes == {parent.id: parent, child.id: child}, "a view stays as it was"
    assert both.out == {parent.id: (spawned,), child.id: ()}


def test_whose_each_node_is_stays_known_while_thousands_come_and_go() -> None:
    live, program = LiveGraph(RowBuffer(1_000_000)), Program()
    info = process_of(resource())
    for round_ in range(4):
        tasks = [Node(new_id(NodeKind.TASK), NodeKind.TASK, f"{round_}-{n}", 1, "app.py:1") for n in range(700)]
        request = program.snapshot(tasks, key_frame=not round_)
        body = request.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value
        apply_snapshot(live, info, body, 1 + round_)
        view = live.view()
        assert set(view.owner.items()) == {(one, info.id) for one in view.nodes}
        assert all(view.owner[one] == info.id for one in view.nodes)
