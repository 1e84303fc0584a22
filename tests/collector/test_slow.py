# SPDX-License-Identifier: Apache-2.0
"""Why something is slow: flame graphs, histograms over time and curves, out of the stored history."""

from __future__ import annotations

import time
from typing import Any

from peeps_collector.slow.curves import Level, curve
from peeps_collector.slow.flame import HOLDER, ONE_SIDED, RESOURCE, Box, Sample, flame
from peeps_collector.slow.heat import Cell, Point, heat
from peeps_otel import semconv
from peeps_otel.model import Frame, Node, NodeKind, Snapshot
from tests.collector import blame_story
from tests.collector.collector_support import Program, Running, event, new_id
from tests.support.network import http
from tests.support.waiting import eventually

MS, S = 1_000_000, 1_000_000_000


def sample(ns: int, *frames: str) -> Sample:
    return Sample(tuple((frame, ONE_SIDED) for frame in frames), ns)


def test_stacks_become_boxes_the_largest_from_the_left() -> None:
    found = flame([sample(1, "main", "read"), sample(5, "main", "write"), sample(2, "main"), sample(0, "never")], 10)
    assert found.total_ns == 8
    assert found.boxes == [
        Box(None, 0, 0, 8, 2, "main", ONE_SIDED),
        Box(0, 1, 0, 5, 5, "write", ONE_SIDED),
        Box(0, 1, 5, 1, 1, "read", ONE_SIDED),
    ]
    assert found.left_out == 0


def test_too_many_boxes_leave_out_the_smallest_and_keep_every_parent() -> None:
    found = flame([sample(10, "a", "b", "c"), sample(3, "d", "e"), sample(2, "f")], 4)
    assert [(box.text, box.parent) for box in found.boxes] == [("a", None), ("d", None), ("b", 0), ("c", 2)]
    assert found.left_out == 2


def test_a_stack_of_thousands_of_frames_is_no_trouble() -> None:
    found = flame([sample(1, *(f"f{n}" for n in range(5_000)))], 10_000)
    assert (len(found.boxes), found.boxes[-1].depth, found.boxes[-1].parent) == (5_000, 4_999, 4_998)


def test_cells_count_what_ended_in_a_step_by_its_length() -> None:
    points = [
        Point(100, 2 * MS, "db.py:9"),
        Point(109, 2 * MS, "db.py:9"),
        Point(105, MS, "app.py:1"),
        Point(110, 200 * S, "app.py:2"),
        Point(120, 5, "app.py:3"),  # at the very end: still in the last step
        Point(99, 5, "before"),
        Point(121, 5, "after"),
    ]
    assert heat(points, 100, 10, 2) == [Cell(0, 1, 3, "db.py:9"), Cell(1, 0, 1, "app.py:3"), Cell(1, 11, 1, "app.py:2")]


def test_a_curve_has_the_most_of_each_step_and_gaps_where_there_was_nothing() -> None:
    levels = [Level(0, 15, 4), Level(15, 22, 9), Level(22, 30, 0), Level(45, 1_000, 2)]
    assert curve(levels, 10, 10, 5) == [9, 9, None, 2, 2]


def tell_of_a_busy_thread(collector: Running) -> Program:
    """A thread that computed for two of four seconds, beside a queue that filled up."""
    program = Program()
    began = time.time_ns() - 20 * S
    thread, queue = new_id(NodeKind.THREAD), new_id(NodeKind.TX)

    def at(seconds: int, function: str, cpu_ns: int, length: int, key_frame: bool = False) -> None:
        program.sequence += 1
        told: dict[str, Any] = {semconv.THREAD_CPU_TIME: cpu_ns}
        stack = (Frame("main", "/srv/shop/app.py", 3), Frame(function, "/srv/shop/app.py", 7))
        full: dict[str, Any] = {semconv.CHANNEL_LENGTH: length, semconv.CHANNEL_CAPACITY: 4}
        nodes = [
            Node(thread, NodeKind.THREAD, "MainThread", began, "", state="running", stack=stack, attributes=told),
            Node(queue, NodeKind.TX, "jobs", began, "/srv/shop/app.py:2", attributes=full),
        ]
        snapshot = Snapshot(program.stream_id, program.sequence, began + seconds * S, key_frame, nodes, [])
        snapshot.interval_ns = program.interval_ns
        collector.send(program.request(event("peeps.snapshot", body=program.encoder.encode(snapshot))))

    at(0, "parse", 0, 0, key_frame=True)
    at(2, "rest", 1 * S, 4)
    at(4, "parse", 1 * S, 1)
    eventually(lambda: collector.sql("SELECT count(*) FROM snapshot")[0][0] >= 3)
    return program


