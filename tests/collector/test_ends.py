# SPDX-License-Identifier: Apache-2.0
"""The two ends of a connection in two processes of one host: who waits at one learns who has the other."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from peeps_collector.decode.resource import ProcessInfo
from peeps_collector.graph.across import Across
from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party
from peeps_otel.diagnosis.two_ends import EndQuestion, Ends
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind
from peeps_otel.model.end_digest import end_digest
from tests.collector.collector_support import new_id

S = 1_000_000_000
SHOP, STOCK = Party("shop-1", "shop (pid 10)", 10, "here"), Party("stock-1", "stock (pid 20)", 20, "here")
CLIENT, SERVER = "k/net/tcp/127.0.0.1:9>127.0.0.1:80", "k/net/tcp/127.0.0.1:80>127.0.0.1:9"
WORKER = new_id(NodeKind.TASK)


def waited_for(here: str = CLIENT, there: str = SERVER, unread: int = 0) -> Node:
    attributes: dict[str, AttributeValue] = {
        semconv.IO_HERE: here,
        semconv.IO_THERE: there,
        semconv.IO_UNREAD: unread,
    }
    return Node(new_id(NodeKind.IO), NodeKind.IO, "127.0.0.1:80", S, "app.py:1", attributes=attributes)


def far_end(here: str = SERVER, there: str = CLIENT, **more: AttributeValue) -> Node:
    attributes: dict[str, AttributeValue] = {
        semconv.IO_HERE: here,
        semconv.IO_THERE: there,
        semconv.IO_IS_FAR: True,
        semconv.IO_IN_FLIGHT: 0,
        semconv.COULD_END_ASKED: S,
    }
    given = {f"peeps.{name.replace('__', '.')}": value for name, value in more.items()}
    return Node(new_id(NodeKind.IO), NodeKind.IO, "fd 7", S, "unknown:0", attributes=attributes | given)


def had_by(far: Node, *who: str) -> tuple[Edge, ...]:
    return tuple(Edge(EdgeKind.COULD_END, far.id, one) for one in who)


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_who_waits_learns_who_could_write_in_any_order(order: tuple[int, int]) -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    told = [(near, (), SHOP), (far, had_by(far, WORKER), STOCK)]
    turned = [one.node_id for place in order for one in ends.put(*told[place])]
    assert turned == [near.id]
    assert [(edge.kind, edge.src, edge.dst) for edge in ends.links(near.id)] == [(EdgeKind.COULD_END, near.id, WORKER)]
    said = ends.dressed(near).attributes
    assert (said[semconv.IO_PEER_PROCESS], said[semconv.COULD_END_ASKED]) == ("stock (pid 20)", S)
    assert ends.dressed(far) is far


def test_a_request_at_a_connection_is_waited_for_there_until_its_answer_is_seen() -> None:
    across, shop, stock = (
        Across(),
        ProcessInfo("a", "shop", 10, "here", ""),
        ProcessInfo("b", "stock", 20, "here", ""),
    )
    context: dict[str, AttributeValue] = {semconv.CORRELATION: "1-2"}
    about = {**waited_for().attributes, **context}
    request = Node(new_id(NodeKind.REQUEST), NodeKind.REQUEST, "GET", S, "app.py:1", attributes=about)
    far = far_end()
    across.put(request, (), shop, S)
    across.put(far, had_by(far, WORKER), stock, S)
    assert [(edge.kind, edge.dst) for edge in across.links(request.id)] == [(EdgeKind.COULD_END, WORKER)]
    assert semconv.COULD_END_ASKED in across.dressed(request).attributes

    response = Node(new_id(NodeKind.RESPONSE), NodeKind.RESPONSE, "GET", S, "app.py:1", attributes=context)
    across.put(response, (), stock, S)
    assert [(edge.kind, edge.dst) for edge in across.links(request.id)] == [(EdgeKind.RPC_LINK, response.id)]
    assert semconv.COULD_END_ASKED not in across.dressed(request).attributes


@pytest.mark.parametrize("gone", ["far", "near"])
def test_it_is_over_with_either_end(gone: str) -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    ends.put(near, (), SHOP)
    ends.put(far, had_by(far, WORKER), STOCK)
    turned = ends.drop(far.id if gone == "far" else near.id)
    assert [(one.node_id, one.after) for one in turned] == [(near.id, ())]
    assert (ends.links(near.id), ends.dressed(near)) == ((), near)


def test_a_wait_that_is_over_forgets_its_names() -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    ends.put(near, (), SHOP)
    ends.put(far, had_by(far, WORKER), STOCK)
    over = replace(near, attributes={})
    assert [one.node_id for one in ends.put(over, (), SHOP)] == [near.id]
    assert (list(ends.ids()), ends.links(near.id)) == ([], ())


@pytest.mark.parametrize(
    ("near", "far"),
    [
        pytest.param(waited_for(unread=3), far_end(), id="something has come"),
        pytest.param(waited_for(), far_end(io__in_flight=3), id="something is on its way"),
        pytest.param(waited_for(), far_end(io__also_open="10, 20, 30"), id="a process has it that tells nothing"),
        pytest.param(waited_for(), far_end(could_end__outside="timer tick"), id="a timer may write"),
        pytest.param(waited_for(), far_end(could_end__outside="whoever calls what broadcast"), id="a request may"),
    ],
)
def test_nothing_is_said_of_who_could_write_where_somebody_else_may(near: Node, far: Node) -> None:
    ends = Ends()
    ends.put(near, (), SHOP)
    ends.put(far, had_by(far, WORKER), STOCK)
    assert ends.links(near.id) == ()
    assert semconv.COULD_END_ASKED not in ends.dressed(near).attributes


def test_a_function_that_nobody_is_about_to_call_is_told_with_who_could_write() -> None:
    """An end that is a global of a module: any function there may use it. So it is no more than a suspicion."""
    ends, near, far = Ends(), waited_for(), far_end(could_end__open="broadcast() uses it")
    ends.put(near, (), SHOP)
    ends.put(far, had_by(far, WORKER), STOCK)
    assert [(edge.kind, edge.dst) for edge in ends.links(near.id)] == [(EdgeKind.COULD_END, WORKER)]
    assert ends.dressed(near).attributes[semconv.COULD_END_OPEN] == "broadcast() uses it"


def test_where_only_a_function_that_nobody_calls_writes_nothing_is_said() -> None:
    """C code may write by its number too, as signals do by their wakeup descriptor."""
    ends, near, far = Ends(), waited_for(), far_end(could_end__open="wake() uses it")
    ends.put(near, (), SHOP)
    ends.put(far, (Edge(EdgeKind.REACHED_BY, far.id, WORKER),), STOCK)
    assert ends.links(near.id) == ()


def test_nobody_in_sight_is_no_proof_that_nobody_is_there() -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    ends.put(near, (), SHOP)
    ends.put(far, (), STOCK)
    assert (ends.links(near.id), ends.dressed(near).attributes[semconv.IO_PEER_PROCESS]) == ((), "stock (pid 20)")


def test_who_only_has_the_other_end_could_still_let_go_of_it() -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    ends.put(near, (), SHOP)
    ends.put(far, (Edge(EdgeKind.REACHED_BY, far.id, WORKER),), STOCK)
    assert [(edge.kind, edge.dst) for edge in ends.links(near.id)] == [(EdgeKind.COULD_END, WORKER)]


def test_all_who_have_an_inherited_end_count() -> None:
    ends, near, other = Ends(), waited_for(), new_id(NodeKind.THREAD)
    child = Party("stock-2", "stock (pid 21)", 21, "here")
    first, second = far_end(io__also_open="21"), far_end(io__also_open="20")
    ends.put(near, (), SHOP)
    ends.put(first, had_by(first, WORKER), STOCK)
    assert ends.links(near.id) == ()  # what the child does with it is not known yet
    ends.put(second, had_by(second, other), child)
    assert [edge.dst for edge in ends.links(near.id)] == [WORKER, other]


def test_a_writer_learns_who_could_read_although_bytes_stand_there() -> None:
    ends, near, far = Ends(), waited_for(), far_end(io__in_flight=0)
    stuck = replace(near, attributes=near.attributes | {semconv.IO_UNMOVED_SINCE: S, semconv.IO_UNREAD: 5})
    ends.put(stuck, (), SHOP)
    ends.put(far, had_by(far, WORKER), STOCK)
    assert [edge.dst for edge in ends.links(near.id)] == [WORKER]


def test_everybody_on_the_host_is_asked_once_and_who_has_it_again() -> None:
    ends, near, far = Ends(), waited_for(), far_end()
    elsewhere = Party("stock-9", "stock (pid 20)", 20, "there")
    ends.put(near, (), SHOP)
    all_of = [SHOP, STOCK, elsewhere]
    wanted = end_digest(SERVER)
    assert ends.wanted(all_of, 10 * S) == [EndQuestion("shop-1", wanted), EndQuestion("stock-1", wanted)]
    assert ends.wanted(all_of, 11 * S) == []
    ends.put(far, (), STOCK)
    assert ends.wanted(all_of, 80 * S) == [EndQuestion("stock-1", wanted)]
    late = Party("stock-3", "stock (pid 22)", 22, "here")
    assert ends.wanted([*all_of, late], 81 * S) == [EndQuestion("stock-3", wanted)]
    ends.drop(near.id)
    assert ends.wanted(all_of, 200 * S) == []


def test_a_process_whose_host_was_not_known_at_first() -> None:
    """The program's own records may come before the first snapshot, and do not say the host: nobody was ever asked."""
    ends, near = Ends(), waited_for()
    ends.put(near, (), replace(SHOP, host="", pid=None))
    assert ends.wanted([SHOP, STOCK], 100 * S) == []
    ends.put(near, (), SHOP)
    assert ends.wanted([SHOP, STOCK], 101 * S) == [
        EndQuestion(SHOP.key, end_digest(SERVER)),
        EndQuestion(STOCK.key, end_digest(SERVER)),
    ]
