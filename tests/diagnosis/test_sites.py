# SPDX-License-Identifier: Apache-2.0
"""Where those who wait behind a finding are: by lines of the program, not of the library that made the tasks."""

from __future__ import annotations

from peeps_otel.diagnosis.evidence import sites
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Frame, Graph, Node, NodeKind, Site

_SERVER = Frame("RequestHandler.start", "/lib/aiohttp/web_protocol.py", 609, "aiohttp")
_OWN = Frame("handler", "/srv/shop/app.py", 5, "")


def _sites(*nodes: Node) -> list[Site]:
    graph = WaitGraph(Graph({node.id: node for node in nodes}, []), frozenset())
    return sites(graph, [node.id for node in nodes])


def _task(name: str, source: str, *stack: Frame) -> Node:
    return Node(f"task:{name}", NodeKind.TASK, name, 1, source, stack=stack)


def test_those_that_the_program_made_by_the_line_that_did() -> None:
    made = [_task(f"t{number}", "/srv/shop/main.py:7", _OWN) for number in range(3)]
    assert _sites(*made, _task("other", "/srv/shop/main.py:9")) == [
        Site("/srv/shop/main.py:7", 3, "t0"),
        Site("/srv/shop/main.py:9", 1, "other"),
    ]


def test_those_that_a_library_made_by_their_own_line_and_its_own_tasks_not_at_all() -> None:
    handler = _task("handler", "/lib/aiohttp/web_protocol.py:684", _SERVER, _OWN)
    connection = _task("connection", "/lib/aiohttp/web_protocol.py:383", _SERVER)
    assert _sites(connection, handler) == [Site("/srv/shop/app.py:5", 1, "handler")]


def test_where_there_is_nothing_better_the_line_of_the_library_is_told() -> None:
    connection = _task("connection", "/lib/aiohttp/web_protocol.py:383", _SERVER)
    assert _sites(connection) == [Site("/lib/aiohttp/web_protocol.py:383", 1, "connection")]
