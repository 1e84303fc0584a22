# SPDX-License-Identifier: Apache-2.0
"""Runs in the copy, on any Python that can be attached to: looks as the watcher would, and tells what it saw.

A copy stands still, so that nothing moves between two looks at it says nothing. What has been in the same wait at the
visit before (`before`) has not moved in between; only findings whose every task and thread is among that are told.
What has been so since the first visit is judged first, as old as that; then what has been so since the last.
"""

from __future__ import annotations

import json
import logging
import marshal
import os
import warnings
from collections.abc import Callable, Set
from dataclasses import replace
from types import FrameType
from typing import Any

from ..local.asking import own_looking
from ..local.left_by_parent import at_most_likely, is_fork
from ..local.picture import Picture, of_snapshot
from ..looking import Looking
from ..model import Finding, FindingKind, Graph, Level, Node, NodeKind, Snapshot
from ..model.coverage import blind
from ..model.jsonable import edge_to_json, finding_to_json, node_to_json
from ..model.own_line import PYTHON
from ..probes import runtime
from ..probes.heap import question
from ..report.in_words import is_telemetry
from ..semconv import (
    COMMAND_PID,
    IO_FD,
    LOCK_FILE,
    POLL_AT,
    RESOURCE_KEY,
    RESOURCE_TYPE,
    TASK_THREAD,
    THREAD_ID,
    THREAD_NATIVE_ID,
)
from . import standing
from .as_the_process import Clock, be_as_the_process
from .runs import MOVES, Runs

_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_OF_THE_SYSTEM = (NodeKind.IO, NodeKind.COMMAND)
_LOOKS = 3  # after the first: one that asks the heap, one that has its answer, one that confirms
_LOOKS_AT_ENDS = 7  # where somebody waits at a connection: its other end is looked for before, and asked about
_BETWEEN_NS = 1_000_000
_OF_ALL = frozenset({FindingKind.NOTHING_MOVES})
"""Who moved and came back to the same wait would seem to have stood still: told only where no thread has run."""

_OURS = f"{__name__.partition('.')[0]}."

States = dict[str, str]
_NO_BASE: tuple[States | None, int, list[int] | None] = (None, 0, None)


def run(request: dict[str, Any], frame: FrameType | None) -> bytes:
    """`frame`: where the thread was that this runs on. The answer, for `carried.unpacked`."""
    logging.getLogger("peeps_otel").disabled = True
    warnings.simplefilter("ignore")
    be_as_the_process(request, frame)
    clock = Clock()
    looks: list[_Seen] = []
    for before, age_ns, threads in request["bases"] or [_NO_BASE]:
        looks.append(_Seen(request, clock, before, age_ns, threads))
        if looks[-1].stuck:
            break
    seen = _most_telling(looks)
    picture = seen.picture()
    told = {
        "states": {key: state for key, state in seen.states.values() if state},
        "stands": seen.stands,
        "text": picture.text,
        "account": picture.account(),
        "picture": json.dumps(_to_json(picture)),
    }
    return marshal.dumps(told, 2)


