# SPDX-License-Identifier: Apache-2.0
"""Who of another process has a lock that several processes know by one key."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from peeps_collector.decode.resource import ProcessInfo
from peeps_collector.graph.across import Across
from peeps_collector.graph.named import Named
from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party
from peeps_otel.model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers
from peeps_otel.model.shared_key import ELSEWHERE, shared_key
from tests.collector.collector_support import new_id

S = 1_000_000_000
HERE, THERE = Party("a", "web (pid 10)", 10, "one"), Party("b", "worker (pid 20)", 20, "one")
FAR = Party("c", "worker (pid 20)", 20, "two")
FILE, KEY = shared_key(("file", "/srv/a.lock"), True), shared_key(("redis", "db", "6379", "a"), False)


def lock(key: str = FILE, outside: str = ELSEWHERE, **about: AttributeValue) -> Node:
    told: dict[str, AttributeValue] = {semconv.RESOURCE_KEY: key, semconv.COULD_END_OUTSIDE: outside}
    told |= {name.replace("__", "."): value for name, value in about.items()}
    return Node(new_id(NodeKind.LOCK), NodeKind.LOCK, "a.lock", S, "b.py:1", providers=Providers.OPEN, attributes=told)


def held(node: Node, *, bare: bool = False) -> Edge:
    return Edge(EdgeKind.HELD_BY, node.id, new_id(NodeKind.THREAD), 2 * S, "b.py:7", bare=bare)


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_the_holder_is_known_in_any_order(order: tuple[int, ...]) -> None:
    named, wanted, had = Named(), lock(), lock()
    hold = held(had)
    told = [(wanted, (), HERE), (had, (hold,), THERE)]
    turned = [one for place in order for one in named.put(*told[place])]
    link = replace(hold, src=wanted.id, confidence=Confidence.INFERRED)
    assert (named.links(wanted.id), named.links(had.id)) == ((link,), ())
    assert [(one.process, one.node_id, one.before, one.after) for one in turned] == [("a", wanted.id, (), (link,))]
    dressed = named.dressed(wanted)
    assert dressed.providers is Providers.ESTIMATED
    assert dressed.attributes == {semconv.RESOURCE_KEY: FILE, semconv.LOCK_LOCKED: True}
    assert named.dressed(had) is had
    assert named.put(wanted, (), HERE) == named.put(had, (hold,), THERE) == []


def test_it_is_forgotten_with_who_has_it() -> None:
    named, wanted, had = Named(), lock(), lock()
    named.put(wanted, (), HERE)
    named.put(had, (held(had),), THERE)
    (given_back,) = named.put(had, (), THERE)
    assert (given_back.node_id, given_back.after, named.links(wanted.id)) == (wanted.id, (), ())
    named.put(had, (held(had),), THERE)
    (gone,) = named.drop(had.id)
    assert (gone.node_id, gone.after) == (wanted.id, ())
    assert named.drop(wanted.id) == []
    assert set(named.ids()) == set()


def test_a_file_of_another_host_is_another_one_and_a_key_of_a_database_is_not() -> None:
    named, file, far_file, key, far_key = Named(), lock(), lock(), lock(KEY), lock(KEY)
    for node, of in ((file, HERE), (key, HERE)):
        named.put(node, (), of)
    for node in (far_file, far_key):
        named.put(node, (held(node),), FAR)
    assert (named.links(file.id), len(named.links(key.id))) == ((), 1)


def test_who_has_it_in_the_same_process_is_who_has_it() -> None:
    named, wanted, had = Named(), lock(), lock()
    named.put(had, (held(had),), THERE)
    named.put(wanted, (held(wanted),), HERE)
    assert named.links(wanted.id) == ()


def test_a_block_tells_more_than_an_acquire() -> None:
    named, wanted, bare, by_block = Named(), lock(), lock(), lock()
    sure = held(by_block)
    for node, edges, of in ((wanted, (), HERE), (bare, (held(bare, bare=True),), THERE), (by_block, (sure,), FAR)):
        named.put(replace(node, attributes=node.attributes | {semconv.RESOURCE_KEY: KEY}), edges, of)
    assert [one.dst for one in named.links(wanted.id)] == [sure.dst]


def test_one_that_expires_still_ends_by_itself() -> None:
    named, wanted, had = Named(), lock(outside="its time to live"), lock()
    named.put(wanted, (), HERE)
    named.put(had, (held(had),), THERE)
    assert named.dressed(wanted).attributes[semconv.COULD_END_OUTSIDE] == "its time to live"


def test_who_has_it_is_said_in_place_of_who_may_have_it() -> None:
    across, info, other = Across(), ProcessInfo("a", "web", 10, "one", ""), ProcessInfo("b", "job", 20, "one", "")
    of_family: dict[str, AttributeValue] = {semconv.RESOURCE_SHARED_WITH: "10, 20"}
    wanted, had = lock(outside="the process this was forked from"), lock()
    wanted = replace(wanted, attributes=wanted.attributes | of_family)
    hold = held(had)
    main = Node(
        *(new_id(NodeKind.THREAD), NodeKind.THREAD, "MainThread", S, "b.py:1"),
        state="waiting",
        attributes={semconv.THREAD_NATIVE_ID: 10},
    )
    there = replace(main, id=hold.dst, attributes={semconv.THREAD_NATIVE_ID: 20})
    for node, of in ((main, info), (there, other), (wanted, info)):
        across.put(node, (), of, S)
    assert {one.kind for one in across.links(wanted.id)} == {EdgeKind.COULD_END}
    across.put(had, (hold,), other, S)
    assert [(one.kind, one.dst) for one in across.links(wanted.id)] == [(EdgeKind.HELD_BY, hold.dst)]
    assert semconv.COULD_END_OUTSIDE not in across.dressed(wanted).attributes
