# SPDX-License-Identifier: Apache-2.0
"""Who waits at a connection for an answer, and who is to write it, in whatever order they are told."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from peeps_collector.graph.answering import Answering
from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party
from peeps_otel.model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind
from tests.collector.collector_support import new_id

SHOP = Party("shop", "shop (pid 1)", 1, "here")
STOCK = Party("stock", "stock (pid 2)", 2, "here")
NETWORK = "101c5c70/net:[1]/tcp"
CLIENT, SERVER = f"{NETWORK}/127.0.0.1:40000>127.0.0.1:8000", f"{NETWORK}/127.0.0.1:8000>127.0.0.1:40000"
HANDLER = new_id(NodeKind.TASK)


def end(**more: AttributeValue) -> Node:
    said: dict[str, AttributeValue] = {semconv.IO_HERE: CLIENT, semconv.IO_THERE: SERVER, semconv.IO_UNREAD: 0}
    return Node(new_id(NodeKind.IO), NodeKind.IO, "socket", 1, "a.py:1", attributes=said | more)


def response(over: str = f"{NETWORK}/127.0.0.1:40000>8000") -> Node:
    about: dict[str, AttributeValue] = {semconv.RPC_OVER: over, semconv.METHOD: "GET /rows"}
    return Node(new_id(NodeKind.RESPONSE), NodeKind.RESPONSE, "GET /rows", 7, "b.py:1", attributes=about)


def handled(node: Node, by: str = HANDLER) -> list[Edge]:
    return [Edge(EdgeKind.HANDLED_BY, node.id, by)]


def led_to(of: Node, handler: str = HANDLER) -> tuple[Edge, ...]:
    return (Edge(EdgeKind.COULD_END, of.id, handler, confidence=Confidence.INFERRED),)


def test_who_handles_the_call_is_who_could_end_the_wait_until_one_of_them_is_gone() -> None:
    here, there = end(), response()
    puts = [(here, list[Edge](), SHOP), (there, handled(there), STOCK)]
    for order in permutations(puts):
        known = Answering()
        turned = [one for put in order for one in known.put(*put)]
        assert known.links(here.id) == led_to(here)
        assert [(one.process, one.node_id, one.before, one.after) for one in turned] == [
            ("shop", here.id, (), led_to(here))
        ]
        assert known.dressed(here).attributes == here.attributes | {
            semconv.IO_PEER_PROCESS: "stock (pid 2)",
            semconv.COULD_END_ASKED: 7,
            semconv.COULD_END_BY: "who handles GET /rows",
        }
        (gone,) = known.drop(there.id)
        assert (gone.before, gone.after) == (led_to(here), ())
        assert known.dressed(here) == here
        assert known.drop(here.id) == []


def test_another_handler_takes_over() -> None:
    here, there, other = end(), response(), new_id(NodeKind.TASK)
    known = Answering()
    known.put(here, [], SHOP)
    known.put(there, handled(there), STOCK)
    (turned,) = known.put(there, handled(there, other), STOCK)
    assert (turned.before, turned.after) == (led_to(here), led_to(here, other))


@pytest.mark.parametrize(
    "here",
    [
        end(**{semconv.IO_UNREAD: 12}),
        end(**{semconv.IO_UNMOVED_SINCE: 5}),
        end(**{semconv.IO_IS_FAR: True}),
        end(**{semconv.IO_HERE: CLIENT.replace(":40000", ":40001")}),
        end(**{semconv.IO_HERE: CLIENT.replace("net:[1]", "net:[2]")}),
        end(**{semconv.IO_HERE: "101c5c70/unix/7"}),
        replace(end(), kind=NodeKind.TASK),
    ],
    ids=["unread", "writes", "far", "other connection", "other network", "unix", "task"],
)
def test_nobody_is_named_where_the_answer_has_come_or_is_awaited_elsewhere(here: Node) -> None:
    there = response()
    known = Answering()
    known.put(here, [], SHOP)
    known.put(there, handled(there), STOCK)
    assert known.links(here.id) == ()


def test_nobody_is_named_by_a_process_of_itself_nor_where_nobody_handles_one_of_the_calls() -> None:
    here, there, other = end(), response(), response()
    known = Answering()
    known.put(here, [], SHOP)
    known.put(there, handled(there), SHOP)
    assert known.links(here.id) == ()
    known.put(there, handled(there), STOCK)
    assert known.links(here.id) == led_to(here)
    known.put(other, [], STOCK)
    assert known.links(here.id) == ()


def test_a_request_that_waits_at_its_connection_is_answered_over_that() -> None:
    about = {semconv.IO_HERE: CLIENT, semconv.IO_THERE: SERVER, semconv.IO_UNREAD: 0}
    here = replace(end(), id=new_id(NodeKind.REQUEST), kind=NodeKind.REQUEST, attributes=dict(about))
    there = response()
    known = Answering()
    known.put(there, handled(there), STOCK)
    known.put(here, [], SHOP)
    assert known.links(here.id) == led_to(here)


def test_nobody_is_named_while_the_server_reads_at_that_connection_as_well() -> None:
    here, there = end(), response()
    reads = end(**{semconv.IO_HERE: SERVER, semconv.IO_THERE: CLIENT})
    puts = [(here, list[Edge](), SHOP), (there, handled(there), STOCK), (reads, list[Edge](), STOCK)]
    for order in permutations(puts):
        known = Answering()
        for put in order:
            known.put(*put)
        assert known.links(here.id) == ()
        (turned,) = known.drop(reads.id)
        assert (turned.node_id, turned.after) == (here.id, led_to(here))


def test_an_end_that_has_got_something_to_read_waits_for_nobody() -> None:
    here, there = end(), response()
    known = Answering()
    known.put(here, [], SHOP)
    known.put(there, handled(there), STOCK)
    (turned,) = known.put(replace(here, attributes=here.attributes | {semconv.IO_UNREAD: 3}), [], SHOP)
    assert turned.after == ()