class _Seen:
    """What is seen in this copy. `before`: in which waits all were `age_ns` ago; None: that is not known yet.
    `threads`: of which alone it is known, and of the tasks on their loops; None: of all."""

    def __init__(
        self, request: dict[str, Any], clock: Clock, before: States | None, age_ns: int, threads: list[int] | None
    ) -> None:
        self._request, self.of_all = request, threads is None
        self._findings: list[Finding] = []
        self.stands = False
        looking = own_looking(os.environ)
        heap = looking.watcher.heap
        if heap is not None:
            heap.started, heap.ask = _at_once, question.ask_copy
        looking.flows.at_once, looking.flows.ends.every_ns = True, 0
        clock.back_ns = age_ns
        snapshot = _look(looking)
        polls = frozenset(request["polls"])
        # Of the first look at each visit: what is alike.
        self.states = _states(snapshot, looking, frozenset(request["moved"]), polls)
        runs = Runs(looking, snapshot)
        self.states |= {one: (self.states[one][0], state) for one, state in runs.states.items() if one in self.states}
        if before is not None:
            stood = {one for one, (key, state) in self.states.items() if state and before.get(key) == state}
            runs.tell(snapshot, stood, snapshot.time_ns)
            clock.back_ns = age_ns - _BETWEEN_NS
            _look(looking)  # what remembers something may do so only of what it meets again
            for left in reversed(range(_LOOKS_AT_ENDS if looking.flows.ends.has_any else _LOOKS)):
                clock.back_ns = left * _BETWEEN_NS
                snapshot = _look(looking)
            foreign, unsure = _of_a_parent(looking, snapshot, frozenset(request["inherited"]))
            unknown = set[str]() if threads is None else _not_of(frozenset(threads), snapshot)
            states = {key: state for key, state in self.states.items() if key not in foreign | unknown}
            stood &= states.keys()
            findings = _that_stand(looking.watcher.open_findings, snapshot, states, before)
            if is_fork(request["inner_pid"]):
                findings = [at_most_likely(one) if unsure.intersection(one.core) else one for one in findings]
            self._findings = findings
            told = [_as_old_as_known(one, stood, snapshot) for one in snapshot.nodes]
            snapshot = replace(snapshot, nodes=[_in_its_call(one, polls) for one in told])
            self._tell_who_stands(snapshot, stood, age_ns)
        self._snapshot, self._not_asked = snapshot, "" if heap is None else heap.not_asked

    def _tell_who_stands(self, snapshot: Snapshot, stood: Set[str], age_ns: int) -> None:
        nodes = {node.id: node for node in snapshot.nodes}
        threads = standing.threads_that_stand(nodes, snapshot.edges, stood)
        tasks = standing.tasks_not_woken(nodes, stood)
        asks = standing.asks_while_others_wait(nodes, snapshot.edges, stood)
        self.stands = bool(threads or tasks or asks or self._findings)
        self.stands = self.stands or standing.nobody_goes_on(snapshot.nodes, stood)
        explained = {member for one in self._findings for member in (*one.core, *one.blocked)}
        threads = [one for one in threads if one.id not in explained]
        if threads and not self.stuck:
            snapshot.coverage.append(blind(standing.note(threads, Graph(nodes, snapshot.edges), age_ns)))
        if tasks and not self.stuck:
            snapshot.coverage.append(blind(standing.note_not_woken(tasks, age_ns)))

    @property
    def tells(self) -> bool:
        return bool(self._findings)

    @property
    def stuck(self) -> bool:
        return any(one.level.stuck for one in self._findings)

    def picture(self) -> Picture:
        request = self._request
        picture = of_snapshot(self._snapshot, self._findings, self._not_asked, request["came_ns"])
        name = f"{request['service']} (pid {request['pid']})"
        return replace(picture, pid=request["pid"], name=name, service=request["service"])


def _most_telling(looks: list[_Seen]) -> _Seen:
    """Each is of a younger time than the one before, and of more threads."""
    if looks[-1].stuck:
        return looks[-1]
    told = [one for one in looks if one.tells]
    return told[0] if told else next(one for one in looks if one.of_all)


def _not_of(threads: frozenset[int], snapshot: Snapshot) -> set[str]:
    """Other threads, and the tasks on their loops, or on no thread's."""
    own = {one.id for one in snapshot.nodes if one.attributes.get(THREAD_NATIVE_ID) in threads}
    return {
        one.id
        for one in snapshot.nodes
        if one.kind in _WAITERS and one.id not in own and one.attributes.get(TASK_THREAD) not in own
    }


