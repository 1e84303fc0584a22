# SPDX-License-Identifier: Apache-2.0
"""Waits that have no line of the program's own: the library is said and where it was started, and no line of it."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.diagnosis import Diagnoser, evidence, wording
from peeps_otel.diagnosis.frames import place, site
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Finding, Frame, NodeKind, Providers, Wait
from tests.diagnosis.world import SECOND, START, World

_STARTED = "in aiohttp, started at /srv/shop/app/main.py:12"
_PUT = Frame("Connector.put", "/v/aiohttp/connector.py", 300, "aiohttp")
_GET = Frame("Connector.get", "/v/aiohttp/connector.py", 200, "aiohttp")
_ACQUIRE = Frame("Lock.acquire", "/usr/lib/python3.12/asyncio/locks.py", 114, "Python")


def _starved(place_of_holder: str) -> Finding:
    """`waiter` waits for a lock whose holder is inside a library."""
    world = World()
    held = world.resource(NodeKind.LOCK, "db", "task:holder")
    reply = world.resource(NodeKind.EVENT, "reply", providers=Providers.OPEN)
    world.task("holder", reply, operation="event.wait")
    world.task("waiter", held)
    holder, waiter = world.nodes["task:holder"], world.nodes["task:waiter"]
    assert holder.wait is not None
    assert waiter.wait is not None
    holder.wait = replace(holder.wait, source=place_of_holder)
    diagnoser = Diagnoser()
    assert diagnoser.look(world.graph(), START + SECOND) == []
    (finding,) = diagnoser.look(world.graph(), START + 9 * SECOND)
    return finding


def test_the_line_to_open_is_where_the_library_was_started() -> None:
    finding = _starved(_STARTED)
    assert finding.look_at == "/srv/shop/app/main.py:12"
    assert finding.advice == (
        "Lock db comes free when its holder gets past its wait in aiohttp, started at app/main.py:12; "
        "do not hold it across a wait that may not end."
    )
    assert finding.evidence[0].holder_doing == "waits for Event reply in aiohttp, started at app/main.py:12"


def test_where_that_is_not_known_either_there_is_no_line() -> None:
    finding = _starved("in aiohttp")
    assert finding.look_at == ""
    assert "its wait in aiohttp;" in finding.advice


def test_an_own_line_is_opened_whatever_the_library_around_it() -> None:
    assert _starved("/srv/shop/app/web.py:7").look_at == "/srv/shop/app/web.py:7"


def test_sentences() -> None:
    world = World()
    lock = world.resource(NodeKind.LOCK, "db")
    world.task("waiter", lock)
    node = world.nodes["task:waiter"]
    assert node.wait is not None
    node.wait = replace(node.wait, source=_STARTED)
    graph = WaitGraph(world.graph(), set())
    assert evidence.link(graph, node.id, lock, None).text == (
        "waiter waits for Lock db in aiohttp, started at app/main.py:12"
    )
    assert wording.short(_STARTED) == "in aiohttp, started at app/main.py:12"
    assert wording.at("at", "in aiohttp") == " in aiohttp"


def test_a_thread_that_runs_a_library_is_said_to_run_that() -> None:
    world = World()
    world.thread("feeder", stack=(Frame("Thread._bootstrap", "/usr/lib/threading.py", 1002, "Python"), _PUT))
    assert wording.doing(WaitGraph(world.graph(), set()), "thread:feeder") == "runs in aiohttp"
    assert place(world.nodes["thread:feeder"]) == "in aiohttp"


def test_a_loop_blocked_within_a_library() -> None:
    world = World()
    world.thread("MainThread", stack=(_GET, _PUT), state="blocked", peeps__loop__stalled_since=START)
    diagnoser = Diagnoser()
    diagnoser.look(world.graph(), START + SECOND)
    (finding,) = diagnoser.look(world.graph(), START + 2 * SECOND)
    assert finding.title == "the event loop of MainThread is in a blocking call in Connector.put (aiohttp)"
    assert finding.look_at == ""
    assert finding.advice.startswith("No task of this loop runs before that call returns. ")


def test_waits_of_one_library_at_two_lines_are_not_measured_against_each_other() -> None:
    """A connection kept alive for a minute must not make a minute usual for whoever waits for the pool."""
    wait = Wait("lock.acquire", START, "in aiohttp")
    world = World()
    world.task("waiter")
    node = world.nodes["task:waiter"]
    assert site(replace(node, stack=(_GET, _ACQUIRE)), wait) == "/v/aiohttp/connector.py:200"
    assert site(replace(node, stack=(_PUT, _ACQUIRE)), wait) == "/v/aiohttp/connector.py:300"
    assert site(replace(node, stack=()), wait) == "in aiohttp"
    assert site(replace(node, stack=(_PUT,)), replace(wait, source="/srv/a.py:1")) == "/srv/a.py:1"
