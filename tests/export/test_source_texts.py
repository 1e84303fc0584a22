# SPDX-License-Identifier: Apache-2.0
"""Which lines are told: those of findings and of long waits, once, and again with each key frame."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from peeps_otel import semconv
from peeps_otel.export.source_texts import SourceTexts
from peeps_otel.model import EvidenceStep, Finding, FindingKind, Frame, Level, Node, NodeKind, Snapshot, Wait
from peeps_otel.model.seal import is_text_sealed
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.source.line_text import LineTexts
from peeps_otel.watcher.interfaces import CycleResult

SECRET = 7
NOW_NS = 100_000_000_000


def look(findings: list[Finding], *nodes: Node, key_frame: bool = False) -> CycleResult:
    snapshot = Snapshot(1, 2, NOW_NS, key_frame, secret=SECRET)
    return CycleResult(Observation({node.id: node for node in nodes}), snapshot, findings, [], [], [], [])


def waiter(name: str, file: str, line: int, since_ns: int) -> Node:
    return Node(
        f"task:{name}",
        NodeKind.TASK,
        name,
        5,
        f"{file}:1",
        wait=Wait("lock.acquire", since_ns, f"{file}:{line}"),
        stack=(Frame("main", file, 2, ""), Frame("acquire", "/usr/lib/python3/asyncio/locks.py", 9, "Python")),
    )


def told(texts: SourceTexts, cycle: CycleResult) -> dict[Any, tuple[Any, Any]]:
    """By place: the first line and the text. Each is sealed."""
    found: dict[Any, tuple[Any, Any]] = {}
    for record in texts.due(cycle):
        attributes: Any = record.attributes
        assert record.event_name == semconv.EVENT_SOURCE_TEXT
        place, first, seal = (
            attributes[key] for key in (semconv.SOURCE, semconv.SOURCE_TEXT_FIRST, semconv.SOURCE_TEXT_SEAL)
        )
        assert is_text_sealed(seal, SECRET, place, first, str(record.body))
        found[place] = (first, record.body)
    return found


def test_the_lines_of_a_finding_are_told_once_and_again_with_a_key_frame(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("".join(f"line{number}\n" for number in range(1, 30)))
    held, waits = f"{file}:20", f"{file}:10"
    step = EvidenceStep("task:a", "lock:l", "task:gone", NOW_NS, "", waits, hold_source=held)
    finding = Finding("deadlock:1", FindingKind.DEADLOCK, Level.PROVEN, "", NOW_NS, ["task:a"], evidence=[step])
    texts = SourceTexts(LineTexts(time.time_ns() + 10**18))
    stuck = look([finding], waiter("a", str(file), 10, NOW_NS))
    expected = {
        waits: (8, "line8\nline9\nline10\nline11\nline12"),
        held: (18, "line18\nline19\nline20\nline21\nline22"),
        f"{file}:2": (1, "line1\nline2\nline3\nline4"),
    }
    assert told(texts, stuck) == expected
    assert told(texts, stuck) == {}
    stuck.snapshot.key_frame = True
    assert told(texts, stuck) == expected


def test_a_long_wait_is_told_and_a_short_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("first\nsecond\nthird\n")
    texts = SourceTexts(LineTexts(time.time_ns() + 10**18))
    short = waiter("b", str(file), 2, NOW_NS - 4_000_000_000)
    long = waiter("a", str(file), 3, NOW_NS - 6_000_000_000)
    assert told(texts, look([], long, short)) == {f"{file}:3": (1, "first\nsecond\nthird")}


def test_many_lines_come_a_few_after_each_look(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("".join(f"line{number}\n" for number in range(1, 60)))
    nodes = [waiter(str(number), str(file), number, NOW_NS - 10**10) for number in range(1, 31)]
    texts = SourceTexts(LineTexts(time.time_ns() + 10**18))
    assert [len(told(texts, look([], *nodes))) for _ in range(4)] == [12, 12, 6, 0]
