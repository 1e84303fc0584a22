# SPDX-License-Identifier: Apache-2.0
"""What the API says in words: labels, ages, whose threads they are, and how many wait."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_otel.model import Edge, EdgeKind, Frame, Node, NodeKind, Wait
from peeps_otel.report import in_words
from peeps_otel.report.behind import as_a_person_counts, handled_by, unanswered
from peeps_otel.report.in_words import Places
from tests.collector.collector_support import new_id

SECOND = 1_000_000_000
NOW = 1_795_000_000 * SECOND


def waiting(kind: NodeKind, name: str, operation: str = "lock.acquire") -> Node:
    node = Node(new_id(kind), kind, name, NOW - 60 * SECOND, "/srv/shop/app.py:3")
    node.wait = Wait(operation, NOW - 43 * SECOND, "/srv/shop/app.py:9", deadline_ns=NOW + 17 * SECOND)
    return node


def test_a_node_in_words() -> None:
    node = waiting(NodeKind.THREAD, "pump")
    node.stack = (
        Frame("run", "/srv/shop/app.py", 9, ""),
        Frame("wait", "/usr/lib/python3.11/threading.py", 7, "Python"),
    )
    told = in_words.live_node(node, NOW, Places("/srv/shop"))
    words = {key: told[key] for key in ("label", "kind_word", "age", "short", "telemetry")}
    assert words == {
        "label": "thread pump",
        "kind_word": "Thread",
        "age": "1 min",
        "short": "app.py:3",
        "telemetry": False,
    }
    assert {key: told["wait"][key] for key in ("age", "short", "gives_up_in", "source")} == {
        "age": "43 s",
        "short": "app.py:9",
        "gives_up_in": "17 s",
        "source": "/srv/shop/app.py:9",
    }
    assert [frame["short"] for frame in told["stack"]] == ["app.py:9", "python3.11/threading.py:7"]


@pytest.mark.parametrize(
    ("libraries", "theirs"),
    [
        (["opentelemetry-sdk", "Python"], True),
        (["Python", "peeps-otel"], True),
        (["aiohttp", "Python"], False),
        (["", "opentelemetry-sdk"], False),
        ([None, "opentelemetry-sdk"], False),
        ([], False),
    ],
)
def test_threads_of_telemetry_have_no_frame_of_the_program(libraries: list[str | None], theirs: bool) -> None:
    node = Node("thread:x", NodeKind.THREAD, "OtelBatch", 1, "")
    node.stack = tuple(Frame("run", f"{number}.py", 1, library) for number, library in enumerate(libraries))
    assert in_words.is_telemetry(node) is theirs


def test_a_request_that_is_several_tasks_counts_once() -> None:
    """Each request is a handler's task and one that awaits it; a gather over all of them is a further one."""
    edges: dict[str, tuple[Edge, ...]] = {"task:main": ()}
    for number in range(20):
        outer, inner = f"task:request-{number}", f"task:handler-{number}"
        edges["task:main"] += (Edge(EdgeKind.NEEDS, "task:main", outer),)
        edges[outer] = (Edge(EdgeKind.NEEDS, outer, inner),)
        edges[inner] = (Edge(EdgeKind.NEEDS, inner, "lock:db"),)
    people = as_a_person_counts({"blocked": list(edges)}, {}, edges)
    assert people == ["task:main", *(f"task:request-{number}" for number in range(20))]


def _task(name: str, library: str | None) -> Node:
    node = Node(f"task:{name}", NodeKind.TASK, name, 1, "")
    node.stack = (
        Frame("run", "server.py", 1, "aiohttp"),
        *((Frame("handler", "app.py", 5, ""),) if not library else ()),
    )
    return node


def test_the_task_in_a_line_of_the_program_stands_for_those_of_a_library() -> None:
    """One handler holds the lock and is told of; the others wait behind it, each awaited by its connection."""
    nodes: dict[str, Node] = {}
    edges: dict[str, tuple[Edge, ...]] = {}
    for number in range(3):
        outer, inner = _task(f"connection-{number}", "aiohttp"), _task(f"handler-{number}", None)
        nodes |= {outer.id: outer, inner.id: inner}
        edges[outer.id] = (Edge(EdgeKind.NEEDS, outer.id, inner.id),)
        edges[inner.id] = (Edge(EdgeKind.NEEDS, inner.id, "lock:db"),)
    finding = {"blocked": [one for one in nodes if one != "task:handler-0"], "core": ["task:handler-0", "lock:db"]}
    assert as_a_person_counts(finding, nodes, edges) == ["task:handler-1", "task:handler-2"]


