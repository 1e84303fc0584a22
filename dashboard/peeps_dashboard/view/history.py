# SPDX-License-Identifier: Apache-2.0
"""The recorded history to draw: how much moved when, and what was found when. Positions are parts of the width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from ..api import Changed, Difference, Node, Timeline
from . import ages, words
from .columns import Table
from .words import Tone

_THINNEST = 0.004


@dataclass(frozen=True)
class Bar:
    left: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    id: str
    tone: Tone
    left: float
    width: float
    title: str
    jump_ns: int


@dataclass(frozen=True)
class History:
    from_ns: int
    to_ns: int
    bars: Sequence[Bar]
    marks: Sequence[Mark]


def of_timeline(answer: Timeline, zone: tzinfo | None = None) -> History:
    """Bars grow with the logarithm, so that one busy minute leaves the others to be seen. A mark leads into
    its finding, at most a second after it began to be known."""
    from_ns, to_ns = answer["from_ns"], answer.get("to_ns", answer["now_ns"])
    whole = max(to_ns - from_ns, 1)
    most = max((one["count"] for one in answer["changes"]), default=1)
    bars = [
        Bar(
            max(one["from_ns"] - from_ns, 0) / whole,
            answer["step_ns"] / whole,
            math.log1p(one["count"]) / math.log1p(most),
        )
        for one in answer["changes"]
    ]
    marks: list[Mark] = []
    for one in answer["findings"]:
        end_ns = to_ns if one["to_ns"] is None else one["to_ns"]
        begun_ns = max(one["from_ns"], from_ns)
        left = min((begun_ns - from_ns) / whole, 1 - _THINNEST)
        width = min(max((end_ns - begun_ns) / whole, _THINNEST), 1 - left)
        title = f"{ages.clock(one['from_ns'], zone)} {one['headline']}: {one['title']}"
        known_ns = max(one["found_ns"], begun_ns)
        jump_ns = min(known_ns + 1_000_000_000, (known_ns + max(end_ns, known_ns)) // 2)
        marks.append(Mark(one["id"], words.tone(one["level"]), left, width, title, jump_ns))
    return History(from_ns, to_ns, bars, marks)


def of_difference(answer: Difference, names: dict[str, str]) -> list[tuple[str, int, Table]]:
    """What moved and what did not: title, how many, and the first of them, those that wait longest first."""
    totals = answer["totals"]
    return [
        ("Did not move", totals["unmoved"], _nodes(answer["unmoved"], names)),
        ("Changed", totals["changed"], _changed(answer["changed"], names)),
        ("Appeared", totals["appeared"], _nodes(answer["appeared"], names)),
        ("Ended", totals["ended"], _nodes(answer["ended"], names)),
    ]


def _nodes(nodes: Sequence[Node], names: dict[str, str]) -> Table:
    ordered = sorted(nodes, key=_since)
    return {
        "name": [node["label"] for node in ordered],
        "is": [_doing(node) for node in ordered],
        "for": [wait["age"] if (wait := node.get("wait")) else "" for node in ordered],
        "process": [names.get(node["process"], node["process"]) for node in ordered],
    }


def _changed(pairs: Sequence[Changed], names: dict[str, str]) -> Table:
    ordered = sorted(pairs, key=lambda pair: _since(pair["after"]))
    return {
        "name": [pair["after"]["label"] for pair in ordered],
        "was": [_doing(pair["before"]) for pair in ordered],
        "is": [_doing(pair["after"]) for pair in ordered],
        "process": [names.get(pair["after"]["process"], pair["after"]["process"]) for pair in ordered],
    }


def _since(node: Node) -> int:
    wait = node.get("wait")
    return wait["since_ns"] if wait else 1 << 63


def _doing(node: Node) -> str:
    wait = node.get("wait")
    return f"{wait['operation']} at {wait['short']}" if wait else node.get("state") or ""
