# SPDX-License-Identifier: Apache-2.0
"""The two ends of a call, in two processes: joined in whatever order they come, and how far that came."""

from __future__ import annotations

import itertools
import os
import socket
import time
from dataclasses import dataclass, field, replace

import pytest

from peeps_collector.graph.joins import Join, Joins, Peer
from peeps_collector.graph.listeners import attached
from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind, Providers, Wait
from tests.collector.collector_support import Program, Running, new_id
from tests.support.waiting import eventually

S = 1_000_000_000
CALL = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


def end(kind: NodeKind, correlation: str = CALL, port: int | None = None) -> Node:
    attributes: dict[str, str | int | bool] = {semconv.METHOD: "GET /x"}
    if correlation:
        attributes[semconv.CORRELATION] = correlation
    if port is not None:
        attributes |= {semconv.SERVER_ADDRESS: "127.0.0.1", semconv.SERVER_PORT: port}
    return Node(
        new_id(kind), kind, "GET /x", 1_795 * 10**15, "app.py:1", providers=Providers.ESTIMATED, attributes=attributes
    )


def of(correlation: str, method: str) -> dict[str, AttributeValue]:
    return {semconv.CORRELATION: correlation, semconv.METHOD: method}


def join_of(joins: Joins, node: Node) -> object:
    return joins.dressed(node).attributes.get(semconv.RPC_JOIN)


@pytest.mark.parametrize("order", [0, 1])
def test_both_ends_find_each_other_in_any_order(order: int) -> None:
    joins, request, response = Joins(), end(NodeKind.REQUEST), end(NodeKind.RESPONSE)
    both = [(request, "a", "shop"), (response, "b", "stock")]
    turned = [
        one for node, process, service in both[:: 1 if order else -1] for one in joins.put(node, process, service, S)
    ]
    assert {one.process for one in turned} == {"a", "b"}
    assert joins.links(request.id) == (Edge(EdgeKind.RPC_LINK, request.id, response.id, response.created_at),)
    services = [joins.dressed(node).attributes[semconv.RPC_SERVICE] for node in (request, response)]
    assert (join_of(joins, request), join_of(joins, response), services) == (
        "both_ends",
        "both_ends",
        ["stock", "shop"],
    )


def test_a_link_ends_with_either_of_its_ends() -> None:
    joins, request, response = Joins(), end(NodeKind.REQUEST), end(NodeKind.RESPONSE)
    joins.put(request, "a", "shop", S)
    joins.put(response, "b", "stock", S)
    joins.drop(response.id, 2 * S)
    assert (joins.links(request.id), join_of(joins, request)) == ((), Join.FINISHED_ON_ONE_SIDE)
    other = end(NodeKind.RESPONSE)
    joins.put(other, "b", "stock", 3 * S)
    assert [edge.dst for edge in joins.links(request.id)] == [other.id]
    joins.drop(request.id, 4 * S)
    assert (joins.links(request.id), join_of(joins, other)) == ((), Join.FINISHED_ON_ONE_SIDE)
    joins.drop(other.id, 5 * S)
    assert list(joins.ids()) == []


def test_a_caller_that_never_shows_is_unknown() -> None:
    joins, alone, awaited = Joins(), end(NodeKind.RESPONSE, ""), end(NodeKind.RESPONSE)
    for node in (alone, awaited):
        joins.put(node, "b", "stock", S)
    assert (join_of(joins, alone), join_of(joins, awaited)) == ("caller_unknown", None)
    joins.age(4 * S)
    assert join_of(joins, awaited) == "caller_unknown"


