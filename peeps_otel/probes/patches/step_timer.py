# SPDX-License-Identifier: Apache-2.0
"""Every step of every task, timed: opt-in (PEEPS_DIAGNOSTICS), for asyncio's own loops.

`BaseEventLoop._run_once` is rewritten in place, with a clock before and after each callback. A loop written in C
(uvloop) has no such function: its tasks are not timed, and the coverage says so.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio import base_events
from collections.abc import Callable
from types import BuiltinMethodType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple, cast

from ...model import Frame
from ...model.change import Change
from ..internals import asyncio_core as internals
from ..internals import loop as loop_internals
from ..internals.await_chain import chain
from ..probe import Observation, Yield
from ..source import own_code, source_text
from . import source_patch as rewrite
from .source_patch import Insert, calls

CHANGES = (
    Change(
        "`BaseEventLoop._run_once`",
        "rewritten: a clock before and after each callback; counts and times in `_peeps_steps` of the task",
        "at the start",
        "the code object of before is put back when recording ends; two names in `asyncio.base_events` stay",
        "`PEEPS_DIAGNOSTICS` (off by default)",
    ),
)
STEPS = "_peeps_steps"
_STACK_NS = 1_000_000  # a step shorter than this is not worth a stack
_clock = time.perf_counter_ns
_Place = tuple[CodeType, int]


class Steps(NamedTuple):
    """Of one task: how many, and durations in nanoseconds. `ended_in`: the chain of awaits that its longest step ended
    in, outermost first, as code and instruction; empty for a short step, or where the task ended with it."""

    made: int
    total_ns: int
    longest_ns: int
    ended_in: tuple[_Place, ...]

    def stack(self) -> tuple[Frame, ...]:
        return tuple(own_code.frame(code, source_text.line_of(code, lasti)) for code, lasti in self.ended_in)


class StepTimer:
    """A `Probe` that shows no nodes: what it writes is read with `steps_of`."""

    name = "exact steps"

    def __init__(self) -> None:
        self._undo: Callable[[], None] | None = None
        self._refused = ""

    def install(self) -> None:
        if self._undo is not None:
            return
        # Typed by hand: the stubs leave it out.
        function = cast("FunctionType", vars(base_events.BaseEventLoop)["_run_once"])
        original = function.__code__
        edits = [
            Insert(calls("handle", "_run"), "_peeps_began = _peeps_clock()", 2, before=True),
            Insert(calls("handle", "_run"), "_peeps_step(handle, _peeps_began)", 2),
        ]
        try:
            code = rewrite.rewritten(function, edits)
        except (rewrite.Mismatch, OSError, SyntaxError, StopIteration) as reason:
            self._refused = f"steps are not timed: {reason}"
            return
        for name, value in (("_peeps_clock", _clock), ("_peeps_step", _step)):
            setattr(base_events, name, value)  # for good, as in `asyncio_rewrites`

        def undo() -> None:
            if function.__code__ is code:  # else somebody else came after us: theirs to keep
                function.__code__ = original

        function.__code__ = code
        loop_internals.learn()
        self._undo = undo

    def uninstall(self) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        if self._refused:
            observation.coverage.append(self._refused)
        elif self._undo is not None and "uvloop" in sys.modules:
            observation.coverage.append("steps are not timed on uvloop's event loops")


def steps_of(task: asyncio.Task[Any]) -> Steps | None:
    """What was timed of a task; None: nothing. Any thread."""
    found: object = getattr(task, STEPS, None)
    return Steps._make(cast("tuple[Any, ...]", found)) if type(found) is tuple else None


def _step(handle: Any, began_ns: int) -> None:
    """After each callback, on the loop's thread. Adds it to its task, if it was a step of one."""
    took_ns = _clock() - began_ns
    try:
        callback = internals.step_of(handle)
        kind = cast("type[object]", type(callback))
        if kind not in _STEPPERS:
            if kind.__name__ not in _OF_C or kind.__module__ not in ("_asyncio", "builtins"):
                return
            _STEPPERS.add(kind)
        owner = callback.__self__
        if type(owner) is not _TASK and not issubclass(type(owner), _TASKS):
            return
        task = cast("Any", owner)
        try:
            made, total_ns, longest_ns, ended_in = task._peeps_steps
        except AttributeError:
            made = total_ns = longest_ns = 0
            ended_in = ()
        if took_ns > longest_ns:
            longest_ns = took_ns
            ended_in = _ended_in(task) if took_ns >= _STACK_NS else ()
        task._peeps_steps = (made + 1, total_ns + took_ns, longest_ns, ended_in)  # a `Steps`, made when it is read
    except Exception:
        return


def _ended_in(task: Any) -> tuple[_Place, ...]:
    places = [(link.code, link.lasti) for link in chain(task.get_coro())]
    return tuple([(code, lasti) for code, lasti in places if lasti is not None])


# Reading `__self__` of anything else might run code of the program. Those of C are added when they are met.
_STEPPERS: set[type] = {BuiltinMethodType, MethodType}
_OF_C = ("TaskStepMethWrapper", "TaskWakeupMethWrapper")
_TASK = asyncio.Task
_TASKS = internals.TASK_TYPES
