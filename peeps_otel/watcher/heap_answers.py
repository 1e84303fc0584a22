# SPDX-License-Identifier: Apache-2.0
"""What the heap has answered about who could end a wait, and what that is good for.

An answer holds for as long as its waiters stay in the same waits; it is laid over the observation as `could_end` edges,
so that the process and the collector draw the same conclusions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .. import semconv
from ..diagnosis.wait_index import WHOEVER_CALLS
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node
from ..probes.heap.answer import Answer
from ..probes.heap.ender import LEFT_BEHIND, NO_THREAD_RUNS, NOT_FOUND, UNKNOWN, Ender, Strength
from ..probes.probe import Observation
from ..probes.runtime import accepts
from .layer import Layer
from .runs_until_told import BY_WHOM, runs_until_told

_NAMED_MOST = 3
_NOT_FOUND = f"{UNKNOWN.kind} {NOT_FOUND}"
"""Of an end that is in no object: the program has it as a number."""


@dataclass(slots=True)
class AskedHeap:
    """One question under way or answered: the things, and everybody's steps at that moment."""

    asked_ns: int
    things: dict[str, frozenset[str]]
    steps: dict[str, int | None]
    threads: dict[int, str]
    task_addresses: Callable[[AbstractSet[int]], dict[int, str]]
    for_somebody: bool = False  # who asks what is stuck

    @property
    def main_thread(self) -> str | None:
        """The node of the main thread; None where it is not watched."""
        return self.threads.get(threading.main_thread().ident or 0)


@dataclass(slots=True)
class _Judged:
    """The answer about one thing. `steps`: of its waiters and enders when it was asked, by node."""

    asked_ns: int
    waiters: frozenset[str]
    steps: dict[str, int | None]
    edges: tuple[Edge, ...] = ()
    facts: dict[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])


@dataclass(slots=True)
class _Passed:
    """What is left of answers about one thing once somebody who could end the wait has gone on without doing so.
    `steps`: of its waiters, by node; `by`: who could; `times`: how often one was seen to go on."""

    steps: dict[str, int | None]
    by: AttributeValue
    times: int = 0


