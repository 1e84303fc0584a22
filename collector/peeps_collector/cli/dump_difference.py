# SPDX-License-Identifier: Apache-2.0
"""What moved between two dumps: tasks and threads, and findings that stayed, came and went."""

from __future__ import annotations

import json
import sys
from typing import Any

from peeps_otel.diagnosis.progress import Progress, progress
from peeps_otel.dump.aligning import aligned
from peeps_otel.dump.answers import findings_answer, graph, shown, snapshot_answer
from peeps_otel.dump.dump import Dump
from peeps_otel.report.style import Style, printable

from .client import ClientError
from .command import JSON_FORMAT
from .dumped import load
from .progress_report import report

Json = dict[str, Any]

_NAMED_MOST = 20
_TWO_VISITS = (
    "The dumps are of two visits to a process that is not watched: who waits at the same line for the same thing may "
    "have gone on in between and come back to it."
)


def show_difference(before: str, after: str, *, as_json: bool) -> int:
    """Prints it. 1 where something stuck is in both, else 0. Raises ClientError."""
    first, second = load(before), load(after)
    if first.time_ns > second.time_ns:
        first, second = second, first
    second, two_visits = aligned(first, second)
    told = difference(first, second)
    if as_json:
        json.dump({"format": JSON_FORMAT} | told, sys.stdout, indent=2)
        print()
    else:
        print("\n".join(lines(told, first, second, Style()) + ([f"\n{_TWO_VISITS}"] if two_visits else [])))
    return 1 if any(one["level"] != "SLOW" for one in told["findings"]["stayed"]) else 0


def difference(first: Dump, second: Dump) -> Json:
    """`advanced`, `still`, `started`, `ended` by node id, `changed` in words; `findings`: what `stayed`, `came`,
    `went`, in the words of the later dump (of the earlier, for what went). Raises ClientError where they have no
    process in common."""
    if not first.owner.keys() & second.owner.keys():
        raise ClientError("the two dumps have nothing in common: they are not of the same run of a program")
    found = progress(graph(first), graph(second))
    earlier = {one["id"]: one for one in findings_answer(first)["findings"]}
    later = {one["id"]: one for one in findings_answer(second)["findings"]}
    return {
        "seconds": (second.time_ns - first.time_ns) / 1e9,
        **{name: getattr(found, name) for name in Progress.__dataclass_fields__},
        "findings": {
            "stayed": [one for key, one in later.items() if key in earlier],
            "came": [one for key, one in later.items() if key not in earlier],
            "went": [one for key, one in earlier.items() if key not in later],
        },
    }


def lines(told: Json, first: Dump, second: Dump, style: Style) -> list[str]:
    """The text, line by line."""
    found = Progress(**{name: told[name] for name in Progress.__dataclass_fields__})
    said = (("stayed", "red", "still open"), ("came", "yellow", "new"), ("went", "green", "no longer"))
    text = [
        f"{style(colour, word)}: {printable(one['headline'])}: {printable(one['title'])}"
        for kind, colour, word in said
        for one in told["findings"][kind]
    ]
    named = [
        ("Advanced", _named(found.advanced, second)),
        ("Started", _named(found.started, second)),
        ("Ended", _named(found.ended, first)),
    ]
    body = report(found, round(told["seconds"], 1), snapshot_answer(second), style)
    more = [f"{word}: {', '.join(names)}" for word, names in named if names]
    return [*text, *([""] if text else []), body[0], *more, *body[1:]]


def _named(ids: list[str], dump: Dump) -> list[str]:
    words = shown(dump)
    labels = [printable(words.node(dump.nodes[one])["label"]) for one in ids[:_NAMED_MOST]]
    return [*labels, f"{len(ids) - _NAMED_MOST:,} more"] if len(ids) > _NAMED_MOST else labels