def _as_old_as_known(node: Node, stood: Set[str], snapshot: Snapshot) -> Node:
    """Who has moved since is in a wait of now, which the first look has taken for one of then."""
    if node.id in stood or node.kind not in _WAITERS or node.wait is None or node.wait.exact:
        return node
    return replace(node, wait=replace(node.wait, since_ns=snapshot.time_ns))


def _in_its_call(node: Node, polls: frozenset[int]) -> Node:
    polling = node.state == "running" and node.attributes.get(THREAD_NATIVE_ID) in polls and _calls_c(node)
    return replace(node, state="blocked") if polling else node


def _at_once(function: Callable[..., None], *arguments: Any) -> None:
    function(*arguments)


def _look(looking: Looking) -> Snapshot:
    taken: list[Snapshot] = []
    looking.watcher.cut(taken.append)
    looking.watcher.look()
    return taken[-1]


def _states(
    snapshot: Snapshot, looking: Looking, moved: frozenset[int], polls: frozenset[int]
) -> dict[str, tuple[str, str]]:
    """By node: what it is known by at every visit, and in which wait it is; the latter empty of who has moved. Of a
    thread that has moved, but next to nothing, and sleeps in C code, where that is: such calls may poll."""
    known = _known_by(snapshot, looking)
    needs: dict[str, list[str]] = {}
    for edge in snapshot.edges:
        if edge.dst in known:
            needs.setdefault(edge.src, []).append(f"{edge.kind.value} {known[edge.dst]}")
    found: dict[str, tuple[str, str]] = {}
    steps = _footprints(snapshot, looking) | {one: f" {bytes_}" for one, bytes_ in looking.flows.standing().items()}
    steps |= {node.id: f" {_runs_of(node)}" for node in snapshot.nodes if node.kind is NodeKind.COMMAND}
    for node in snapshot.nodes:
        if node.id in known:
            thread = node.attributes.get(THREAD_NATIVE_ID)
            state = "" if thread in moved else _state(node, needs.get(node.id, [])) + steps.get(node.id, "")
            if thread in polls and _calls_c(node):
                state = f"{MOVES}{node.name} {_lines(node)}"
            found[node.id] = known[node.id], state
    return found


def _footprints(snapshot: Snapshot, looking: Looking) -> dict[str, str]:
    """Of each task, whether it is where it was or there again. Who asks again and again goes on, and is in one wait."""
    waiting = {node.id for node in snapshot.nodes if node.kind is NodeKind.TASK and POLL_AT not in node.attributes}
    tasks = ((node_id, reference()) for node_id, reference in looking.objects.any_tasks(waiting).items())
    return {node_id: f" {runtime.footprint(task):x}" for node_id, task in tasks if task is not None}


def _runs_of(node: Node) -> str:
    """How often a child has run so far: one that has is not where it was, and neither is what it writes."""
    try:
        with open(f"/proc/{node.attributes.get(COMMAND_PID)}/status", encoding="utf-8", errors="replace") as status:
            return " ".join(line.split()[1] for line in status if "ctxt_switches" in line)
    except OSError:
        return ""


def _calls_c(node: Node) -> bool:
    """Whether a thread is in a call of C code that is no wait of the standard library, an event loop's own for one."""
    turns_loop = any(frame.library == PYTHON and "asyncio" in frame.file for frame in node.stack)
    return node.wait is None and bool(node.stack) and node.stack[-1].library != PYTHON and not turns_loop


def _known_by(snapshot: Snapshot, looking: Looking) -> dict[str, str]:
    """By node, the same in every copy; none of those of which nothing is. What the system has is no object of the
    program."""
    ids = {node.id for node in snapshot.nodes}
    addresses = looking.objects.addresses(ids)
    ours = {one for one, thing in looking.objects.things(ids).items() if type(thing).__module__.startswith(_OURS)}
    found: dict[str, str] = {}
    for node in snapshot.nodes:
        if node.kind is NodeKind.THREAD:
            found[node.id] = f"thread {node.attributes.get(THREAD_ID)}"
        elif node.kind in _OF_THE_SYSTEM:
            found[node.id] = f"{node.kind.value} {node.name} {node.attributes.get(IO_FD, '')}"
        elif node.id in ours:  # made in this copy
            about = (node.attributes.get(one) for one in (RESOURCE_TYPE, RESOURCE_KEY, LOCK_FILE))
            found[node.id] = " ".join((node.kind.value, node.name, *map(str, about)))
        elif node.id in addresses:
            found[node.id] = f"{node.kind.value} {addresses[node.id]:x}"
    return found


