# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process of this machine that reports to no collector, as a small answer for an agent."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from peeps_otel.attach import processes
from peeps_otel.attach.attach import Attached, as_dump, attach
from peeps_otel.dump.answers import findings_answer, processes_by_id, snapshot_answer

from ..cli.client import ClientError
from .answers import FindingTold, Verdict, WaitTold, findings_told, wait_told

Json = dict[str, Any]

_WAITS_MOST = 20
_PROCESSES_MOST = 30
_COMMAND_MOST = 100
_WAITERS = ("task", "thread")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class AttachedVerdict(Verdict):
    """`waits`: who waits, the longest first, those that findings tell of last. `left_alone`: processes that
    were not looked into, and why."""

    waits: list[WaitTold]
    left_alone: list[str]


def attached_verdict(pid: int | None, match: str | None, wait_s: float | None) -> AttachedVerdict:
    """Blocks. Raises ClientError, which says which processes there are where none is meant."""
    pids = _meant(pid, match)
    with _one_at_a_time:  # a process has one tracer
        answers = attach(pids, wait_s)
    found = {one: seen for one, seen in answers.items() if isinstance(seen, Attached)}
    left = [
        f"{processes.name(one)} (pid {one}): {seen}" for one, seen in answers.items() if not isinstance(seen, Attached)
    ]
    if not found:
        raise ClientError(f"left as it was: {'; '.join(left)}")
    dump = as_dump(list(found.values()))
    answer = findings_answer(dump)
    names = {key: f"{one['service']} (pid {one['pid']})" for key, one in processes_by_id(dump).items()}
    findings, more = findings_told(answer["findings"], names)
    return AttachedVerdict(
        stuck=answer["verdict"]["stuck"],
        sentence=answer["verdict"]["sentence"],
        findings=findings,
        more_findings=more,
        unsure=[f"{one['name']}: {one['note']}" for one in answer["verdict"]["cannot_judge"]],
        waits=_waits(snapshot_answer(dump)["nodes"], findings, names),
        left_alone=left,
    )


def _waits(nodes: list[Json], findings: list[FindingTold], names: dict[str, str]) -> list[WaitTold]:
    told = {one.open for one in findings}
    waiting = [
        one
        for one in nodes
        if one["kind"] in _WAITERS
        and (one["state"] == "blocked" if one["wait"] is None else one["state"] != "idle")
        and not one["telemetry"]
    ]
    waiting.sort(key=lambda one: one["wait"]["since_ns"] if one["wait"] else 0)
    waits = [wait_told(one, names) for one in waiting]
    return sorted(waits, key=lambda one: one.open in told)[:_WAITS_MOST]


def _meant(pid: int | None, match: str | None) -> list[int]:
    if pid is not None:
        return processes.with_children([pid])
    found = processes.matching(match) if match else []
    if not found:
        there = [
            f"{one} ({' '.join(processes.command(one))[:100]})" for one in processes.all_python()[:_PROCESSES_MOST]
        ]
        asked = f"no Python process has {match!r} in its command line" if match else "say a pid, or a part of a command"
        raise ClientError(f"{asked}; there are: {', '.join(there) or 'none that we may see'}")
    return processes.with_children(found)
