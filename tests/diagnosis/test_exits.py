# SPDX-License-Identifier: Apache-2.0
"""It has ended, but does not exit: what is stuck is told as what keeps the program."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel.diagnosis import Diagnoser, RuleSettings
from peeps_otel.model import Edge, EdgeKind, FindingKind, Frame, NodeKind, Providers, own_line
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_LONG = 3 * SECOND


def _worker_in_a_lost_lock(ending: str | None = "the interpreter", waits_for_it: bool = True) -> World:
    world = World()
    world.resource(NodeKind.LOCK, "shared", providers=Providers.OPEN)
    world.nodes["lock:shared"].attributes["peeps.lock.locked"] = True
    world.thread("worker", "lock:shared")
    attributes = {} if ending is None else {"peeps__thread__ending": ending}
    targets = ["thread:worker"] if waits_for_it else []
    node = world.thread("MainThread", *targets, operation="interpreter.shutdown")
    world.nodes[node].attributes.update({key.replace("__", "."): value for key, value in attributes.items()})
    return world


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        ("the interpreter", "the interpreter waits for it"),
        ("atexit", "a function of atexit waits for it"),
        ("multiprocessing", "the end of multiprocessing waits for it"),
        ("shutdown_default_executor", "the end of the loop's default executor waits for it"),
        ("something new", "its end waits for it"),
    ],
)
def test_who_waits_for_it_is_said(ending: str, what: str) -> None:
    assert brief(diagnose(_worker_in_a_lost_lock(ending), after=_LONG)) == [
        (
            "never_exits",
            "SUSPECT",
            "the program has ended, but does not exit: thread worker waits for Lock shared, but nobody who is alive is "
            f"known to hold it; {what}",
        )
    ]


def test_it_opens_at_the_line_of_what_keeps_the_program() -> None:
    (finding,) = diagnose(_worker_in_a_lost_lock(), after=_LONG)
    assert finding.look_at == "/srv/shop/app/work.py:2"
    assert finding.core == ["thread:worker", "lock:shared"]
    assert finding.blocked == ["thread:MainThread"]
    assert finding.advice.startswith("End it before the program ends, by an event or a last item; a daemon thread is")


@pytest.mark.parametrize(("ending", "waits_for_it"), [(None, True), ("the interpreter", False)])
def test_without_an_end_that_waits_for_it_it_is_what_it_was(ending: str | None, waits_for_it: bool) -> None:
    (finding,) = diagnose(_worker_in_a_lost_lock(ending, waits_for_it), after=_LONG)
    assert finding.kind is FindingKind.LOCK_STARVED


def test_a_task_that_ignores_its_cancellation_when_the_loop_is_closed() -> None:
    world = World()
    world.thread("MainThread", state="idle", peeps__thread__ending="asyncio.run")
    world.resource(NodeKind.EVENT, "stop", providers=Providers.OPEN)
    world.task("listener", "event:stop", operation="event.wait", thread="MainThread", peeps__task__cancel_requests=1)
    diagnoser = Diagnoser()
    start = diagnose(world, after=SECOND, diagnoser=diagnoser)
    assert start == []
    (finding,) = diagnoser.look(world.graph(), 1_000 * SECOND + 40 * SECOND)
    assert (finding.kind, finding.level.value) == (FindingKind.NEVER_EXITS, "SUSPECT")
    assert finding.title == (
        "the program has ended, but does not exit: listener, started at app/main.py:1, was cancelled, but still waits "
        "for Event stop at app/work.py:3; asyncio.run() waits for it"
    )


def test_a_deadlock_stays_a_deadlock() -> None:
    world = World()
    world.lock("a", "thread:one")
    world.lock("b", "thread:two")
    world.thread("one", "lock:b")
    world.thread("two", "lock:a")
    world.thread("MainThread", "thread:one", operation="interpreter.shutdown", peeps__thread__ending="the interpreter")
    (finding,) = diagnose(world)
    assert finding.kind is FindingKind.DEADLOCK


def test_switched_off_it_is_what_it_was() -> None:
    diagnoser = Diagnoser(RuleSettings(off=frozenset({"never_exits"})))
    (finding,) = diagnose(_worker_in_a_lost_lock(), after=_LONG, diagnoser=diagnoser)
    assert finding.kind is FindingKind.LOCK_STARVED


def _ended_before_its_queue(feeder: bool) -> World:
    world = World()
    pipe = world.resource(NodeKind.IO, "fd 7", providers=Providers.OPEN, peeps__resource__type="os.pipe")
    world.nodes[pipe].attributes |= {"peeps.io.unmoved_since": START, "peeps.could_end.asked": START}
    function, file = ("Queue._feed", "/lib/multiprocessing/queues.py") if feeder else ("write", "/srv/shop/log.py")
    world.thread("QueueFeederThread", pipe, operation="file.write")
    node = world.nodes["thread:QueueFeederThread"]
    world.nodes[node.id] = replace(node, stack=(Frame(function, file, 7, own_line.PYTHON if feeder else ""),))
    world.thread("MainThread", "thread:QueueFeederThread", operation="thread.join")
    world.nodes["thread:MainThread"].attributes["peeps.thread.ending"] = "multiprocessing"
    world.nodes["thread:MainThread"].attributes["peeps.thread.children_died"] = (
        "w (pid 9), which ended with exit code 1"
    )
    world.edges.append(Edge(EdgeKind.COULD_END, pipe, "thread:MainThread"))
    return world


def test_a_ring_with_the_end_of_the_program_is_what_keeps_it() -> None:
    assert brief(diagnose(_ended_before_its_queue(feeder=False), after=_LONG))[0] == (
        "never_exits",
        "LIKELY",
        "the program has ended, but does not exit: QueueFeederThread waits to write to a pipe (fd 7), which only the "
        "program itself could end, after its end; the end of multiprocessing waits for it",
    )


def test_so_is_a_queue_whose_readers_have_died() -> None:
    finding = diagnose(_ended_before_its_queue(feeder=True), after=_LONG)[0]
    assert brief([finding]) == [
        (
            "never_exits",
            "LIKELY",
            "the program has ended, but does not exit: QueueFeederThread waits to write to a pipe (fd 7) what was put "
            "into a Queue of multiprocessing, and nobody reads it; the end of multiprocessing waits for it; w (pid 9), "
            "which ended with exit code 1",
        )
    ]
    assert "cancel_join_thread()" in finding.advice