def test_a_request_that_nobody_receives_is_judged_by_who_listens_there() -> None:
    joins = Joins()
    nodes = {port: end(NodeKind.REQUEST, f"{CALL}{port}", port) for port in (1, 2, 3)}
    for node in nodes.values():
        joins.put(node, "a", "shop", S)
    assert joins.unanswered() == {Peer("127.0.0.1", port) for port in nodes}
    assert [join_of(joins, node) for node in nodes.values()] == [None, None, None]
    joins.age(4 * S, {Peer("127.0.0.1", 1): True, Peer("127.0.0.1", 2): False})
    assert [join_of(joins, node) for node in nodes.values()] == [
        "not_received",
        "peer_not_attached",
        "peer_not_attached",
    ]


def test_who_was_reached_once_is_attached() -> None:
    joins = Joins()
    first, second = end(NodeKind.REQUEST, "one", 1), end(NodeKind.REQUEST, "two", 1)
    joins.put(first, "a", "shop", S)
    joins.put(end(NodeKind.RESPONSE, "one"), "b", "stock", S)
    joins.put(second, "a", "shop", S)
    joins.age(4 * S)
    assert join_of(joins, second) == "not_received"


def test_without_an_address_it_is_the_service_that_was_reached() -> None:
    joins = Joins()
    methods = {"one": "shop.Stock/Read", "two": "shop.Stock/Take", "three": "shop.Prices/Read"}
    requests = {one: replace(end(NodeKind.REQUEST, one), attributes=of(one, name)) for one, name in methods.items()}
    for request in requests.values():
        joins.put(request, "a", "shop", S)
    joins.put(end(NodeKind.RESPONSE, "one"), "b", "stock", S)
    joins.age(4 * S)
    assert {one: join_of(joins, request) for one, request in requests.items()} == {
        "one": "both_ends",
        "two": "not_received",
        "three": "peer_not_attached",
    }


@pytest.mark.skipif(not os.path.exists("/proc/self/net/tcp"), reason="needs Linux's /proc")
def test_who_listens_on_this_machine_is_read_from_its_sockets() -> None:
    with socket.socket() as listening, socket.socket() as closed:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        closed.bind(("127.0.0.1", 0))
        here, nowhere = (Peer("127.0.0.1", one.getsockname()[1]) for one in (listening, closed))
        away = Peer("192.0.2.1", here.port)
        assert attached([here, nowhere, away], [os.getpid()]) == {here: True}
        assert attached([here, nowhere, away], [os.getppid()]) == {here: False}


@dataclass
class Service:
    """A process whose handler holds a lock and calls the other one, and whose other handler wants the lock."""

    program: Program
    mine: str
    theirs: str
    calls: Node = field(init=False)
    answers: Node = field(init=False)

    def graph(self) -> tuple[list[Node], list[Edge]]:
        self.calls, self.answers = end(NodeKind.REQUEST, self.mine), end(NodeKind.RESPONSE, self.theirs)
        since = time.time_ns() - 10 * S
        order, stock, lock = new_id(NodeKind.TASK), new_id(NodeKind.TASK), new_id(NodeKind.LOCK)
        service = self.program.service
        tasks = [
            Node(
                task,
                NodeKind.TASK,
                f"{name} of {service}",
                since,
                "app.py:1",
                state="waiting",
                wait=Wait(operation, since, f"app.py:{line}"),
                steps=1,
            )
            for task, name, operation, line in (
                (order, "order", "stream.read", 7),
                (stock, "stock", "lock.acquire", 9),
            )
        ]
        nodes = [*tasks, Node(lock, NodeKind.LOCK, "books", since, "app.py:2", providers=Providers.CLOSED)]
        edges = [
            Edge(EdgeKind.NEEDS, order, self.calls.id, since, "app.py:7"),
            Edge(EdgeKind.NEEDS, stock, lock, since, "app.py:9"),
            Edge(EdgeKind.HELD_BY, lock, order, since, "app.py:6"),
            Edge(EdgeKind.HANDLED_BY, self.answers.id, stock, since),
        ]
        return [*nodes, self.calls, self.answers], edges


