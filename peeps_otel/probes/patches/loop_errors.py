# SPDX-License-Identifier: Apache-2.0
"""What an event loop was told of and cannot act on: tasks destroyed before they were done, exceptions nobody looked at.

`call_exception_handler` of asyncio's own loops is rewritten in place to say so here too, before the program's handler
runs; nothing else about it changes. Called with a dying task in hand, possibly by the garbage collector on any thread:
what is wanted is copied out at once, as code objects and text.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import time
from asyncio import base_events
from collections import deque
from types import CodeType, FunctionType, TracebackType
from typing import Any, NamedTuple, cast

from ... import semconv
from ...model import AttributeValue, Confidence, Node, NodeKind, own_line
from ...model.change import Change
from ..context import ProbeContext
from ..deaths.death import death_of
from ..deaths.probe import Ledger
from ..internals.asyncio_core import task_name
from ..internals.await_chain import chain
from ..probe import Observation, Yield
from ..source import own_code, source_text
from . import source_patch as rewrite
from .recorder import ORIGIN

CHANGES = (
    Change(
        "`BaseEventLoop.call_exception_handler`",
        "rewritten: copies out what it was told before the program's own handler runs",
        "at the start",
        "the code object of before is put back when recording ends; one name in `asyncio.base_events` stays",
        "`PEEPS_RECORD`, `PEEPS_PROBE_ASYNCIO`",
    ),
)
DESTROYED = "destroyed_pending"
UNRETRIEVED = "exception_never_retrieved"
_MESSAGES = {
    "Task was destroyed but it is pending!": DESTROYED,
    "Task exception was never retrieved": UNRETRIEVED,
    "Future exception was never retrieved": UNRETRIEVED,
    "_GatheringFuture exception was never retrieved": UNRETRIEVED,
}
_WAITING_MOST = 1000
_SITES_MOST = 256
_REMEMBERED_NS = 600 * 1_000_000_000
_DEPTH = 50
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_NAME = "_peeps_complaint"


class LoopError(NamedTuple):
    """`stack`: code and line, outermost first, of the exception or of where the task was suspended. `made`: code and
    instruction that created the task, where that was recorded."""

    problem: str
    message: str
    name: str
    exception: str
    stack: tuple[tuple[CodeType, int | None], ...]
    made: tuple[CodeType, int] | None
    time_ns: int


class LoopErrorPatch:
    """The rewritten function. It outlives a fork. `heard`: what was told and not taken yet."""

    def __init__(self, deaths: Ledger | None = None) -> None:
        """`deaths`: is told of tasks that died of an exception nobody looked at."""
        self._deaths = deaths
        self._original: CodeType | None = None
        self._installed: CodeType | None = None
        self.coverage: list[str] = []
        self.heard: deque[LoopError] = deque(maxlen=_WAITING_MOST)

    @property
    def installed(self) -> bool:
        return self._installed is not None

    def install(self) -> None:
        if self._installed is not None:
            return
        function = cast("FunctionType", base_events.BaseEventLoop.call_exception_handler)
        try:
            code = rewrite.rewritten(function, [rewrite.Insert(_asks_for_handler, f"{_NAME}(context)", 1, before=True)])
        except (rewrite.Mismatch, OSError, SyntaxError, StopIteration, AttributeError, TypeError) as reason:
            self.coverage.append(f"destroyed tasks and unretrieved exceptions are not seen: {reason}")
            return
        setattr(base_events, _NAME, self.hear)  # stays: somebody may be in the rewritten function
        self._original, self._installed = function.__code__, code
        function.__code__ = code

    def uninstall(self) -> None:
        function = cast("FunctionType", base_events.BaseEventLoop.call_exception_handler)
        if self._installed is not None and self._original is not None and function.__code__ is self._installed:
            function.__code__ = self._original
        self._original = self._installed = None
        self.coverage = []

    def hear(self, context: object) -> None:
        """Called by the rewritten function, with what it was called with."""
        try:
            if type(context) is not dict:
                return
            facts = cast("dict[str, Any]", context)
            message: object = facts.get("message")
            problem = _MESSAGES.get(message) if type(message) is str else None
            if problem is not None:
                self.heard.append(_complaint(problem, cast("str", message), facts))
                self._bury(problem, facts)
        except Exception:
            return

    def _bury(self, problem: str, facts: dict[str, Any]) -> None:
        task, failure = facts.get("future"), facts.get("exception")
        if self._deaths is None or problem != UNRETRIEVED or not issubclass(type(task), asyncio.Task):
            return
        if issubclass(type(failure), BaseException):
            name = task_name(cast("Any", task))
            self._deaths.report(death_of(NodeKind.TASK, name, cast("BaseException", failure)))


class LoopErrors:
    """A `Probe`: one `custom` node for each problem and place, with a count, until ten minutes after the last time. At
    most 256 places."""

    name = "complaints"

    def __init__(self, context: ProbeContext | None = None, patch: LoopErrorPatch | None = None) -> None:
        self._context = context or ProbeContext()
        self._patch = patch or LoopErrorPatch()
        self._nodes: dict[tuple[str, str, str], Node] = {}
        self._beyond = 0

    def install(self) -> None:
        self._patch.install()

    def uninstall(self) -> None:
        self._patch.uninstall()

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        observation.coverage += self._patch.coverage
        if self._patch.installed and "uvloop" in sys.modules:
            observation.coverage.append("uvloop: destroyed tasks and unretrieved exceptions are not seen")
        while self._patch.heard:
            self._count(self._patch.heard.popleft())
        if self._beyond:
            observation.coverage.append(f"{self._beyond} destroyed tasks or exceptions at further places")
        for key, node in list(self._nodes.items()):
            if now_ns - int(node.attributes[semconv.PROBLEM_LAST]) > _REMEMBERED_NS:
                del self._nodes[key]
            else:
                observation.nodes[node.id] = node

    def _count(self, complaint: LoopError) -> None:
        stack = tuple(own_code.frame(code, line) for code, line in complaint.stack)
        frame = own_line.innermost(stack) or (stack[-1] if stack else None)
        place = own_line.source(frame)
        if frame is not None and frame.line is None:  # its coroutine was collected before it
            place = source_text.defined_at(complaint.stack[stack.index(frame)][0])
        made = "" if complaint.made is None else source_text.source_of(*complaint.made)
        key = (complaint.problem, made or place, place)
        before = self._nodes.get(key)
        if before is None and len(self._nodes) >= _SITES_MOST:
            self._beyond += 1
            return
        count = 1 if before is None else int(before.attributes[semconv.PROBLEM_COUNT]) + 1
        attributes: dict[str, AttributeValue] = {
            semconv.PROBLEM: complaint.problem,
            semconv.PROBLEM_COUNT: count,
            semconv.PROBLEM_MESSAGE: complaint.message,
            semconv.PROBLEM_LAST: complaint.time_ns,
        }
        if complaint.exception:
            attributes[semconv.PROBLEM_EXCEPTION] = complaint.exception
        self._nodes[key] = Node(
            id=self._context.ids.new(NodeKind.CUSTOM, complaint.time_ns) if before is None else before.id,
            kind=NodeKind.CUSTOM,
            name=complaint.name,
            created_at=complaint.time_ns if before is None else before.created_at,
            source=made or place or own_line.UNKNOWN,
            confidence=Confidence.EXACT if made else Confidence.INFERRED,
            stack=stack,
            attributes=attributes,
        )


def _asks_for_handler(statement: ast.stmt) -> bool:
    """`if self._exception_handler is None:`"""
    return isinstance(statement, ast.If) and any(
        isinstance(part, ast.Attribute) and part.attr == "_exception_handler" for part in ast.walk(statement.test)
    )


def _complaint(problem: str, message: str, facts: dict[str, Any]) -> LoopError:
    future: Any = facts.get("task", facts.get("future"))
    stack: list[tuple[CodeType, int | None]] = []
    name, exception, made = type(future).__name__, "", None
    if issubclass(type(future), asyncio.Task):
        links = chain(future.get_coro())
        given: str = future.get_name()
        by_default = re.fullmatch(r"Task-\d+", given) is not None
        name = links[0].code.co_qualname if links and by_default else given
        origin: object = getattr(future, ORIGIN, None)
        if type(origin) is tuple:
            made = cast("tuple[CodeType, int]", cast("tuple[Any, ...]", origin)[1:3])
        if problem == DESTROYED:
            stack = [(link.code, link.line) for link in links[:_DEPTH]]
    failure: object = facts.get("exception")
    if issubclass(type(failure), BaseException):
        kind = type(failure)
        exception = f"{kind.__module__}.{kind.__qualname__}"
        step: TracebackType | None = _traceback_of(failure)
        while step is not None and len(stack) < _DEPTH:
            stack.append((step.tb_frame.f_code, step.tb_lineno))
            step = step.tb_next
        if stack and name in ("Task", ""):
            name = stack[0][0].co_qualname
    return LoopError(problem, message, name, exception, tuple(stack), made, time.time_ns())