def test_where_threads_were_and_what_of_it_used_a_processor(collector: Running) -> None:
    tell_of_a_busy_thread(collector)
    where = collector.get("/api/flame?of=threads")
    assert [(box["text"], box["ns"] // S, box["short"]) for box in where["boxes"]] == [
        ("main", 4, "shop/app.py:3"),
        ("parse", 2, "shop/app.py:7"),
        ("rest", 2, "shop/app.py:7"),
    ]
    used = collector.get("/api/flame?of=cpu")
    assert [(box["text"], box["own_ns"]) for box in used["boxes"]] == [("main", 0), ("parse", S)]


def test_how_full_a_queue_was(collector: Running) -> None:
    program = tell_of_a_busy_thread(collector)
    answer = collector.get("/api/depths?since_s=60")
    (only,) = answer["curves"]
    told = {key: only[key] for key in ("process", "kind_word", "label", "short", "what", "capacity", "most")}
    assert told == {
        "process": program.instance,
        "kind_word": "Queue",
        "label": "Queue jobs",
        "short": "shop/app.py:2",
        "what": "items",
        "capacity": 4,
        "most": 4,
    }
    values = only["values"]
    assert len(values) == answer["steps"]
    assert [v for n, v in enumerate(values) if v is not None and (n == 0 or values[n - 1] != v)] == [0, 4]
    assert answer["total"] == 1
    assert collector.get("/api/depths?since_s=60&offset=1")["curves"] == []


def test_both_sides_of_a_wait(collector: Running) -> None:
    blame_story.tell(collector)
    boxes = collector.get("/api/flame?of=blame")["boxes"]
    assert [(box["text"], box["side"], box["ns"] // S) for box in boxes] == [
        ("move", ONE_SIDED, 9),
        ("[lock db]", RESOURCE, 9),
        ("nap", HOLDER, 9),
        ("audit", HOLDER, 9),
    ]
    of_tasks = collector.get("/api/flame?of=tasks")["boxes"]
    assert [(box["text"], box["depth"], box["ns"] // S) for box in of_tasks] == [
        ("audit", 0, 10),
        ("move", 0, 9),
        ("[lock db]", 1, 9),
        ("nap", 1, 10),
        ("[sleep]", 2, 10),
    ]


def test_how_long_waits_took_and_when(collector: Running) -> None:
    blame_story.tell(collector)
    answer = collector.get("/api/heat?of=waits&since_s=60")
    assert [(cell["number"], cell["where"], answer["bounds_ns"][cell["row"]]) for cell in answer["cells"]] == [
        (1, "app.py:31", 10 * S),
        (1, "app.py:40", 30 * S),
    ]
    before = collector.get("/api/heat?of=waits&since_s=60&at=-40s")
    assert before["cells"] == []
    assert collector.get("/api/heat?of=lag")["cells"] == []


def test_what_is_wrong_with_a_question_is_said(collector: Running) -> None:
    wrong = {
        "/api/flame?of=x": "of",
        "/api/heat?of=blame": "of",
        "/api/depths?limit=0": "limit",
        "/api/flame?at=x": "at",
    }
    for path, field in wrong.items():
        answer = http(f"http://{collector.api}{path}")
        assert (answer.status, answer.json()["error"]["field"]) == (400, field)
