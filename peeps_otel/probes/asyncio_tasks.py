# SPDX-License-Identifier: Apache-2.0
"""One task as a node: its state, its chain of awaits, what it waits for, what it holds."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple
from weakref import ref

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, Frame, Node, NodeKind, Wait
from . import application, source_text
from . import asyncio_internals as internals
from .asyncio_waits import Waiting
from .await_chain import Entered, Link
from .creation_sites import CreationSites
from .recorder import ORIGIN, SINCE, TaskOrigin

_EPOCH_2001_NS = 10**18
_DEFAULT_NAME = re.compile(r"Task-\d+")


class Holds(NamedTuple):
    """A lock or permit that a task's stack shows, and where it was taken. `blocking`: of `threading`, by its address:
    while it is held it cannot go. `by_block`: nobody but this task can leave the block."""

    primitive: ref[Any] | None
    source: str
    blocking: int = 0
    by_block: bool = True


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
    is_plain: bool = False  # task and future are of asyncio's own types, and nothing but the future need be asked
    is_settled: bool = False  # moreover all is known of its wait
    since_ns: int = 0
    holds: list[Holds] = field(default_factory=list[Holds])
    cancel_requests: int = 0
    last_look: int = 0
    puts_since_ns: int = 0  # waits to put into a channel since then; 0: it does not
    given: str = ""  # the name that asyncio gave, until a function of the application is seen to be called after it


def new_record(
    task: asyncio.Task[Any], node_id: str, created_ns: int, loop_number: int, sites: CreationSites
) -> TaskRecord:
    """The unchanging facts of a task."""
    origin = origin_of(task)
    coroutine: Any = task.get_coro()
    code = coroutine_code(coroutine)
    qualname: str = code.co_qualname if code is not None else type(coroutine).__name__
    given = task.get_name()
    by_default = _DEFAULT_NAME.fullmatch(given) is not None
    name = f"{qualname} ({given})" if by_default else given
    of_library = by_default and not (code is not None and application.is_application(code.co_filename))
    if origin is not None:
        source = source_text.source_of(origin.code, origin.lasti)
    else:
        source = "unknown:0" if code is None else sites.of(code) or source_text.defined_at(code)
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
        given=given if of_library else "",
    )


def learn_site(task: asyncio.Task[Any], sites: CreationSites) -> None:
    """Tells `sites` where this task was created, if that was recorded."""
    origin, code = origin_of(task), coroutine_code(task.get_coro())
    if origin is not None and code is not None:
        sites.learn(code, source_text.source_of(origin.code, origin.lasti))


def coroutine_code(coroutine: Any) -> CodeType | None:
    """The code of the outermost function of a task; None for an awaitable of another kind."""
    if type(coroutine) is CoroutineType:
        return coroutine.cr_code
    return coroutine.gi_code if type(coroutine) is GeneratorType else None


def name_after(record: TaskRecord, links: list[Link]) -> None:
    """Names a task of a library after the first function of the application that it is seen in, once and for all:
    `shop.pay (Task-69)` tells more than `RequestHandler._handle_request (Task-69)`."""
    for link in links:
        code = link.code
        if application.is_application(code.co_filename):
            module = os.path.basename(code.co_filename).removesuffix(".py")
            record.name = f"{module}.{code.co_qualname.rpartition('<locals>.')[2]} ({record.given})"
            record.given = ""
            return


def origin_of(task: asyncio.Task[Any]) -> TaskOrigin | None:
    origin = getattr(task, ORIGIN, None)
    return TaskOrigin(*origin) if type(origin) is tuple else None


def frames(links: list[Link], with_lines: bool) -> tuple[Frame, ...]:
    """A chain as a stack. `with_lines` makes frame objects, about half a kilobyte each until the coroutine ends."""
    return tuple([_frame(link.code, link.frame if with_lines else None) for link in links])


_frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
_FRAMES_MOST = 10_000


def _frame(code: CodeType, frame: FrameType | None) -> Frame:
    """Many tasks stand in few places: one object for each. For the watcher thread only."""
    key = (id(code), -1 if frame is None else frame.f_lasti)
    known = _frames.get(key)
    if known is None:
        if len(_frames) >= _FRAMES_MOST:
            _frames.clear()
        line = None if frame is None else frame.f_lineno
        known = _frames[key] = (code, Frame(code.co_qualname, code.co_filename, line))
    return known[1]


def wait_of(
    waiting: Waiting, links: list[Link], stack: tuple[Frame, ...], first_seen_ns: int, deadline_ns: int | None
) -> Wait:
    """The wait of a suspended task."""
    recorded = _began(links[-1]) if links else None
    exact = recorded is not None
    return Wait(
        operation=waiting.operation.name,
        since_ns=first_seen_ns if recorded is None else recorded,
        source=application.source(application.innermost(stack)),
        needs=waiting.needs,
        deadline_ns=deadline_ns,
        exact=exact,
    )


def _began(innermost: Link) -> int | None:
    """When a wait in one of asyncio's rewritten functions began: the last of its locals, hence the last number that
    the function refers to."""
    if SINCE not in innermost.code.co_varnames:
        return None
    numbers = [thing for thing in innermost.referents if type(thing) is int]
    return numbers[-1] if numbers and numbers[-1] > _EPOCH_2001_NS else None


def node_of(
    record: TaskRecord,
    state: str,
    wait: Wait | None,
    stack: tuple[Frame, ...],
    more: dict[str, AttributeValue],
) -> Node:
    """`more`: the attributes that may change."""
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
        attributes=record.attributes | more,
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
