# SPDX-License-Identifier: Apache-2.0
"""Leaks: tasks that nothing which can still run is able to wake, as findings.

The proof itself is made on the heap of the process (`probes/heap/leaks.py`); here its result is put into words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from ..model import EvidenceStep, Finding, FindingKind, Graph, Level, finding_id, own_line
from . import wording
from .reduction import Requirement, components, reach
from .wait_graph import WaitGraph

_EVIDENCE_MOST = 8


class Loss(NamedTuple):
    """How sure it is that a task is lost. `dying`: nobody holds it, the garbage collector will destroy it."""

    sure: bool
    dying: bool


def find(graph: Graph, lost: Mapping[str, Loss], known: Set[str] = frozenset()) -> list[Finding]:
    """One finding for all lost tasks that wait at the same line, worst first.

    `lost`: by node id. `known`: tasks that another finding has explained (a deadlock's members), which are left out.
    A lost task that only waits for other lost ones stands behind them.
    """
    waits = WaitGraph(graph, lost.keys())
    alone = {task for task in lost if (node := graph.nodes.get(task)) is not None and node.wait is not None}
    behind = {task: _lost_providers(waits, task, alone) for task in alone}
    in_ring = _in_rings(behind)
    dependents: dict[str, list[str]] = {}
    for task, providers in behind.items():
        for provider in providers:
            dependents.setdefault(provider, []).append(task)
    groups: dict[tuple[str, str, bool, bool], list[str]] = {}
    for task in alone - known:
        # A ring of tasks that wait for each other has no first one: each of them is named.
        if not behind[task] or task in in_ring:
            wait = waits.wait_of(task)
            loss = lost[task]
            groups.setdefault((wait.source, wait.operation, loss.sure, loss.dying), []).append(task)
    findings = [
        _finding(waits, sorted(tasks, key=lambda t: _age(waits, t)), lost, dependents) for tasks in groups.values()
    ]
    return sorted(findings, key=lambda f: (list(Level).index(f.level), -len(f.core), f.since_ns, f.id))


def _lost_providers(waits: WaitGraph, task: str, lost: Set[str]) -> set[str]:
    """The lost tasks that a task waits for, or that hold what it waits for."""
    found: set[str] = set()
    for target in waits.targets.get(task, ()):
        found.update(one for one in (target, *waits.holders.get(target, ())) if one in lost)
    return found


def _in_rings(behind: Mapping[str, set[str]]) -> set[str]:
    """Those that wait for each other, or for themselves."""
    conditions = {task: Requirement(1, sorted(providers)) for task, providers in behind.items()}
    rings = (one for one in components(set(behind), conditions) if len(one) > 1 or one[0] in behind[one[0]])
    return {task for ring in rings for task in ring}


def _age(waits: WaitGraph, task: str) -> tuple[int, str]:
    return waits.wait_of(task).since_ns, task


def _finding(
    waits: WaitGraph, tasks: list[str], lost: Mapping[str, Loss], dependents: Mapping[str, list[str]]
) -> Finding:
    sure, dying = lost[tasks[0]]
    resources = list(dict.fromkeys(r for task in tasks for r in waits.targets.get(task, ()) if r not in lost))
    return Finding(
        id=finding_id(FindingKind.LEAK, tasks[:1]),
        kind=FindingKind.LEAK,
        level=Level.PROVEN if sure and not dying else Level.LIKELY,
        title=_title(waits, tasks, dying),
        since_ns=waits.wait_of(tasks[0]).since_ns,
        core=[*tasks, *resources],
        blocked=sorted(reach(tasks, dependents), key=lambda t: _age(waits, t)),
        evidence=[_link(waits, task) for task in tasks[:_EVIDENCE_MOST]],
        advice=_advice(waits, tasks[0], dying),
        look_at=own_line.line_of(waits.wait_of(tasks[0]).source),
    )


def _what(waits: WaitGraph, task: str) -> str:
    targets: Iterable[str] = waits.targets.get(task, ())
    said = next((wording.waits_for(waits, task, target) for target in targets if target in waits.nodes), "")
    wait = waits.wait_of(task)
    return said or ("waits for a future" if wait.operation == "future" else f"waits in {wait.operation}")


def _title(waits: WaitGraph, tasks: list[str], dying: bool) -> str:
    name, what = wording.label(waits.nodes[tasks[0]]), _what(waits, tasks[0])
    place = wording.at("at", waits.wait_of(tasks[0]).source)
    end = "nobody holds it, so garbage collection will destroy it" if dying else "nothing that can run reaches that"
    if len(tasks) == 1:
        return f"{name} {what}{place}; {end}"
    return f"{len(tasks)} tasks wait for ever{place}: {name} {what}; {end}"


def _link(waits: WaitGraph, task: str) -> EvidenceStep:
    wait = waits.wait_of(task)
    resource = next((target for target in waits.targets.get(task, ()) if target in waits.nodes), task)
    text = f"{wording.label(waits.nodes[task])} {_what(waits, task)}{wording.at('at', wait.source)}"
    return EvidenceStep(
        waiter=task, resource=resource, holder=None, since_ns=wait.since_ns, text=text, wait_source=wait.source
    )


def _advice(waits: WaitGraph, task: str, dying: bool) -> str:
    if dying:
        return "Keep a reference to the task until it is done, and to what would wake it."
    place = wording.at("at", waits.wait_of(task).source)
    return (
        f"Only cancelling can end it. Let code that still runs hold the other end of what is awaited{place}, "
        "or await it with a timeout."
    )
