# SPDX-License-Identifier: Apache-2.0
"""One task as a node: its state, its chain of awaits, what it waits for, what it holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, NamedTuple
from weakref import ref

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, Frame, Node, NodeKind, Wait
from . import application, source_text
from . import asyncio_internals as internals
from .asyncio_waits import Waiting
from .await_chain import Entered, Link
from .recorder import ORIGIN, SINCE, TaskOrigin

_DEFAULT_NAME = re.compile(r"Task-\d+")


class Holds(NamedTuple):
    """A lock or permit that a task's stack shows, and where it was taken."""

    primitive: ref[Any]
    source: str


@dataclass(slots=True)
class TaskRecord:
    """What is known of one task between looks. Holds nothing of the task itself but a weak reference."""

    id: str
    name: str
    created_ns: int
    source: str
    confidence: Confidence
    sequence: int
    parent: int
    attributes: dict[str, AttributeValue]
    node: Node
    edges: tuple[Edge, ...] = ()
    shown: tuple[Edge, ...] = ()  # these and the `touches` edges, as last observed
    future: ref[Any] | None = None
    steps: int = 0
    has_lines: bool = False
    several: bool = False
    since_ns: int = 0
    holds: list[Holds] = field(default_factory=list[Holds])


def new_record(task: asyncio.Task[Any], node_id: str, created_ns: int, loop_number: int) -> TaskRecord:
    """The unchanging facts of a task."""
    origin = origin_of(task)
    coroutine: Any = task.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    qualname: str = code.co_qualname if code is not None else type(coroutine).__name__
    given = task.get_name()
    name = f"{qualname} ({given})" if _DEFAULT_NAME.fullmatch(given) else given
    if origin is not None:
        source = source_text.source_of(origin.code, origin.lasti)
    else:
        source = source_text.defined_at(code) if code is not None else "unknown:0"
    attributes: dict[str, AttributeValue] = {semconv.TASK_COROUTINE: qualname, semconv.LOOP_ID: loop_number}
    confidence = Confidence.INFERRED if origin is None else Confidence.EXACT
    return TaskRecord(
        id=node_id,
        name=name,
        created_ns=created_ns,
        source=source,
        confidence=confidence,
        sequence=0 if origin is None else origin.sequence,
        parent=0 if origin is None else origin.parent,
        attributes=attributes,
        node=Node(node_id, NodeKind.TASK, name, created_ns, source, confidence, attributes=attributes),
    )


def origin_of(task: asyncio.Task[Any]) -> TaskOrigin | None:
    origin = getattr(task, ORIGIN, None)
    return TaskOrigin(*origin) if type(origin) is tuple else None


def frames(links: list[Link], with_lines: bool) -> tuple[Frame, ...]:
    """A chain as a stack. `with_lines` makes frame objects, about half a kilobyte each until the coroutine ends."""
    found: list[Frame] = []
    for link in links:
        frame = link.frame if with_lines else None
        found.append(Frame(link.code.co_qualname, link.code.co_filename, None if frame is None else frame.f_lineno))
    return tuple(found)


def wait_of(
    waiting: Waiting, future: Any, stack: tuple[Frame, ...], first_seen_ns: int, deadline_ns: int | None
) -> Wait:
    """The wait of a suspended task."""
    # Of asyncio's own futures only: reading an attribute of another may run code of the program.
    recorded: object = getattr(future, SINCE, None) if issubclass(type(future), asyncio.Future) else None
    exact = type(recorded) is int
    return Wait(
        operation=waiting.operation.name,
        since_ns=recorded if type(recorded) is int else first_seen_ns,
        source=application.source(application.innermost(stack)),
        needs=waiting.needs,
        deadline_ns=deadline_ns,
        exact=exact,
    )


def node_of(record: TaskRecord, state: str, wait: Wait | None, stack: tuple[Frame, ...], parent: str | None) -> Node:
    attributes = record.attributes if parent is None else record.attributes | {semconv.TASK_PARENT: parent}
    return Node(
        id=record.id,
        kind=NodeKind.TASK,
        name=record.name,
        created_at=record.created_ns,
        source=record.source,
        confidence=record.confidence,
        state=state,
        wait=wait,
        stack=stack,
        steps=record.steps,
        attributes=attributes,
    )


def entered_at(entered: Entered) -> tuple[str, str]:
    """Name and `path:line` of the `with` item by which a manager was entered; the function's line where it is not
    clear which item it was."""
    code = entered.link.code
    frame = entered.link.frame
    line = code.co_firstlineno if frame is None else frame.f_lineno
    items = source_text.with_items(code, line)
    if 0 <= entered.position < len(items) and entered.total <= len(items):
        item = items[entered.position]
        return source_text.expression_name(item.text), f"{code.co_filename}:{item.line}"
    return "", f"{code.co_filename}:{line}"


def used_at(links: list[Link], is_own: Callable[[CodeType], bool]) -> tuple[str, str]:
    """Name and `path:line` of the expression by which a task waits: for things whose creation was not recorded."""
    entering = False
    for link in reversed(links):
        if is_own(link.code) or not application.is_application(link.code.co_filename):
            entering = link.code.co_name == "__aenter__"
            continue
        frame = link.frame
        if frame is None:
            continue
        if entering:
            items = source_text.with_items(link.code, frame.f_lineno)
            name = source_text.expression_name(items[-1].text) if items else ""
        else:
            name = source_text.awaited_name(link.code, frame.f_lasti)
        return name, f"{link.code.co_filename}:{frame.f_lineno}"
    return "", ""


def state_of(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> str:
    """`running` on its loop, or `runnable`: due for a step."""
    return "running" if internals.running_task(loop) is task else "runnable"
