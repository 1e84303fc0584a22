# SPDX-License-Identifier: Apache-2.0
"""Calls in flight as the API and the terminal tell them."""

from __future__ import annotations

import re
import time

import pytest

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Providers, Wait
from tests.collector.collector_support import Program, Running, new_id
from tests.support.waiting import eventually

S = 1_000_000_000


def end(kind: NodeKind, method: str, correlation: str, age_s: int, state: str = "pending", **more: str | int) -> Node:
    attributes: dict[str, str | int | bool] = {semconv.METHOD: method}
    if correlation:
        attributes[semconv.CORRELATION] = correlation
    attributes |= {name.replace("_", "."): value for name, value in more.items()}
    return Node(
        new_id(kind),
        kind,
        method,
        time.time_ns() - age_s * S,
        "app.py:1",
        state=state,
        providers=Providers.ESTIMATED,
        attributes=attributes,
    )


def task(name: str, line: int, operation: str = "stream.read") -> Node:
    since = time.time_ns() - 40 * S
    wait = Wait(operation, since, f"app.py:{line}")
    return Node(new_id(NodeKind.TASK), NodeKind.TASK, name, since, "app.py:1", state="waiting", wait=wait)


def without_ages(text: str) -> str:
    return re.sub(r"(sent|received) \d+ m?s ago", r"\1 AGE ago", text)


@pytest.fixture
def told(collector: Running) -> Running:
    """Two services: one call that both see, and one of each kind that only one of them sees."""
    shop, inventory = Program("app-1", "shop"), Program("app-2", "inventory", 4712, 0x52AB)
    order, reserve = task("order", 7), task("reserve", 12, "lock.acquire")
    lock = Node(new_id(NodeKind.LOCK), NodeKind.LOCK, "books", time.time_ns(), "app.py:2", providers=Providers.CLOSED)
    joined = end(NodeKind.REQUEST, "GET /x", "one", 40)
    detached = end(NodeKind.REQUEST, "GET /y", "two", 30, "detached", server_address="10.0.0.7", server_port=80)
    answer = end(NodeKind.RESPONSE, "GET /x", "one", 39)
    alone = end(NodeKind.RESPONSE, "GET /z", "", 2)
    collector.send(
        shop.snapshot(
            [order, joined, detached], [Edge(EdgeKind.NEEDS, order.id, joined.id, source="app.py:7")], key_frame=True
        )
    )
    collector.send(
        inventory.snapshot(
            [reserve, lock, answer, alone],
            [
                Edge(EdgeKind.NEEDS, reserve.id, lock.id, source="app.py:12"),
                Edge(EdgeKind.HANDLED_BY, answer.id, reserve.id),
            ],
            key_frame=True,
        )
    )

    def known() -> bool:
        found = collector.get("/api/calls")["calls"]
        return len(found) == 3 and all(call["join"] for call in found)

    eventually(known, "all of them are judged")
    return collector


TEXTS = [
    "request GET /x to service inventory, sent AGE ago by order in shop, handled by reserve in inventory, which waits "
    "for Lock books at app.py:12",
    "request GET /y to 10.0.0.7:80, sent AGE ago by a task that has ended; its receiver does not report here",
    "response GET /z in inventory, received AGE ago from an unknown caller, handled by nobody who is seen",
]


def test_each_call_is_told_in_a_sentence_oldest_first(told: Running) -> None:
    answer = told.get("/api/calls")
    assert [without_ages(call["text"]) for call in answer["calls"]] == TEXTS
    assert [call["join"] for call in answer["calls"]] == ["both_ends", "peer_not_attached", "caller_unknown"]
    assert [call["processes"] for call in answer["calls"]] == [["app-1", "app-2"], ["app-1"], ["app-2"]]
    assert (answer["total"], answer["calls"][0]["method"], answer["calls"][0]["correlation"]) == (3, "GET /x", "one")


def test_a_response_whose_request_is_over_says_what_that_may_mean(collector: Running) -> None:
    shop, inventory = Program("app-1", "shop"), Program("app-2", "inventory", 4712, 0x52AB)
    request, response = end(NodeKind.REQUEST, "GET /x", "one", 40), end(NodeKind.RESPONSE, "GET /x", "one", 39)
    collector.send(shop.snapshot([request], key_frame=True))
    collector.send(inventory.snapshot([response], key_frame=True))
    eventually(lambda: collector.get("/api/calls")["calls"][0]["join"] == "both_ends", "they are joined")
    collector.send(shop.snapshot([], gone=[request.id]))  # the stock clients end their spans at the headers
    eventually(lambda: collector.get("/api/calls")["calls"][0]["join"] == "finished_on_one_side", "it is over")
    (call,) = collector.get("/api/calls")["calls"]
    assert without_ages(call["text"]) == (
        "response GET /x in inventory, received AGE ago, whose caller has given up or reads the answer, handled by "
        "nobody who is seen"
    )


def test_they_are_chosen_by_age_process_and_number(told: Running) -> None:
    def methods(query: str) -> list[str]:
        return [call["method"] for call in told.get(f"/api/calls?{query}")["calls"]]

    assert methods("least_ms=25000") == ["GET /x", "GET /y"]
    assert methods("process=app-2") == ["GET /x", "GET /z"]
    assert methods("limit=1") == ["GET /x"]
    assert told.get("/api/calls?limit=1")["total"] == 3


def test_the_terminal_lists_them_and_says_the_long_ones_beside_a_verdict(told: Running) -> None:
    said = told.peeps("calls")
    assert (said.returncode, [without_ages(line) for line in said.stdout.splitlines()]) == (0, TEXTS)
    why = told.peeps("why", "--no-ask")
    assert why.returncode == 2, why.stderr  # these programs have told one look only
    lines = [without_ages(line) for line in why.stdout.splitlines()]
    assert lines[lines.index("In flight for more than 5 s:") + 1 :][:2] == [f"  {text}" for text in TEXTS[:2]]


def test_where_there_are_none(collector: Running) -> None:
    said = collector.peeps("calls")
    assert (said.returncode, said.stdout) == (0, "No request is in flight.\n")
