# SPDX-License-Identifier: Apache-2.0
"""Who could end a wait and goes on without doing so: that is kept when the answer of the heap no longer holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Node, NodeKind, Wait
from peeps_otel.probes.heap.answer import Answer
from peeps_otel.probes.heap.ender import Ender, Key, Strength
from peeps_otel.probes.heap.leak_report import LeakReport
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.heap_answers import AskedHeap, HeapAnswers

_POLLER = Ender(Key("task", 42), Strength.CODES, "poller", "poller uses set")
_TIMER = Ender(Key("timer", "later"), Strength.ARMED, "Event.set", "")
_PASSED = {semconv.COULD_END_BY: "poller: poller uses set"}


def _task(name: str, operation: str, steps: int) -> Node:
    wait = Wait(operation, 1, "/srv/app.py:9")
    return Node(f"task:{name}", NodeKind.TASK, name, 1, "/srv/app.py:1", state="waiting", wait=wait, steps=steps)


class _Program:
    """`main` waits for an event that `poller` could set, which sleeps again and again."""

    def __init__(self, *enders: Ender) -> None:
        self.main, self.poller = _task("main", "event.wait", 1), _task("poller", "sleep", 1)
        self.answers, self._enders = HeapAnswers(None), list(enders)
        self.ask()

    def ask(self) -> None:
        asked = AskedHeap(
            asked_ns=1,
            things={"event:ready": frozenset({"task:main"})},
            steps={"task:main": self.main.steps, "task:poller": self.poller.steps},
            threads={},
            task_addresses=lambda _: {42: "task:poller"},
        )
        self.answers.take(self._observation(), asked, Answer([self._enders], LeakReport([])))

    def _observation(self) -> Observation:
        event = Node("event:ready", NodeKind.EVENT, "ready", 1, "/srv/app.py:2")
        return Observation({one.id: one for one in (self.main, self.poller, event)})

    def look(self) -> dict[str, AttributeValue]:
        """What is said of the event."""
        observation = self._observation()
        self.answers.lay(observation)
        return dict(observation.nodes["event:ready"].attributes)

    def poller_goes_on(self) -> None:
        assert self.poller.steps is not None
        self.poller = replace(self.poller, steps=self.poller.steps + 1)


def test_the_answer_does_not_vanish_when_the_one_who_could_goes_on() -> None:
    program = _Program(_POLLER)
    assert semconv.COULD_END_WENT_ON not in program.look()
    program.poller_goes_on()
    assert program.look() == _PASSED | {semconv.COULD_END_WENT_ON: 1}
    program.ask()
    assert program.look() == _PASSED | {semconv.COULD_END_WENT_ON: 1, semconv.COULD_END_ASKED: 1}
    program.poller_goes_on()
    assert program.look() == _PASSED | {semconv.COULD_END_WENT_ON: 2}


def test_it_does_when_the_wait_has_ended() -> None:
    program = _Program(_POLLER)
    program.look()
    program.poller_goes_on()
    program.look()
    program.main = replace(program.main, steps=2)
    assert program.look() == {}
    program.main = replace(program.main, steps=1)
    assert program.look() == {}


@pytest.mark.parametrize("enders", [(_TIMER, _POLLER), (_TIMER,), ()])
def test_nothing_is_kept_where_others_may_act_or_nobody_could(enders: tuple[Ender, ...]) -> None:
    program = _Program(*enders)
    program.look()
    program.poller_goes_on()
    assert semconv.COULD_END_WENT_ON not in program.look()
