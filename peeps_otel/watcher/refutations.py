# SPDX-License-Identifier: Apache-2.0
"""The oracle of this process: whoever was said to wait for ever, and goes on by himself, refutes who said so.

A wait that was broken refutes nobody. A cancellation may end any wait at any time, and so may the end of a loop; what
is set free thereby goes on rightly. So a finding is refuted only where one of its members has gone on while none of
them was cancelled, or vanished without telling how. When in doubt it is merely resolved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol, cast
from weakref import ref

from ..diagnosis.refuted_sites import CLAIMS, RefutedSites
from ..model import Finding, Frame, Level, Node, NodeKind
from ..model.operations import operation
from ..probes import runtime
from ..probes.probe import Observation

_MEMBERS_MOST = 200
_CLAIMS_MOST = 500
_SEEN_LATER_NS = 1_000_000_000  # after it began, a wait that is first met by a look
_TASK = cast("Any", asyncio.Task)  # its own functions, whatever a subclass makes of them


class Refuted(NamedTuple):
    """`member`: the node id of the task or thread that has gone on."""

    finding: Finding
    member: str


class TaskReferences(Protocol):
    """Gives weak references to tasks by their nodes. On the watcher's thread."""

    def references(self, node_ids: Set[str]) -> dict[str, ref[asyncio.Task[Any]]]: ...


class _Fate(Enum):
    STILL = auto()
    MOVED = auto()
    BROKEN = auto()


@dataclass(slots=True)
class _Member:
    """One who waits. `future`: what his task was suspended on; None where that takes no weak reference, and of one who
    looks round again and again."""

    node: Node
    task: ref[asyncio.Task[Any]] | None = None
    future: ref[Any] | None = None
    cancel_requests: int = 0


class _Claim(NamedTuple):
    finding: Finding
    members: list[_Member]


class Refutations:
    """For the watcher thread only. Keeps weak references; at most 500 findings of 200 members are watched at a time.

    `tasks`: None: tasks that end are not known to have ended by themselves.
    """

    def __init__(self, tasks: TaskReferences | None) -> None:
        self._tasks = tasks
        self._claims: dict[str, _Claim] = {}
        self.sites = RefutedSites()

    def judge(
        self, findings: list[Finding], observation: Observation, now_ns: int
    ) -> tuple[list[Finding], list[Refuted]]:
        """`findings` as they may be said, knowing what was refuted; and those that were refuted since the last call,
        as they were said, which are not among them. `now_ns`: of the look."""
        refuted = [one for claim in self._claims.values() if (one := _refuted(claim, observation, now_ns)) is not None]
        for one in refuted:
            self.sites.add(one.finding, one.member)
        wrong = {one.finding.id for one in refuted}
        left = [self.sites.lowered(finding) for finding in findings if finding.id not in wrong]
        self._watch(left, observation)
        return left, refuted

    def _watch(self, findings: list[Finding], observation: Observation) -> None:
        before, self._claims = self._claims, {}
        for finding in findings:
            if finding.level not in CLAIMS or len(self._claims) >= _CLAIMS_MOST:
                continue
            known = before.get(finding.id)
            members = self._members(finding, observation) if known is None else known.members
            self._claims[finding.id] = _Claim(finding, members)

    def _members(self, finding: Finding, observation: Observation) -> list[_Member]:
        nodes = (observation.nodes.get(node_id) for node_id in finding.core)
        waiting = [node for node in nodes if node is not None and node.wait is not None][:_MEMBERS_MOST]
        tasks = {node.id for node in waiting if node.kind is NodeKind.TASK}
        references = self._tasks.references(tasks) if tasks and self._tasks is not None else {}
        return [_member(node, references.get(node.id)) for node in waiting]


def _member(node: Node, reference: ref[asyncio.Task[Any]] | None) -> _Member:
    task = None if reference is None else reference()
    if task is None:
        return _Member(node)
    polls = node.wait is not None and operation(node.wait.operation).polls  # for another future in each turn
    future = None if polls else runtime.awaited_future(task)
    try:
        waits_for = None if future is None else ref(future)
    except TypeError:
        waits_for = None
    return _Member(node, reference, waits_for, runtime.cancel_requests(task))


def _refuted(claim: _Claim, observation: Observation, now_ns: int) -> Refuted | None:
    moved = ""
    for member in claim.members:
        if _ran_out(claim.finding, member.node, now_ns):
            return None
        fate = _of_task(member, observation) if member.node.kind is NodeKind.TASK else _of_thread(member, observation)
        if fate is _Fate.BROKEN:
            return None
        if fate is _Fate.MOVED and not moved:
            moved = member.node.id
    return Refuted(claim.finding, moved) if moved else None


def _ran_out(finding: Finding, node: Node, now_ns: int) -> bool:
    """What is only LIKELY may be said of a wait with a time limit, which it tells: the error at its end breaks the
    wait, and whoever is set free by that goes on rightly. A wait that was seen after it had begun ends before what is
    taken for its limit."""
    if finding.level is not Level.LIKELY or node.wait is None or node.wait.deadline_ns is None:
        return False
    return now_ns >= node.wait.deadline_ns - (0 if node.wait.exact else _SEEN_LATER_NS)


def _of_task(member: _Member, observation: Observation) -> _Fate:
    """A task that is cancelled counts as broken from the moment it is asked to end."""
    task = None if member.task is None else member.task()
    if task is None:  # ended and gone, or destroyed while it waited
        return _Fate.STILL if _waits_as_before(member.node, observation) else _Fate.BROKEN
    if _TASK.done(task):
        return _Fate.BROKEN if _TASK.cancelled(task) else _Fate.MOVED
    if runtime.cancel_requests(task) > member.cancel_requests:
        return _Fate.BROKEN
    if member.future is None:
        return _Fate.STILL if _waits_as_before(member.node, observation) else _Fate.MOVED
    before = member.future()
    return _Fate.STILL if before is not None and runtime.awaited_future(task) is before else _Fate.MOVED


def _of_thread(member: _Member, observation: Observation) -> _Fate:
    """By its stack: that of a thread which was only woken for a moment is the same as before."""
    node = observation.nodes.get(member.node.id)
    if node is None:
        return _Fate.MOVED
    before, now = member.node.stack, node.stack
    same = len(before) == len(now) and all(map(_is_same_place, before, now))
    return _Fate.STILL if same else _Fate.MOVED


def _is_same_place(one: Frame, other: Frame) -> bool:
    """Lines may be left out, when the watcher is short of time."""
    same_line = one.line is None or other.line is None or one.line == other.line
    return same_line and (one.function, one.file) == (other.function, other.file)


def _waits_as_before(before: Node, observation: Observation) -> bool:
    node = observation.nodes.get(before.id)
    if node is None or node.wait is None or before.wait is None:
        return False
    return (node.wait.since_ns, node.wait.operation, node.steps) == (
        before.wait.since_ns,
        before.wait.operation,
        before.steps,
    )
