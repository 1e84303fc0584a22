# SPDX-License-Identifier: Apache-2.0
"""A probe that is made when there is something for it to see."""

from __future__ import annotations

from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.later import LaterProbe
from peeps_otel.probes.probe import Observation, Yield


class _Names:
    """Tells of what is its own, and asks those before it for the rest; as the probes of runtimes do."""

    def __init__(self, context: ProbeContext, own: str) -> None:
        self.name = own
        self.looks = 0
        self._before, self._at_before = context.resources.task_id, context.resources.task_at
        context.resources.task_id = lambda task: own if task == own else self._before(task)
        context.resources.task_at = lambda address: own if address == len(own) else self._at_before(address)

    def install(self) -> None: ...

    def uninstall(self) -> None: ...

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        self.looks += 1


def test_it_takes_its_place_among_the_others_when_it_is_made() -> None:
    context = ProbeContext()
    wanted: list[bool] = []
    made: list[_Names] = []

    def make() -> _Names:
        made.append(_Names(context, "middle"))
        return made[-1]

    _Names(context, "first")
    later = LaterProbe("middle", context, lambda: bool(wanted), make)
    _Names(context, "the last")
    resources, front = context.resources, context.resources.task_id

    def known() -> list[str | None]:
        return [resources.task_id(one) for one in ("first", "middle", "the last", "nobody")]

    later.observe(Observation(), 1, lambda: None)
    assert (made, known()) == ([], ["first", None, "the last", None])
    wanted.append(True)
    later.observe(Observation(), 2, lambda: None)
    later.observe(Observation(), 3, lambda: None)
    assert [one.looks for one in made] == [2]
    assert known() == ["first", "middle", "the last", None]
    assert [resources.task_at(length) for length in (5, 6, 8, 1)] == ["first", "middle", "the last", None]
    assert resources.task_id is front, "who asks goes in by the same door"


def test_what_has_to_be_there_before_it_is_put_in_at_once() -> None:
    said: list[str] = []

    class Patch:
        def install(self) -> None:
            said.append("install")

        def uninstall(self) -> None:
            said.append("uninstall")

    context = ProbeContext()
    later = LaterProbe("x", context, lambda: False, lambda: _Names(context, "x"), Patch())
    later.install()
    later.observe(Observation(), 1, lambda: None)
    later.forget()
    later.confirm(Observation(), 1, lambda: None)
    later.uninstall()
    assert said == ["install", "uninstall"]
