# SPDX-License-Identifier: Apache-2.0
"""Who could end a wait for what processes share: the threads of its family, where all of these are seen."""

from __future__ import annotations

import itertools

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party
from peeps_otel.diagnosis.shared_things import Shared
from peeps_otel.model import AttributeValue, EdgeKind, Frame, Node, NodeKind, own_line
from tests.collector.collector_support import new_id

S = 1_000_000_000
PARENT, CHILD = Party("a", "shop (pid 10)", 10, "here"), Party("b", "rank-0 (pid 20)", 20, "here")
_OWN = Frame("main", "/srv/shop/main.py", 7, "")


def barrier(family: str = "10, 20") -> Node:
    about = {semconv.RESOURCE_SHARED_WITH: family, semconv.COULD_END_OUTSIDE: "the process this was forked from"}
    return Node(new_id(NodeKind.BARRIER), NodeKind.BARRIER, "ready", S, "b.py:1", attributes=dict(about))


def thread(pid: int, *stack: Frame, state: str = "waiting", **about: bool) -> Node:
    known: dict[str, AttributeValue] = {semconv.THREAD_NATIVE_ID: pid}
    known |= {name.replace("__", "."): value for name, value in about.items()}
    node_id = new_id(NodeKind.THREAD)
    return Node(
        node_id, NodeKind.THREAD, "MainThread", S, "b.py:1", state=state, stack=stack or (_OWN,), attributes=known
    )


def enders(shared: Shared, thing: Node) -> set[str]:
    links = shared.links(thing.id)
    assert all(one.kind is EdgeKind.COULD_END and one.src == thing.id for one in links)
    return {one.dst for one in links}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_of_the_family_could_end_it_in_any_order(order: tuple[int, ...]) -> None:
    shared, thing, main, other = Shared(), barrier(), thread(10), thread(20)
    told = [(thing, CHILD), (main, PARENT), (other, CHILD)]
    turned = [one for place in order for one in shared.put(*told[place])]
    assert enders(shared, thing) == {main.id, other.id}
    assert (turned[-1].process, turned[-1].node_id, turned[-1].after) == ("b", thing.id, shared.links(thing.id))
    assert shared.dressed(thing).attributes == {
        semconv.RESOURCE_SHARED_WITH: "10, 20",
        semconv.COULD_END_ASKED: S,
    }
    assert shared.put(main, PARENT) == shared.put(thing, CHILD) == []


def test_nothing_is_said_while_one_of_them_is_not_seen_or_may_be_told_by_a_signal() -> None:
    shared, thing = Shared(), barrier("10, 20, 30")
    for node, of in ((thing, CHILD), (thread(10), PARENT), (thread(20), CHILD)):
        shared.put(node, of)
    assert (enders(shared, thing), shared.dressed(thing)) == (set(), thing)
    shared.put(thread(30), Party("c", "rank-1 (pid 30)", 30, "there"))
    assert enders(shared, thing) == set()
    shared.put(thread(30, peeps__thread__handles_signals=True), Party("d", "rank-1 (pid 30)", 30, "here"))
    assert enders(shared, thing) == set()


def test_threads_that_do_what_they_are_told_and_those_of_a_library_end_nothing() -> None:
    shared, thing, main, other = Shared(), barrier(), thread(10), thread(20)
    worker = thread(21, Frame("_worker", "/lib/concurrent/futures/thread.py", 90, own_line.PYTHON), state="idle")
    exporter = thread(22, Frame("worker", "/lib/opentelemetry/sdk/export.py", 90, "opentelemetry-sdk"))
    timer = thread(23, Frame("run", "/lib/threading.py", 90, own_line.PYTHON))
    for node, of in ((thing, CHILD), (main, PARENT), *((one, CHILD) for one in (other, worker, exporter, timer))):
        shared.put(node, of)
    assert enders(shared, thing) == {main.id, other.id, timer.id}


def test_it_is_over_with_any_of_them() -> None:
    shared, thing, main, other = Shared(), barrier(), thread(10), thread(20)
    for node, of in ((thing, CHILD), (main, PARENT), (other, CHILD)):
        shared.put(node, of)
    links = shared.links(thing.id)
    assert [(one.before, one.after) for one in shared.drop(main.id)] == [(links, ())]
    shared.put(main, PARENT)
    assert [(one.before, one.after) for one in shared.drop(thing.id)] == [(links, ())]
    assert list(shared.ids()) == []


def file_lock(owner: int) -> Node:
    about = {semconv.RESOURCE_SHARED_WITH: str(owner), semconv.COULD_END_OUTSIDE: f"migrate (pid {owner})"}
    return Node(new_id(NodeKind.LOCK), NodeKind.LOCK, "job.lock", S, "b.py:1", attributes=dict(about))


def test_one_other_process_with_one_thread_holds_it() -> None:
    shared, lock, other = Shared(), file_lock(20), thread(20)
    for node, of in ((lock, PARENT), (thread(10), PARENT), (other, CHILD)):
        shared.put(node, of)
    assert [(one.kind, one.dst, one.since_ns) for one in shared.links(lock.id)] == [(EdgeKind.HELD_BY, other.id, S)]
    assert semconv.COULD_END_OUTSIDE not in shared.dressed(lock).attributes
    more = thread(21)
    shared.put(more, CHILD)
    assert enders(shared, lock) == {other.id, more.id}


def test_a_lock_that_this_process_has_itself_is_held_by_none_of_its_threads_for_sure() -> None:
    shared, lock, main = Shared(), file_lock(10), thread(10)
    shared.put(lock, PARENT)
    shared.put(main, PARENT)
    assert enders(shared, lock) == {main.id}


def _of_pool(function: str, state: str) -> Node:
    return thread(11, Frame(function, "/lib/multiprocessing/pool.py", 90, own_line.PYTHON), _OWN, state=state)


def test_what_a_pool_owes_comes_from_workers_at_work_and_from_who_brings_them_work() -> None:
    shared, main, busy = Shared(), thread(10), thread(20)
    about = {semconv.RESOURCE_SHARED_WITH: "20, 30", semconv.COULD_END_OUTSIDE: "ForkPoolWorker-1 (pid 20)"}
    result = Node(new_id(NodeKind.FUTURE), NodeKind.FUTURE, "MapResult", S, "b.py:1", attributes=dict(about))
    spare = Frame("worker", "/lib/multiprocessing/pool.py", 90, own_line.PYTHON)
    idle = thread(30, spare, _OWN, state="idle")
    feeder = _of_pool("Pool._handle_tasks", "running")
    third = Party("c", "shop (pid 30)", 30, "here")
    for node, of in ((result, PARENT), (main, PARENT), (feeder, PARENT), (busy, CHILD), (idle, third)):
        shared.put(node, of)
    assert enders(shared, result) == {busy.id, feeder.id}
    done = Node(feeder.id, NodeKind.THREAD, "t", S, "b.py:1", state="idle", stack=feeder.stack, attributes={})
    shared.put(done, PARENT)
    assert enders(shared, result) == {busy.id}
    shared.put(thread(20, spare, _OWN, state="idle"), CHILD)
    shared.drop(busy.id)
    assert enders(shared, result) == set()  # all of them are idle: nothing is known of what it is in
