# SPDX-License-Identifier: Apache-2.0
"""A main task or thread that waits for an event that nobody was ever to set, while others do the work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel.model import Edge, EdgeKind, NodeKind
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher import runs_until_told as module
from peeps_otel.watcher.runs_until_told import last_name, runs_until_told
from tests.diagnosis.world import START, World

_STOP = "event:stop"


def _serving(waiter: str = "MainThread", kind: NodeKind = NodeKind.EVENT) -> tuple[Observation, str]:
    """Somebody waits for `stop`; a worker is there too."""
    world = World()
    stop = world.resource(kind, "stop")
    thread = world.thread(waiter, stop, operation="event.wait")
    world.thread("worker", state="idle")
    graph = world.graph()
    return Observation(dict(graph.nodes), {thread: (Edge(EdgeKind.NEEDS, thread, stop),)}, []), thread


def test_the_main_thread_runs_until_it_is_told() -> None:
    observation, main = _serving()
    assert runs_until_told(observation, _STOP, {main}, no_code=True, by_open_code=False)


def test_no_other_thread_and_not_if_code_is_there_that_was_to_end_it() -> None:
    observation, main = _serving()
    assert not runs_until_told(observation, _STOP, {main}, no_code=False, by_open_code=False)
    observation, worker = _serving("loader")
    assert not runs_until_told(observation, _STOP, {worker}, no_code=True, by_open_code=False)


@pytest.mark.parametrize("listening", [True, False])
def test_what_a_request_may_lead_to_is_as_good_where_somebody_may_connect(
    monkeypatch: pytest.MonkeyPatch, listening: bool
) -> None:
    monkeypatch.setattr(module, "listens", lambda: listening)
    observation, main = _serving()
    assert runs_until_told(observation, _STOP, {main}, no_code=False, by_open_code=True) is listening


def test_a_result_an_event_of_several_and_a_main_thread_that_is_alone_or_waited_for_are_none() -> None:
    observation, main = _serving(kind=NodeKind.FUTURE)
    assert not runs_until_told(observation, "future:stop", {main}, no_code=True, by_open_code=False)
    observation, main = _serving()
    assert not runs_until_told(observation, _STOP, {main, "thread:worker"}, no_code=True, by_open_code=False)
    observation.edges["thread:worker"] = (Edge(EdgeKind.NEEDS, "thread:worker", main),)
    assert not runs_until_told(observation, _STOP, {main}, no_code=True, by_open_code=False)
    observation, main = _serving()
    del observation.nodes["thread:worker"]
    assert not runs_until_told(observation, _STOP, {main}, no_code=True, by_open_code=False)


def test_of_tasks_it_is_the_first_of_its_loop() -> None:
    world = World()
    stop = world.resource(NodeKind.EVENT, "stop")
    world.thread("loop", state="idle")
    for name, made in (("main", START), ("tick", START + 1)):
        world.task(name, stop, operation="event.wait", thread="loop")
        world.nodes[f"task:{name}"] = replace(world.nodes[f"task:{name}"], created_at=made)
    observation = Observation(dict(world.graph().nodes), {}, [])
    assert runs_until_told(observation, stop, {"task:main"}, no_code=True, by_open_code=False)
    assert not runs_until_told(observation, stop, {"task:tick"}, no_code=True, by_open_code=False)


def test_a_name_is_that_of_a_variable_or_attribute() -> None:
    node = World().nodes
    world = World()
    world.resource(NodeKind.EVENT, "app.stop")
    node = world.nodes["event:app.stop"]
    assert last_name(node) == "stop"
    assert last_name(replace(node, name="")) == ""
    assert last_name(replace(node, name="threading.Event (app.py:3)")) == ""