@pytest.mark.parametrize("first", [0, 1])
def test_two_services_that_wait_for_each_other_are_one_deadlock(collector: Running, first: int) -> None:
    there = f"{CALL}-there"
    shop = Service(Program("app-1", "shop"), CALL, there)
    stock = Service(Program("app-2", "stock", 4712, 0x52AB), there, CALL)
    services = [shop, stock][:: 1 if first else -1]
    for service in services:
        nodes, edges = service.graph()
        collector.send(service.program.snapshot(nodes, edges, key_frame=True))

    def stuck() -> bool:
        for service in services:
            collector.send(service.program.snapshot([]))
        return bool(collector.get("/api/findings")["verdict"]["stuck"])

    eventually(stuck)
    (finding,) = collector.get("/api/findings")["findings"]
    assert (finding["kind"], finding["level"], sorted(finding["processes"])) == (
        "deadlock",
        "LIKELY",
        ["app-1", "app-2"],
    )
    assert len(finding["core"]) == 10
    services_told = [("shop", "stock"), ("stock", "shop")]
    chains = [
        f"order of {here} waits for request GET /x to {other}, handled by stock of {other} in {other}, which waits for "
        f"Lock books, held by order of {other}, which waits for request GET /x to {here}, handled by stock of {here} "
        f"in {here}, which waits for another Lock books, held by order of {here}"
        for here, other in services_told
    ]
    assert finding["title"] in chains
    assert finding["advice"].startswith("Do not wait for request GET /x to ")
    links = collector.sql("SELECT src, dst, op FROM edge_change WHERE kind = 'rpc_link' ORDER BY src")
    pairs = [(shop.calls.id, stock.answers.id), (stock.calls.id, shop.answers.id)]
    eventually(
        lambda: (
            sorted(collector.sql("SELECT src, dst FROM edge_change WHERE kind = 'rpc_link' AND op = 'add'"))
            == sorted(map(list, pairs))
        ),
        f"both links are stored, not {links}",
    )
    shown = {node["id"]: node for node in collector.get("/api/snapshot")["nodes"]}
    for call, answer in pairs:
        assert [shown[one]["attributes"]["peeps.rpc.join"] for one in (call, answer)] == ["both_ends"] * 2

    collector.send(stock.program.snapshot([], gone=[stock.answers.id]))
    eventually(lambda: not collector.get("/api/findings")["verdict"]["stuck"])
    ended = next(node for node in collector.get("/api/snapshot")["nodes"] if node["id"] == shop.calls.id)
    assert ended["attributes"]["peeps.rpc.join"] == "finished_on_one_side"


def test_a_process_that_ends_takes_its_ends_with_it(collector: Running) -> None:
    shop, stock = Program("app-1", "shop"), Program("app-2", "stock", 4712, 0x52AB)
    request, response = end(NodeKind.REQUEST), end(NodeKind.RESPONSE)
    collector.send(shop.snapshot([request], key_frame=True))
    collector.send(stock.snapshot([response], key_frame=True))

    def join() -> object:
        return {n["id"]: n["attributes"].get("peeps.rpc.join") for n in collector.get("/api/snapshot")["nodes"]}

    eventually(lambda: join() == {request.id: "both_ends", response.id: "both_ends"})
    stock.interval_ns = 0
    collector.send(stock.snapshot([], key_frame=True))
    eventually(lambda: join() == {request.id: "finished_on_one_side"})


def test_the_ends_that_are_remembered_are_bounded() -> None:
    joins = Joins()
    numbers = itertools.count()
    for number in itertools.islice(numbers, 25_000):
        node = end(NodeKind.REQUEST, str(number))
        joins.put(node, "a", "shop", S)
        joins.drop(node.id, S)
    old, new = end(NodeKind.RESPONSE, "0"), end(NodeKind.RESPONSE, "24999")
    for node in (old, new):
        joins.put(node, "b", "stock", S)
    assert (join_of(joins, old), join_of(joins, new)) == (None, "finished_on_one_side")
