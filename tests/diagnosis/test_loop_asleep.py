# SPDX-License-Identifier: Apache-2.0
"""Loops that sleep although something is due on them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief


def _world(may_wake: bool) -> World:
    world = World()
    world.thread("MainThread", state="idle", peeps__loop__asleep_since=START, peeps__loop__may_wake=may_wake)
    ready = world.task("consumer", thread="MainThread")
    world.nodes[ready] = replace(world.nodes[ready], state="runnable")
    world.task("parent", ready, thread="MainThread", operation="task")
    return world


@pytest.mark.parametrize(
    ("may_wake", "level", "end"),
    [(False, "LIKELY", "nobody has woken it"), (True, "SUSPECT", "nobody has woken it, and only something else may")],
)
def test_a_task_is_ready_and_its_loop_sleeps(may_wake: bool, level: str, end: str) -> None:
    world = _world(may_wake)
    assert brief(Diagnoser().look(world.graph(), START + int(1.9 * SECOND))) == []
    (finding,) = Diagnoser().look(world.graph(), START + 2 * SECOND)
    assert (finding.kind, finding.level, finding.title) == (
        "lost_wakeup",
        level,
        f"consumer is ready to run at app/main.py:1, but the event loop of MainThread sleeps: {end}",
    )
    assert (finding.core, finding.blocked) == (["task:consumer", "thread:MainThread"], ["task:parent"])
    assert "call_soon_threadsafe" in finding.advice


def test_a_callback_that_is_no_step_of_a_task() -> None:
    world = World()
    world.thread("MainThread", state="idle", peeps__loop__asleep_since=START, peeps__loop__may_wake=False)
    world.resource(NodeKind.EVENT, "stop", providers=Providers.OPEN)
    world.task("main", "event:stop", thread="MainThread", operation="event.wait")
    (finding,) = Diagnoser().look(world.graph(), START + 2 * SECOND)
    assert finding.title == "a callback is ready to run, but the event loop of MainThread sleeps: nobody has woken it"


@pytest.mark.parametrize(
    ("may_wake", "level", "end"), [(False, "LIKELY", ""), (True, "SUSPECT", ", and only something else may")]
)
def test_a_loop_that_another_thread_told_to_stop(may_wake: bool, level: str, end: str) -> None:
    world = World()
    loop = world.thread(
        "loop",
        state="idle",
        peeps__loop__asleep_since=START,
        peeps__loop__may_wake=may_wake,
        peeps__loop__told_to_stop=True,
    )
    world.thread("MainThread", loop, operation="thread.join")
    assert Diagnoser().look(world.graph(), START + int(1.9 * SECOND)) == []
    (finding,) = Diagnoser().look(world.graph(), START + 2 * SECOND)
    assert (finding.kind, finding.level) == ("lost_wakeup", level)
    assert finding.title == (
        "the event loop of thread loop was told to stop, but sleeps: `loop.stop()` from another thread does not wake it"
        f"{end}; MainThread waits at app/work.py:2"
    )
    assert (finding.core, finding.blocked) == (["thread:loop"], ["thread:MainThread"])
    assert "call_soon_threadsafe(loop.stop)" in finding.advice