class HeapAnswers:
    """Those that may still hold. On the watcher's thread. `forked_from`: the process that had threads which are not
    here; None: there is no such."""

    def __init__(self, forked_from: int | None) -> None:
        self._forked_from = forked_from
        self._judged: dict[str, _Judged] = {}
        self._passed: dict[str, _Passed] = {}
        self._lost: dict[str, int | None] = {}
        self._layer = Layer()

    def is_known(self, thing: str) -> bool:
        """Whether there is an answer about it."""
        return thing in self._judged

    def is_known_for(self, thing: str, waiters: frozenset[str]) -> bool:
        """Whether there is an answer about it that was given for just these waiters."""
        judged = self._judged.get(thing)
        return judged is not None and judged.waiters == waiters

    def lay(self, observation: Observation) -> None:
        """Adds what is known from answers that still hold to the nodes and edges of a look. Of a kept observation only
        what has changed is asked about: an answer may be about all tasks that there are."""
        if not self._judged and not self._lost and not self._passed:
            return
        changed = self._layer.begin(observation)
        left: set[str] = set()
        for thing, judged in list(self._judged.items()):
            if changed is not None and thing not in changed and judged.steps.keys().isdisjoint(changed):
                continue
            if not self._holds(observation, thing, judged):
                del self._judged[thing]
                self._pass(thing, judged)
                left.add(thing)
                continue
            passed = self._passed.get(thing)
            more = {} if passed is None else {semconv.COULD_END_WENT_ON: passed.times}
            self._layer.lay(thing, judged.facts | more, judged.edges)
        for thing, passed in list(self._passed.items()):
            concerns = (
                changed is None or thing in changed or thing in left or not passed.steps.keys().isdisjoint(changed)
            )
            if not concerns:
                continue
            if thing not in observation.nodes or not _stand(observation, passed.steps):
                del self._passed[thing]
                left.add(thing)
            elif thing not in self._judged:
                left.discard(thing)
                facts = {semconv.COULD_END_BY: passed.by, semconv.COULD_END_WENT_ON: passed.times}
                self._layer.lay(thing, facts)
        for task in list(self._lost) if changed is None else self._lost.keys() & changed:
            node = observation.nodes.get(task)
            if node is None or node.wait is None or node.steps != self._lost[task]:
                del self._lost[task]
                left.add(task)
            else:
                self._layer.lay(task, {semconv.WAIT_LOST: True})
        for one in left - self._judged.keys():
            self._layer.take_away(one)

    def _holds(self, observation: Observation, thing: str, judged: _Judged) -> bool:
        """Whether nobody concerned has moved since. One more who waits now does not matter: it could not end it when it
        was asked either, unless it came later: then it must be asked again."""
        return thing in observation.nodes and _stand(observation, judged.steps)

    def _pass(self, thing: str, judged: _Judged) -> None:
        """Keeps who could have ended the wait, and goes on: should the waiters wait on, that was not it."""
        by, steps = judged.facts.get(semconv.COULD_END_BY), {one: judged.steps[one] for one in judged.waiters}
        outside = str(judged.facts.get(semconv.COULD_END_OUTSIDE, WHOEVER_CALLS))
        if by is None or not outside.startswith(WHOEVER_CALLS) or not steps:
            self._passed.pop(thing, None)
            return
        before = self._passed.get(thing)
        times = 0 if before is None or before.steps != steps else before.times
        self._passed[thing] = _Passed(steps, by, times + 1)

    def take(self, observation: Observation, asked: AskedHeap, answer: Answer) -> None:
        """A new answer, to a question that was asked then."""
        addresses = {one.key.of for enders in answer.enders for one in enders if type(one.key.of) is int}
        tasks = asked.task_addresses(addresses)
        nobodys = answer.nobodys or (False,) * len(answer.enders)
        is_open = any(one.strength is Strength.OPEN for enders in answer.enders for one in enders)
        consumers = {
            node
            for key in answer.consumers
            if type(key.of) is int and (node := (tasks if key.kind == "task" else asked.threads).get(key.of))
        }
        acting = is_open and (answer.acting > 0 or accepts())  # a callback may start anything, and a request may
        for (thing, waiters), enders, no_code in zip(asked.things.items(), answer.enders, nobodys, strict=True):
            judged = self._judge(observation, asked, thing, waiters, enders, tasks, acting)
            if waiters and waiters <= consumers:
                judged.facts[semconv.COULD_END_CONSUMED] = True
            # A server's own loop ends it, also round the very thread that waits; what a task would do later, nothing.
            later = waiters - set(asked.threads.values())
            by_its_own = any(edge.kind is EdgeKind.COULD_END and edge.dst not in later for edge in judged.edges)
            by_open_code = semconv.COULD_END_OPEN in judged.facts
            if not by_its_own and runs_until_told(observation, thing, waiters, no_code, by_open_code):
                judged.facts.setdefault(semconv.COULD_END_OUTSIDE, BY_WHOM)
            self._judged[thing] = judged
            self._layer.again.add(thing)
        lost = {one.task for one in answer.leaks.lost if one.sure and not one.dying}
        for address, node_id in asked.task_addresses(lost).items():
            if address in lost and node_id in asked.steps:
                self._lost[node_id] = asked.steps[node_id]
                self._layer.again.add(node_id)

    def _judge(
        self,
        observation: Observation,
        asked: AskedHeap,
        thing: str,
        waiters: frozenset[str],
        enders: list[Ender],
        tasks: dict[int, str],
        acting: bool,
    ) -> _Judged:
        facts: dict[str, AttributeValue] = {semconv.COULD_END_ASKED: asked.asked_ns}
        edges: list[Edge] = []
        named: list[str] = []
        steps = {waiter: asked.steps.get(waiter) for waiter in waiters}
        seen = observation.nodes.get(thing)
        for one in enders:
            if one.key == LEFT_BEHIND:
                if seen is not None and semconv.LOCK_FORK_HOLDER in seen.attributes:
                    continue  # who had it is known better than by what was left behind
                facts[semconv.LOCK_FORK_HOLDER] = f"a thread of pid {self._forked_from} that was in its block"
                facts[semconv.LOCK_FORK_HOLDER_EXACT] = False
                continue
            who = self._node_of(one, asked, tasks)
            if who is None:
                self._outside(facts, one, acting)
                continue
            able = one.strength >= Strength.CODES
            if one.strength is Strength.FAINT or (who in waiters and not able):
                continue
            kind = EdgeKind.COULD_END if able else EdgeKind.REACHED_BY
            edges.append(Edge(kind, thing, who, confidence=Confidence.INFERRED))
            node = observation.nodes.get(who)
            if node is not None and node.wait is not None and who in asked.steps:
                steps[who] = asked.steps[who]
            if able and node is not None:
                named.append(f"{node.name}: {one.via}" if one.via else node.name)
        if facts.get(semconv.COULD_END_OUTSIDE, "") == _NOT_FOUND and _is_far(seen):
            facts[semconv.IO_BY_NUMBER] = True
            main = asked.main_thread
            edges += [] if main is None else [Edge(EdgeKind.REACHED_BY, thing, main, confidence=Confidence.INFERRED)]
        closes = self._closes_by_its_end(asked, seen, facts, edges)
        if closes is not None:
            edges.append(Edge(EdgeKind.COULD_END, thing, closes, confidence=Confidence.INFERRED))
            if closes in asked.steps:
                steps[closes] = asked.steps[closes]
        if named:
            facts[semconv.COULD_END_BY] = "; ".join(named[:_NAMED_MOST])
        return _Judged(asked.asked_ns, waiters, steps, tuple(edges), facts)

    def _node_of(self, one: Ender, asked: AskedHeap, tasks: dict[int, str]) -> str | None:
        """The node of an ender; a task or thread that is none (it ended meanwhile, or is not watched) is somebody
        outside."""
        if type(one.key.of) is not int:
            return None
        return tasks.get(one.key.of) if one.key.kind == "task" else asked.threads.get(one.key.of)

    @staticmethod
    def _closes_by_its_end(
        asked: AskedHeap, end: Node | None, facts: dict[str, AttributeValue], edges: list[Edge]
    ) -> str | None:
        """The main thread, where no code that is still to run uses this end of a pipe or Unix socket, for which another
        process waits: only the end of the program closes it then."""
        if end is None or not _is_far(end):
            return None
        if "/tcp/" in str(end.attributes.get(semconv.IO_HERE)) or semconv.COULD_END_OUTSIDE in facts:
            return None
        if any(edge.kind is EdgeKind.COULD_END for edge in edges):
            return None
        return asked.main_thread

    @staticmethod
    def _outside(facts: dict[str, AttributeValue], one: Ender, acting: bool) -> None:
        if one.via == NO_THREAD_RUNS:
            facts[semconv.COULD_END_OPEN] = one.via  # says more than who might be called
        if one.strength is Strength.OPEN:
            facts.setdefault(semconv.COULD_END_OPEN, one.via or one.name)
            if acting:
                facts.setdefault(semconv.COULD_END_OUTSIDE, f"{WHOEVER_CALLS}{one.via or one.name}")
        elif one.strength >= Strength.CODES and str(facts.get(semconv.COULD_END_OUTSIDE, WHOEVER_CALLS)).startswith(
            WHOEVER_CALLS
        ):  # who acts by himself says more than who might be called
            facts[semconv.COULD_END_OUTSIDE] = f"{one.key.kind} {one.name or one.via}".strip()


def _stand(observation: Observation, steps: dict[str, int | None]) -> bool:
    """Whether all of these are still in the waits that they were in."""
    for one, known in steps.items():
        node = observation.nodes.get(one)
        if node is None or node.steps != known or node.wait is None:
            return False
    return True


def _is_far(node: Node | None) -> bool:
    """Whether somebody in another process waits for the other end of this."""
    return node is not None and node.attributes.get(semconv.IO_IS_FAR) is True
