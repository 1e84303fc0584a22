# SPDX-License-Identifier: Apache-2.0
"""What is said where nothing is found: less where nothing moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind, Providers, Wait
from peeps_otel.report import outside
from peeps_otel.report.calm import Waits, in_a_ring_but_for, is_unjudged, passed_over_by
from peeps_otel.report.movers import polls_since
from peeps_otel.report.sentences import Calm, calm_sentence, doubt_of, long_call
from peeps_otel.report.shown import Shown
from tests.support.examples import examples

S = 1_000_000_000
NOW = 1_000 * S
LINE = {"file": "/srv/app.py", "short": "app.py:8", "own": True, "function": "audit", "line": 8}


def _waits(operation: str) -> dict[str, Any]:
    return {"wait": {"operation": operation, "source": "/srv/app.py:9", "short": "app.py:9"}}


def _in_a_call() -> dict[str, Any]:
    return {
        "label": "MainThread",
        "attributes": {"peeps.thread.call": "sqlite3.execute"},
        "stack": [LINE],
        "wait": None,
    }


def test_somebody_goes_on() -> None:
    assert calm_sentence(Calm(2, (_waits("queue.get"), 3 * S))) == (
        "Nothing is stuck: 2 tasks, the longest wait is 3 s (queue.get at app.py:9)."
    )
    assert calm_sentence(Calm(1, not_answered=2)) == "Nothing is stuck: 1 task, none waits. 2 processes did not answer."


def test_nobody_does() -> None:
    assert calm_sentence(Calm(0, (_waits("file.read"), 25 * S), still_ns=25 * S)) == (
        "Nothing is known to be stuck, but nothing has moved for 25 s: "
        "no tasks, the longest wait is 25 s (file.read at app.py:9)."
    )


def test_a_long_call_of_c_code_is_told_with_its_line() -> None:
    assert calm_sentence(Calm(0, call=(_in_a_call(), 25 * S))) == (
        "Nothing is stuck: no tasks, MainThread has been at app.py:8 (in sqlite3.execute) for 25 s."
    )
    assert calm_sentence(Calm(0, call=(_in_a_call(), 2 * S))) == "Nothing is stuck: no tasks."


def test_both_are_told_apart_from_the_sentence_where_they_are_worth_a_word() -> None:
    long, short = Calm(0, call=(_in_a_call(), 25 * S), still_ns=25 * S), Calm(0, call=(_in_a_call(), S), still_ns=S)
    assert (doubt_of(long), long_call(long)) == (
        "nothing has moved for 25 s",
        "MainThread has been at app.py:8 (in sqlite3.execute) for 25 s",
    )
    assert (doubt_of(short), long_call(short)) == (None, None)


def _thread(name: str, state: str, wait: Wait | None = None, **attributes: int) -> Node:
    named: dict[str, AttributeValue] = {f"peeps.{key.replace('__', '.')}": value for key, value in attributes.items()}
    return Node(f"thread:{name}", NodeKind.THREAD, name, 1, "/srv/app.py:1", state=state, wait=wait, attributes=named)


def _wait(operation: str, ago_s: int, deadline_ns: int | None = None) -> Wait:
    return Wait(operation, NOW - ago_s * S, "/srv/app.py:9", 1, deadline_ns)


def still_for(now_ns: int, nodes: list[Node]) -> int:
    """For how long none of these tasks and threads has gone on, as the sentence says it; 0 where one is about to."""
    view = Seen({node.id: node for node in nodes}, {})
    return Waits(Shown(view, {}, now_ns), nodes).calm().still_ns


def test_for_how_long_nobody_has_gone_on() -> None:
    waits, called = (
        _thread("a", "waiting", _wait("event.wait", 30)),
        _thread("b", "blocked", thread__call_since=NOW - 20 * S),
    )
    assert still_for(NOW, [waits]) == 30 * S
    assert still_for(NOW, [waits, called, _thread("pool_0", "idle")]) == 20 * S
    assert still_for(NOW, []) == 0


def test_who_runs_sleeps_or_gives_up_goes_on() -> None:
    waits = _thread("a", "waiting", _wait("event.wait", 30))
    for other in (
        _thread("runs", "running"),
        _thread("sleeps", "waiting", _wait("sleep", 30)),
        _thread("gives up", "waiting", _wait("event.wait", 30, NOW + S)),
    ):
        assert still_for(NOW, [waits, other]) == 0


def test_a_wait_that_nobody_could_judge_is_no_all_clear() -> None:
    waits = _waits("event.wait") | {"label": "main"}
    assert calm_sentence(Calm(2, (waits, 30 * S), unjudged=(waits, 30 * S))) == (
        "Nothing is known to be stuck, but who could end the wait of main (event.wait at app.py:9, 30 s) is not known: "
        "2 tasks, the longest wait is 30 s (event.wait at app.py:9)."
    )


def test_who_asks_again_and_again_is_told_with_the_age_of_that() -> None:
    asks = _waits("sleep") | {"label": "main", "poll_asks": "state", "poll_short": "app.py:7"}
    again = asks | {"poll_asks": "again"}
    said = [calm_sentence(Calm(1, unjudged=(one, 40 * S))).partition(":")[0] for one in (asks, again)]
    assert said == [
        "Nothing is known to be stuck, but who could end the wait of main (polls at app.py",
        "Nothing is known to be stuck, but who could end the wait of main (tries again what fails at app.py",
    ]


def test_since_when_somebody_polls() -> None:
    polls = _thread("a", "waiting", _wait("sleep", 1), poll__since=7)
    stopped_by_a_signal = _thread("a", "waiting", _wait("sleep", 1), poll__since=7, thread__handles_signals=True)
    of_a_server = _thread("a", "waiting", Wait("sleep", NOW - S, "in uvicorn, started at /srv/app.py:9"), poll__since=7)
    others = stopped_by_a_signal, of_a_server, _thread("a", "idle")
    assert [polls_since(one) for one in (polls, *others)] == [7, None, None, None]


def _is_unjudged(operation: str, kind: NodeKind | None, held: bool = False, **said: AttributeValue) -> bool:
    waiter = _thread("a", "waiting", _wait(operation, 30))
    nodes, out = {waiter.id: waiter}, dict[str, list[Edge]]()
    if kind is not None:
        attributes = {name.replace("__", "."): value for name, value in said.items()}
        nodes["thing"] = Node("thing", kind, "t", 1, "x.py:1", providers=Providers.OPEN, attributes=attributes)
        out[waiter.id] = [Edge(EdgeKind.NEEDS, waiter.id, "thing")]
        out["thing"] = [Edge(EdgeKind.HELD_BY, "thing", "thread:b")] if held else []
    return is_unjudged(waiter, nodes, out)


def test_which_waits_those_are() -> None:
    assert _is_unjudged("event.wait", NodeKind.EVENT)
    assert _is_unjudged("future.result", None)  # not even the thing is known
    assert not _is_unjudged("event.wait", NodeKind.EVENT, peeps__could_end__asked=1)
    assert not _is_unjudged("future.result", NodeKind.FUTURE, held=True)
    assert not _is_unjudged("queue.get", NodeKind.RX)  # an idle consumer
    assert not _is_unjudged("socket.recv", NodeKind.IO)
    assert not _is_unjudged("sleep", None)


def _unanswered_since(target: Node, answered: bool = False, awaited: bool = False) -> int | None:
    waiter = _thread("a", "blocked", _wait("socket.recv", 1))
    other = _thread("b", "waiting", _wait("future.result", 30))
    future = Node("future", NodeKind.FUTURE, "f", 1, "x.py:1")
    nodes = {one.id: one for one in (waiter, other, future, target)}
    out = {
        waiter.id: [Edge(EdgeKind.NEEDS, waiter.id, target.id)],
        other.id: [Edge(EdgeKind.NEEDS, other.id, future.id)] if awaited else [],
        future.id: [Edge(EdgeKind.HELD_BY, future.id, waiter.id)],
        target.id: [Edge(EdgeKind.RPC_LINK, target.id, "response")] if answered else [],
    }
    return outside.since_ns(waiter, nodes, out, outside.awaited([waiter, other], nodes, out))


def test_who_waits_for_an_answer_of_its_own_process_is_no_all_clear() -> None:
    waiter = _thread("a", "waiting", _wait("socket.recv", 1))
    here = Node("io:1", NodeKind.IO, "e", 1, "", attributes={semconv.IO_HERE: "tcp/a>b", semconv.IO_THERE: "tcp/b>a"})
    other = Node("io:2", NodeKind.IO, "e", 1, "", attributes={semconv.IO_HERE: "tcp/b>a", semconv.IO_IS_FAR: True})
    out = {waiter.id: [Edge(EdgeKind.NEEDS, waiter.id, here.id)]}
    nodes = {one.id: one for one in (waiter, here, other)}
    assert outside.of_itself([waiter], nodes, out) == {waiter.id}
    assert outside.of_itself([waiter], {one.id: one for one in (waiter, here)}, out) == frozenset()
    writes = replace(waiter, wait=_wait("socket.sendall", 1))
    assert outside.of_itself([writes], nodes, out) == set()


def test_a_call_that_nobody_is_seen_to_answer_is_no_all_clear() -> None:
    update, poll = (Node(f"request:{n}", NodeKind.REQUEST, n, NOW - 40 * S, "x.py:1") for n in ("update", "GET /poll"))
    assert _unanswered_since(update) == update.created_at  # however often its client looks up meanwhile
    assert _unanswered_since(update, answered=True) is None
    assert _unanswered_since(poll) is None
    waits = _waits("socket.recv") | {"label": "pool_0"}
    assert calm_sentence(Calm(0, (waits, 30 * S), unanswered=(waits, 40 * S))) == (
        "Nothing is known to be stuck, but whether pool_0 (socket.recv at app.py:9, 40 s) gets its answer is not known "
        "here: no tasks, the longest wait is 30 s (socket.recv at app.py:9)."
    )


def test_a_connection_is_where_somebody_waits_for_what_comes_of_it() -> None:
    connection = Node("io", NodeKind.IO, "socket", 1, "x.py:1")
    assert _unanswered_since(connection) is None  # a subscriber may wait for ever
    assert _unanswered_since(connection, awaited=True) == NOW - S


def _passed_over(**facts: AttributeValue) -> str:
    waiter = Node("task:a", NodeKind.TASK, "a", 1, "/srv/app.py:1", state="waiting", wait=_wait("event.wait", 30))
    attributes = {f"peeps.could_end.{key}": value for key, value in facts.items()}
    event = Node("event:e", NodeKind.EVENT, "ready", 1, "/srv/app.py:2", attributes=attributes)
    return passed_over_by(waiter, {one.id: one for one in (waiter, event)}, {"task:a": [_needs("event:e")]})


def _needs(thing: str) -> Edge:
    return Edge(EdgeKind.NEEDS, "task:a", thing)


def test_who_could_end_a_wait_and_goes_on_without_doing_so_is_named() -> None:
    assert _passed_over(by="poller: poller uses set", went_on=3) == "poller: poller uses set"
    assert (_passed_over(by="poller: poller uses set"), _passed_over(went_on=3), _passed_over()) == ("", "", "")
    passed = ({"label": "main", **_waits("event.wait")}, 38 * S, "poller: poller uses set")
    assert doubt_of(Calm(2, passed=passed)) == (
        "the wait of main (event.wait at app.py:9, 38 s) ends only by what others go on without doing "
        "(poller: poller uses set)"
    )


def _ends(far: str, operation: str = "socket") -> set[str]:
    """Who waits at a connection, of two tasks at `a` and `b`, whose other end is `far` and `a`."""
    nodes: dict[str, Node] = {}
    out: dict[str, list[Edge]] = {}
    for here, there in (("a", far), ("b", "a")):
        ends: dict[str, AttributeValue] = {"peeps.io.here": here, "peeps.io.there": there}
        wait = Wait(operation, NOW - 20 * S, "/srv/app.py:9")
        nodes[f"io:{here}"] = Node(f"io:{here}", NodeKind.IO, "socket", NOW, "/srv/app.py:1", attributes=ends)
        nodes[f"task:{here}"] = Node(f"task:{here}", NodeKind.TASK, here, NOW, "/srv/app.py:1", wait=wait)
        out[f"task:{here}"] = [Edge(EdgeKind.NEEDS, f"task:{here}", f"io:{here}")]
    return set(outside.at_both_ends(nodes.values(), nodes, out))


def test_a_ring_that_only_a_call_from_outside_could_end_is_no_all_clear() -> None:
    """A handler waits for work of the main thread, which waits for an event that only handlers set."""
    outside_by: dict[str, AttributeValue] = {semconv.COULD_END_OUTSIDE: "whoever calls what H.handle uses set"}
    ready = Node("event:ready", NodeKind.EVENT, "ready", 1, "/srv/app.py:1", attributes=outside_by)
    jobs = Node("rx:jobs", NodeKind.RX, "jobs", 1, "/srv/app.py:1")
    main = _thread("main", "waiting", _wait("event.wait", 30))
    handler = _thread("handler", "waiting", _wait("queue.get", 30))
    out = {
        main.id: [Edge(EdgeKind.NEEDS, main.id, ready.id)],
        handler.id: [Edge(EdgeKind.NEEDS, handler.id, jobs.id)],
        ready.id: [Edge(EdgeKind.COULD_END, ready.id, handler.id)],
        jobs.id: [Edge(EdgeKind.COULD_END, jobs.id, main.id)],
    }
    nodes = {node.id: node for node in (ready, jobs, main, handler)}
    assert in_a_ring_but_for(main, nodes, out) == "H.handle uses set"
    sleeps = replace(handler, wait=_wait("queue.get", 30, NOW + S))
    assert in_a_ring_but_for(main, nodes | {handler.id: sleeps}, out) == ""
    assert in_a_ring_but_for(main, nodes, out | {jobs.id: []}) == ""
    called = {"label": "MainThread", "stack": [LINE], **_waits("event.wait")}
    assert doubt_of(Calm(0, called=(called, 30 * S, "H.handle uses set"))) == (
        "the wait of MainThread (event.wait at app.py:9, 30 s) leads back to itself, unless more is called "
        "(H.handle uses set)"
    )


def test_two_that_read_at_the_two_ends_of_a_connection_may_wait_for_each_other() -> None:
    assert _ends("b") == {"task:a", "task:b"}
    assert _ends("of another process") == {"task:b"}
    assert _ends("b", "stream.drain") == set()


@dataclass
class Seen:
    """A graph as an answer shows it."""

    nodes: dict[str, Node]
    out: dict[str, list[Edge]]
    owner: dict[str, str] = field(default_factory=dict[str, str])


THINGS = [NodeKind.EVENT, NodeKind.LOCK, NodeKind.FUTURE, NodeKind.IO, NodeKind.REQUEST, NodeKind.RX]
ABOUT = st.dictionaries(
    st.sampled_from([semconv.COULD_END_ASKED, semconv.COULD_END_WENT_ON, semconv.COULD_END_BY, semconv.POLL_SINCE]),
    st.sampled_from([1, "worker"]),
)
WAITING = st.builds(
    Wait,
    st.sampled_from(["event.wait", "lock.acquire", "lock.poll", "socket.recv", "sleep"]),
    st.sampled_from([NOW - 30 * S, NOW - 20 * S, NOW - S]),
    st.sampled_from(["/srv/app.py:9", "in aiohttp"]),
    deadline_ns=st.sampled_from([None, None, None, NOW]),
)


@st.composite
def graphs(draw: st.DrawFn) -> Seen:
    things = [Node(f"{kind}:{kind}", kind, kind, 1, "", attributes=dict(draw(ABOUT))) for kind in THINGS]
    tasks = [
        Node(f"task:{number}", NodeKind.TASK, "t", 1, "", state=draw(st.sampled_from([None, "idle"])),
             wait=draw(st.none() | WAITING), attributes=dict(draw(ABOUT)))
        for number in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    out: dict[str, list[Edge]] = {}
    for task in tasks:
        targets = draw(st.lists(st.sampled_from([*things, None]), max_size=2))
        out[task.id] = [Edge(EdgeKind.NEEDS, task.id, "event:gone" if one is None else one.id) for one in targets]
    for one in things:
        held = draw(st.sampled_from(tasks)) if tasks and draw(st.booleans()) else None
        out[one.id] = [] if held is None else [Edge(EdgeKind.HELD_BY, one.id, held.id)]
    return Seen({one.id: one for one in (*things, *tasks)}, out)


@given(graphs())
@settings(max_examples=examples(300), deadline=None)
def test_one_pass_finds_what_each_question_finds_by_itself(seen: Seen) -> None:
    nodes, out = seen.nodes, seen.out
    tasks = [node for node in nodes.values() if node.kind is NodeKind.TASK]
    old = [(node, node.wait.since_ns) for node in tasks if node.wait and NOW - node.wait.since_ns >= 15 * S]
    unjudged = [(since_ns, node.id) for node, since_ns in old if is_unjudged(node, nodes, out)]
    unjudged += [(since_ns, node.id) for node in tasks if (since_ns := polls_since(node)) is not None]
    passed = [(since_ns, node.id) for node, since_ns in old if passed_over_by(node, nodes, out)]
    awaited = outside.awaited(tasks, nodes, out) | outside.at_both_ends(tasks, nodes, out)
    awaited |= outside.of_itself(tasks, nodes, out)
    asking = [node for node in tasks if node.wait and node.state != "idle" and node.wait.source == "/srv/app.py:9"]
    answers = [(outside.since_ns(node, nodes, out, awaited), node.id) for node in asking]
    unanswered = [(since_ns, one) for since_ns, one in answers if since_ns is not None and NOW - since_ns >= 15 * S]
    waiting = [(node.wait.operation == "sleep", node.wait.since_ns, node.id) for node in tasks if node.wait]
    calm = Waits(Shown(seen, {}, NOW), list(nodes.values())).calm()
    told = [None if one is None else one[0]["id"] for one in (calm.unjudged, calm.passed, calm.unanswered)]
    assert told == [min(found)[1] if found else None for found in (unjudged, passed, unanswered)]
    assert (None if calm.longest is None else calm.longest[0]["id"]) == (min(waiting)[2] if waiting else None)