def test_a_task_of_a_library_and_the_thread_that_works_for_it_count_once() -> None:
    """Handlers that a server runs in threads: what a person sees waiting is the thread."""
    nodes: dict[str, Node] = {}
    edges: dict[str, tuple[Edge, ...]] = {}
    for number in range(3):
        task, thread, future = _task(f"request-{number}", "uvicorn"), f"thread:{number}", f"future:{number}"
        nodes |= {task.id: task, thread: Node(thread, NodeKind.THREAD, "worker", 1, "")}
        edges[task.id] = (Edge(EdgeKind.NEEDS, task.id, future),)
        edges[future] = (Edge(EdgeKind.HELD_BY, future, thread),)
        edges[thread] = (Edge(EdgeKind.NEEDS, thread, "semaphore:pool"),)
    finding = {"blocked": [one for one in nodes if one != "thread:0"], "core": ["thread:0", "semaphore:pool"]}
    assert as_a_person_counts(finding, nodes, edges) == ["thread:1", "thread:2"]


def test_requests_whose_handlers_are_stuck_are_told() -> None:
    names = {"response:1": "GET /a", "response:2": "GET /b", "response:3": "GET /a", "request:4": "GET /c"}
    ends = [Node(one, NodeKind(one.partition(":")[0]), name, 1, "") for one, name in names.items()]
    handlers = {"response:1": "task:1", "response:2": "task:2", "response:3": "task:3", "request:4": "task:1"}
    edges = {one: (Edge(EdgeKind.HANDLED_BY, one, task),) for one, task in handlers.items()}
    found = unanswered({"core": ["task:1"], "blocked": ["task:3", "task:9"]}, handled_by(ends, edges))
    assert found == {"GET /a": 2}


def test_what_waits_behind() -> None:
    nodes: dict[str, Any] = {f"task:{name}": {"label": name} for name in "abcdef"} | {"thread:t": {"label": "thread t"}}
    tasks = [node for node in nodes if node.startswith("task:")]
    assert [
        in_words.behind([], nodes, 0),
        in_words.behind(["task:a"], nodes, 2),
        in_words.behind(["thread:t"], nodes, 1),
        in_words.behind(["task:a", "thread:t"], nodes, 2),
        in_words.behind(tasks, nodes, 6),
        in_words.behind([], nodes, 1031),
        in_words.behind(["thread:t", "thread:u", "thread:v"], nodes | {"thread:u": {"label": "thread t"}}, 4),
        in_words.behind([], nodes, 0, {"GET /a": 1}),
        in_words.behind(["task:a"], nodes, 2, {"GET /a": 1, "GET /b": 8}),
    ] == [
        {"count": 0, "text": "Nothing else waits behind it."},
        {"count": 1, "text": "1 task waits behind it: a."},
        {"count": 1, "text": "1 thread waits behind it: thread t."},
        {"count": 2, "text": "2 tasks and threads wait behind it: a, thread t."},
        {"count": 6, "text": "6 tasks wait behind it: a, b, c, d, e and 1 more."},
        {"count": 1031, "text": "1,031 tasks wait behind it."},
        {"count": 3, "text": "3 threads wait behind it: 2 × thread t and 1 more."},
        {"count": 0, "text": "1 request is not answered: GET /a."},
        {"count": 1, "text": "1 task waits behind it: a. 9 requests are not answered: 8 × GET /b, GET /a."},
    ]


def test_a_thing_that_is_called_by_its_place_has_one_short_form_of_it() -> None:
    lock = Node(new_id(NodeKind.LOCK), NodeKind.LOCK, "", NOW, "/srv/shop/app.py:3")
    assert in_words.live_node(lock, NOW, Places())["label"] == "Lock (shop/app.py:3)"
    assert in_words.live_node(lock, NOW, Places("/srv/shop"))["label"] == "Lock (app.py:3)"
