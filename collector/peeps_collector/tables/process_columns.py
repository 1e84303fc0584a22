# SPDX-License-Identifier: Apache-2.0
"""Processes as rows: how fresh the picture of each is, what looking at it costs, and what is missing from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from peeps_otel.report.sentences import duration

from ..graph.process import Process, State
from .column import Column, Fold, Type, Value
from .moment import Moment, Subject

_TRANSIT_NS = 5_000_000_000
"""A snapshot that comes so late may merely have been on its way; one of the future may not."""
_AHEAD_NS = 100_000_000


def process_subjects(moment: Moment) -> Iterator[Subject]:
    return (Subject(key, key, facts=facts) for key, facts in moment.processes.items())


def facts_now(process: Process) -> dict[str, Any]:
    """What is known of a process now."""
    info = process.info
    known: dict[str, Any] = {"service": info.service, "pid": info.pid, "host": info.host, "runtime": info.runtime}
    known |= {"state": process.state.value, "seen_ns": process.last_seen_ns, "first_ns": process.first_seen_ns}
    if process.state is State.FOREIGN:
        return known
    nodes = list(process.nodes.values())
    return known | {
        "nodes": len(nodes),
        "tasks": sum(node.kind == "task" for node in nodes),
        "waiting": sum(node.wait is not None for node in nodes),
        "cost": process.cpu_ns / process.interval_ns if process.interval_ns and process.sequence else None,
        "interval_ns": process.interval_ns or None,
        "skew_ns": _skew(process),
        "dropped": process.dropped,
        "missed": process.missed,
        "coverage": "; ".join(process.coverage_notes()),
        "shed": "; ".join(process.shed),
    }


def facts_then(process: Process | None, picture: Mapping[str, Any]) -> dict[str, Any]:
    """What the snapshot that was the last at an earlier moment said. `picture`: see store.past.pictures_at."""
    known: dict[str, Any] = {"service": picture["id"], "pid": None}
    if process is not None:
        info = process.info
        known = {"service": info.service, "pid": info.pid, "host": info.host, "runtime": info.runtime}
    late = picture["stale_ns"] > max(3 * picture["interval_ns"], _TRANSIT_NS)
    return known | {
        "state": State.SILENT.value if late else State.LIVE.value,
        "seen_ns": picture["time_ns"],
        "interval_ns": picture["interval_ns"] or None,
        "dropped": picture["dropped"],
        "shed": "; ".join(picture["shed"]),
    }


def _skew(process: Process) -> int | None:
    """How far its clock is ahead of ours, negative behind; None where it agrees as far as can be told."""
    if not process.sequence or not process.pulse_ns:
        return None
    ahead_ns = process.time_ns - process.pulse_ns
    return ahead_ns if ahead_ns > _AHEAD_NS or ahead_ns < -max(_TRANSIT_NS, 3 * process.interval_ns) else None


def _fact(key: str) -> Callable[[Moment, Subject], Value]:
    return lambda _, subject: subject.facts.get(key)


def _text(key: str) -> Callable[[Moment, Subject], Value]:
    return lambda _, subject: subject.facts.get(key) or None


def _clock(_: Moment, subject: Subject) -> Value:
    ahead_ns = subject.facts.get("skew_ns")
    return None if ahead_ns is None else f"{duration(abs(ahead_ns))} {'ahead' if ahead_ns > 0 else 'behind'}"


PROCESS_COLUMNS = (
    Column("state", "state", Type.TEXT, _fact("state")),
    Column("name", "process", Type.TEXT, lambda m, s: m.process_name(s.process), Fold.FIRST),
    Column("seen", "last heard", Type.SINCE, _fact("seen_ns"), Fold.MOST),
    Column("tasks", "tasks", Type.NUMBER, _fact("tasks")),
    Column("waiting", "waiting", Type.NUMBER, _fact("waiting")),
    Column("cost", "CPU of looking", Type.SHARE, _fact("cost")),
    Column("interval", "a look every", Type.DURATION, _fact("interval_ns")),
    Column("shed", "left out, to stay cheap", Type.TEXT, _text("shed")),
    Column("coverage", "cannot be seen", Type.TEXT, _text("coverage")),
    Column("clock", "its clock", Type.TEXT, _clock),
    Column("dropped", "lost there", Type.NUMBER, _fact("dropped")),
    Column("missed", "missed here", Type.NUMBER, _fact("missed")),
    Column("runtime", "runtime", Type.TEXT, _text("runtime")),
    Column("host", "host", Type.TEXT, _text("host")),
    Column("service", "service", Type.TEXT, _text("service"), is_shown=False),
    Column("nodes", "nodes", Type.NUMBER, _fact("nodes"), is_shown=False),
    Column("age", "known for", Type.SINCE, _fact("first_ns"), is_shown=False),
    Column("process", "process", Type.TEXT, lambda m, s: m.process_name(s.process), is_shown=False),
    Column("id", "id", Type.TEXT, lambda _, s: s.id, Fold.FIRST, is_shown=False),
)
