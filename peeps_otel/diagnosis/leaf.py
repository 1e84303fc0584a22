# SPDX-License-Identifier: Apache-2.0
"""What a task or thread is really in: through the children, futures, executors and requests that it waits for."""

from __future__ import annotations

from typing import NamedTuple

from ..model import EvidenceStep, NodeKind, own_line
from . import evidence, wording
from .frames import place
from .wait_index import WaitIndex
from .wait_links import BOUNDED, IDLE, WAITERS

_STEPS_MOST = 40
_TOLD_MOST = 4

_ELSEWHERE = frozenset({NodeKind.COMMAND, NodeKind.EXECUTOR})
"""What other processes do: whether they go on is not seen from here."""
_ANSWERED = frozenset({NodeKind.REQUEST, NodeKind.RESPONSE})


class Step(NamedTuple):
    """`waiter` waits for `target`, which `onward` has, runs or is."""

    waiter: str
    target: str
    onward: str


class Leaf(NamedTuple):
    """`steps`: from the start on. `node`: the last one, which waits for nothing that somebody in sight must end."""

    steps: tuple[Step, ...]
    node: str

    def moves(self, graph: WaitIndex) -> bool:
        """Whether it goes on by itself, as far as can be seen: it runs, a timer ends a wait on the way, or another
        process is at work."""
        waits = (graph.nodes[one].wait for one in (self.node, *(step.waiter for step in self.steps)))
        if any(wait is not None and wait.deadline_ns is not None for wait in waits):
            return True
        ends = (self.node, *graph.targets.get(self.node, ()))
        if any(graph.nodes[one].kind in _ELSEWHERE for one in ends if one in graph.nodes):
            return True
        node = graph.nodes[self.node]
        return node.wait is None and node.state not in ("blocked", "waiting")


def leaf_of(graph: WaitIndex, start: str, read: set[str] | None = None) -> Leaf | None:
    """None where every way from `start` leads back, or to a lock, permit or channel that somebody else has: that wait
    has a finding of its own. The nodes that the answer, and whether it moves, follow from are added to `read`."""
    read = set() if read is None else read
    read.add(start)
    return _follow(graph, start, (), {start}, read) if start in graph.nodes else None


def _follow(graph: WaitIndex, start: str, steps: tuple[Step, ...], seen: set[str], read: set[str]) -> Leaf | None:
    node = graph.nodes[start]
    read.update(graph.targets.get(start, ()))
    targets = [target for target in graph.targets.get(start, ()) if target in graph.nodes]
    if node.wait is None or not targets or len(steps) >= _STEPS_MOST:
        return Leaf(steps, start)
    for target in sorted(targets, key=lambda one: (graph.since_of(one) or 0, one))[:_STEPS_MOST]:
        onward = _onward(graph, target, read)
        if onward is None:
            continue
        if not onward:
            return Leaf(steps, start)
        for one in onward[:_STEPS_MOST]:
            if one in seen:
                continue
            seen.add(one)
            found = _follow(graph, one, (*steps, Step(start, target, one)), seen, read)
            if found is not None:
                return found
    return None


def _onward(graph: WaitIndex, target: str, read: set[str]) -> list[str] | None:
    """Who must go on for a wait for `target` to end; nobody where that is outside or not known. None: it is not to be
    followed."""
    node = graph.nodes[target]
    if node.kind in WAITERS:
        return [target]
    if node.kind in BOUNDED:
        return None if graph.holders.get(target) or node.kind is NodeKind.TX else []
    if node.kind in _ANSWERED:
        found = graph.answers.get(target, ())
    elif node.kind is NodeKind.IO:
        found = [one for one in graph.users.get(target, ()) if one not in graph.waiters.get(target, ())]
    else:
        waiting = graph.waiters.get(target, ())
        found = graph.holders.get(target) or [one for one in graph.enders.get(target, ()) if one not in waiting]
    read.update(found)
    known = [one for one in found if one in graph.nodes]
    workers = [worker for one in known for worker in _workers(graph, one)]
    read.update(workers)
    return sorted(workers, key=lambda one: (graph.nodes[one].state == IDLE, one))


def _workers(graph: WaitIndex, holder: str) -> list[str]:
    """The workers of an executor, who handles a request; anything else as it is."""
    match graph.nodes[holder].kind:
        case NodeKind.EXECUTOR:
            found = graph.holders.get(holder, ())
        case NodeKind.RESPONSE:
            found = graph.answers.get(holder, ())
        case _:
            return [holder]
    return [one for one in found if one in graph.nodes]


def clause(graph: WaitIndex, leaf: Leaf) -> str:
    """What follows the name of the one at the start: `waits for the end of insert, which is in sqlite3.execute at
    app/db.py:15`."""
    said = [_step(graph, step) for step in leaf.steps[:_TOLD_MOST]]
    if len(leaf.steps) > _TOLD_MOST:
        said.append(f"leads to {wording.label(graph.nodes[leaf.node])}")
    doing = wording.doing(graph, leaf.node)
    return ", which ".join([*said, *([doing] if doing else [])])


def _step(graph: WaitIndex, step: Step) -> str:
    if step.onward == step.target:
        return wording.waits_for(graph, step.waiter, step.target)
    target, onward = graph.nodes[step.target], graph.nodes[step.onward]
    text = wording.waits_for(graph, step.waiter, step.target)
    if target.kind is NodeKind.FUTURE and step.onward not in graph.holders.get(step.target, ()):
        return f"{text}, queued behind {wording.label(onward)}"
    if target.kind is NodeKind.FUTURE:
        by = "in" if onward.kind is NodeKind.THREAD else "made by"
        return f"{text} {by} {wording.label(onward)}"
    if target.kind in _ANSWERED:
        return f"{text}, answered by {wording.label(onward)}"
    if target.kind is NodeKind.IO:
        return f"{text}, whose other end {wording.label(onward)} has"
    return f"{text}, which only {wording.label(onward)} could {wording.ends(graph, target.id).removesuffix(' it')}"


def look_at(graph: WaitIndex, leaf: Leaf) -> str:
    """The innermost own line on the way; the place of its end where there is none."""
    places = [place(graph.nodes[one]) for one in (leaf.node, *(step.waiter for step in reversed(leaf.steps)))]
    return next((one for one in places if own_line.is_line(one)), places[0])


def library(graph: WaitIndex, leaf: Leaf) -> str:
    """The library whose call it is in; empty for the program's own code."""
    stack = graph.nodes[leaf.node].stack
    return own_line.library_of(stack) if stack and stack[-1].library else ""


def links(graph: WaitIndex, leaf: Leaf) -> list[EvidenceStep]:
    """The steps with their sentences."""
    return [evidence.link(graph, step.waiter, step.target, step.onward) for step in leaf.steps]