def _state(node: Node, needs: list[str]) -> str:
    if node.kind not in _WAITERS:
        return node.name or "-"
    wait = node.wait
    if wait is None and node.kind is NodeKind.TASK:  # where one is that runs, its thread says
        return f"{node.name} {node.state}"
    doing = "" if wait is None else f"{wait.operation} {wait.source} {wait.needs} {wait.deadline_ns is None}"
    return f"{node.name} {node.state} {doing} {sorted(needs)} {_lines(node)}"


def _lines(node: Node) -> str:
    return " ".join(f"{frame.file}:{frame.line}" for frame in node.stack)


def _of_a_parent(looking: Looking, snapshot: Snapshot, inherited: frozenset[str]) -> tuple[set[str], set[str]]:
    """The tasks that a process which was forked has in its memory from its parent: of loops that are woken by a socket
    which the parent has too. They run there, and never here. And those of which that cannot be told: the parent has
    gone, or the loop (uvloop's) does not say what wakes it."""
    found, unsure = set[str](), set[str]()
    for node_id, reference in looking.objects.tasks({node.id for node in snapshot.nodes}).items():
        task = reference()
        wakes = None if task is None else runtime.woken_by(runtime.loop_of(task))
        if wakes is None or not inherited:
            unsure.add(node_id)
        elif runtime.link_of(wakes) in inherited:
            found.add(node_id)
    return found, unsure


def _that_stand(
    findings: list[Finding], snapshot: Snapshot, states: dict[str, tuple[str, str]], before: States
) -> list[Finding]:
    waiters = {node.id for node in snapshot.nodes if node.kind in _WAITERS}
    # With the bytes that stand there, and how often a child has run.
    ends = {node.id for node in snapshot.nodes if node.kind in _OF_THE_SYSTEM}

    def stands(node_id: str) -> bool:
        if node_id not in states:
            return node_id not in waiters
        key, state = states[node_id]
        if node_id not in waiters and node_id not in ends:
            return key in before
        return bool(state) and not state.startswith(MOVES) and before.get(key) == state

    threads = [one.id for one in snapshot.nodes if one.kind is NodeKind.THREAD and not is_telemetry(one)]
    kept: list[Finding] = []
    for finding in findings:
        concerned = {*finding.core, *finding.cycle}
        concerned |= {one for step in finding.evidence for one in (step.waiter, step.resource, step.holder) if one}
        if all(map(stands, concerned)) and (not _rests_on_all(finding) or all(map(stands, threads))):
            kept.append(finding)
    return kept


def _rests_on_all(finding: Finding) -> bool:
    """Whether it is concluded from what everybody else would do, who may have gone on: one that is SUSPECT alone."""
    return finding.kind in _OF_ALL or (finding.kind is FindingKind.NEVER_ENDS and finding.level is Level.SUSPECT)


def _to_json(picture: Picture) -> dict[str, Any]:
    return {
        "name": picture.name,
        "directory": picture.directory,
        "time_ns": picture.time_ns,
        "nodes": [node_to_json(node) for node in picture.nodes.values()],
        "edges": [edge_to_json(edge) for edge in picture.edges],
        "findings": [finding_to_json(finding) for finding in picture.findings],
        "coverage": picture.coverage,
        "not_asked": picture.not_asked,
        "came_ns": picture.came_ns,
        "service": picture.service,
    }
