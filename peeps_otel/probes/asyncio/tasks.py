# SPDX-License-Identifier: Apache-2.0
"""One task as a node: its state, its chain of awaits, what it waits for, what it holds."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, CoroutineType, GeneratorType
from typing import Any, NamedTuple
from weakref import ref

from ... import semconv
from ...model import AttributeValue, Confidence, Frame, Node, NodeKind, Wait, own_line
from ...model.untracked import untracked
from ..context import ProbeContext
from ..internals import asyncio_core as internals
from ..internals import suspended_at
from ..internals.await_chain import SuspendedFrame, chain
from ..library import Waiting
from ..patches.recorder import ORIGIN, SINCE, TaskOrigin
from ..source import own_code, source_text
from .loops import Loops
from .task_record import TaskRecord

_EPOCH_2001_NS = 10**18
_DEFAULT_NAME = re.compile(r"Task-\d+")


class TaskKind(NamedTuple):
    """What the tasks of one coroutine function on one loop share. `of_library`: it is not the application's own."""

    code: CodeType | None
    qualname: str
    of_library: bool
    attributes: dict[str, AttributeValue]


class TaskKinds:
    """For the watcher thread only. Keeps code objects alive, a few thousand at most."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], TaskKind] = {}

    def of(self, coroutine: Any, loop_number: int) -> TaskKind:
        code = coroutine_code(coroutine)
        known = None if code is None else self._known.get((id(code), loop_number))
        if known is not None:
            return known
        qualname = code.co_qualname if code is not None else type(coroutine).__name__
        of_library = not (code is not None and own_code.is_own(code.co_filename))
        attributes: dict[str, AttributeValue] = {semconv.TASK_COROUTINE: qualname, semconv.LOOP_ID: loop_number}
        kind = TaskKind(code, qualname, of_library, attributes)
        if code is not None:
            if len(self._known) >= _KINDS_MOST:
                self._known.clear()
            self._known[id(code), loop_number] = kind
        return kind


_KINDS_MOST = 4096
_SITES_MOST = 4096


class CreationSites:
    """What the recorded creations tell about the others. For the watcher thread only.

    A coroutine function that was always seen to be started at one place is taken to have been started there again;
    one that was started at two is not guessed about.
    """

    def __init__(self) -> None:
        self._sources: dict[int, tuple[CodeType, str | None]] = {}  # by `id(code)`; None: several places

    def learn(self, code: CodeType, source: str) -> None:
        known = self._sources.get(id(code))
        if known is None:
            if len(self._sources) < _SITES_MOST:
                self._sources[id(code)] = (code, source)
        elif known[1] is not None and known[1] != source:
            self._sources[id(code)] = (code, None)

    def of(self, code: CodeType) -> str | None:
        """The only known `path:line`, or None."""
        known = self._sources.get(id(code))
        return None if known is None else known[1]


def new_record(
    task: asyncio.Task[Any],
    reference: ref[asyncio.Task[Any]],
    origin: TaskOrigin | None,
    node_id: str,
    created_ns: int,
    kind: TaskKind,
    sites: CreationSites,
) -> TaskRecord:
    """The unchanging facts of a task. Its node is one that is not shown: it is made anew by the look."""
    given = task.get_name()
    by_default = given.startswith("Task-") and _DEFAULT_NAME.fullmatch(given) is not None
    code = kind.code
    if origin is not None:
        source = source_text.source_of(origin.code, origin.lasti)
    else:
        source = own_line.UNKNOWN if code is None else sites.of(code) or source_text.defined_at(code)
    node = Node(
        node_id,
        NodeKind.TASK,
        f"{kind.qualname} ({given})" if by_default else given,
        created_ns,
        source,
        Confidence.INFERRED if origin is None else Confidence.EXACT,
        attributes=kind.attributes,
    )
    sequence, parent = (0, 0) if origin is None else (origin.sequence, origin.parent)
    record = TaskRecord(node, reference, id(task), sequence, parent, kind.attributes)
    if by_default and kind.of_library:
        record.more().given = given
    return untracked(record)


def learn_site(task: asyncio.Task[Any], origin: TaskOrigin, sites: CreationSites) -> None:
    """Tells `sites` where this task was created."""
    code = coroutine_code(task.get_coro())
    if code is not None:
        sites.learn(code, source_text.source_of(origin.code, origin.lasti))


def coroutine_code(coroutine: Any) -> CodeType | None:
    """The code of the outermost function of a task; None for an awaitable of another kind."""
    if type(coroutine) is CoroutineType:
        return coroutine.cr_code
    return coroutine.gi_code if type(coroutine) is GeneratorType else None


def name_after(record: TaskRecord, codes: Iterable[CodeType]) -> None:
    """Names a task of a library after the first function of the application that it is seen in, once and for all:
    `shop.pay (Task-69)` tells more than `RequestHandler._handle_request (Task-69)`."""
    name = next((name for code in codes if (name := application_name(code))), "")
    if name:
        record.rename(f"{name} ({record.known().given})")


def application_name(code: CodeType) -> str:
    """`shop.pay` for a function of the application, else empty."""
    if not own_code.is_own(code.co_filename):
        return ""
    module = os.path.basename(code.co_filename).removesuffix(".py")
    return f"{module}.{code.co_qualname.rpartition('<locals>.')[2]}"


def origin_of(task: asyncio.Task[Any]) -> TaskOrigin | None:
    origin = getattr(task, ORIGIN, None)
    return TaskOrigin(*origin) if type(origin) is tuple else None


def frames(links: list[SuspendedFrame], with_lines: bool, polls: bool = False) -> tuple[Frame, ...]:
    """A chain as a stack. `polls`: the last looks round again and again, at another line in each turn."""
    lastis = [link.lasti if with_lines else None for link in links]
    if polls:
        lastis[-1] = None
    return _stack([_frame(link.code, lasti) for link, lasti in zip(links, lastis, strict=True)])


def suspended_in(task: asyncio.Task[Any]) -> tuple[Frame, ...]:
    """The stack of a task that is not in a step, whether or not it is due for one."""
    return frames(chain(task.get_coro()), with_lines=True)


def frames_of(places: Iterable[tuple[CodeType, int | None]]) -> tuple[Frame, ...]:
    """The same of functions and their instructions; None: without a line."""
    return _stack([_frame(code, lasti) for code, lasti in places])


_stacks: dict[tuple[int, ...], tuple[Frame, ...]] = {}
_STACKS_MOST = 10_000


def _stack(found: list[Frame]) -> tuple[Frame, ...]:
    """One object for all tasks that stand in the same place. For the watcher thread only."""
    key = tuple(map(id, found))
    known = _stacks.get(key)
    if known is None:
        if len(_stacks) >= _STACKS_MOST:
            _stacks.clear()
        known = _stacks[key] = tuple(found)  # keeps the frames, hence their identities
    return known


_frames: dict[tuple[int, int | None], tuple[CodeType, Frame]] = {}
_FRAMES_MOST = 10_000


def _frame(code: CodeType, lasti: int | None) -> Frame:
    """Many tasks stand in few places: one object for each. For the watcher thread only. None: without a line."""
    key = (id(code), lasti)
    known = _frames.get(key)
    if known is None:
        if len(_frames) >= _FRAMES_MOST:
            _frames.clear()
        line = None if lasti is None else suspended_at.line(code, lasti)
        known = _frames[key] = (code, own_code.frame(code, line))
    return known[1]


def wait_of(
    waiting: Waiting,
    links: list[SuspendedFrame],
    stack: tuple[Frame, ...],
    created: str,
    first_seen_ns: int,
    deadline_ns: int | None,
) -> Wait:
    """The wait of a suspended task. `created`: where that was created."""
    recorded = began(links[-1].referents) if links and SINCE in links[-1].code.co_varnames else None
    exact = recorded is not None
    return untracked(
        Wait(
            operation=waiting.operation.name,
            since_ns=first_seen_ns if recorded is None else recorded,
            source=own_code.place_of(stack, created),
            needs=waiting.needs,
            deadline_ns=deadline_ns,
            exact=exact,
        )
    )


def began(referents: list[Any]) -> int | None:
    """When a wait in one of asyncio's rewritten functions began: the last of its locals, hence the last number that
    the function refers to."""
    numbers = [thing for thing in referents if type(thing) is int]
    return numbers[-1] if numbers and numbers[-1] > _EPOCH_2001_NS else None


def node_of(
    record: TaskRecord,
    state: str,
    wait: Wait | None,
    stack: tuple[Frame, ...],
    attributes: dict[str, AttributeValue],
) -> Node:
    known = record.node
    node = Node(  # by position: there may be very many
        known.id,
        NodeKind.TASK,
        known.name,
        known.created_at,
        known.source,
        known.confidence,
        state,
        None,
        wait,
        stack,
        record.steps,
        attributes,
    )
    return untracked(node)


def used_at(links: list[SuspendedFrame], is_own: Callable[[CodeType], bool]) -> tuple[str, str]:
    """Name and `path:line` of the expression by which a task waits: for things whose creation was not recorded."""
    entering = False
    for link in reversed(links):
        if is_own(link.code) or not own_code.is_own(link.code.co_filename):
            entering = link.code.co_name == "__aenter__"
            continue
        lasti = link.lasti
        line = None if lasti is None else suspended_at.line(link.code, lasti)
        if lasti is None or line is None:
            continue
        if entering:
            items = source_text.with_items(link.code, line)
            name = source_text.expression_name(items[-1].text) if items else ""
        else:
            name = source_text.awaited_name(link.code, lasti)
        return name, f"{link.code.co_filename}:{line}"
    return "", ""


def state_of(task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> str:
    """`running` on its loop, or `runnable`: due for a step."""
    return "running" if internals.running_task(loop) is task else "runnable"


_ATTRIBUTES_MOST = 4096
_Attributes = dict[str, AttributeValue]


class TaskAttributes:
    """For the watcher thread only. `ids`: the nodes of tasks by their sequence numbers."""

    def __init__(self, context: ProbeContext, loops: Loops, ids: Mapping[int, str]) -> None:
        self._context = context
        self._loops = loops
        self._ids = ids
        self._known: dict[tuple[int, str | None, str | None], tuple[_Attributes, _Attributes]] = {}

    def of(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int) -> dict[str, AttributeValue]:
        """Those of a task that nobody has asked to cancel: one dictionary for all tasks of a kind and a parent."""
        parent = self._ids.get(record.parent) if record.parent else None
        ident = self._loops.thread(internals.loop_of(task))
        thread = None if ident is None else self._context.thread(ident, now_ns)
        key = (id(record.attributes), parent, thread)
        known = self._known.get(key)
        if known is not None and known[0] is record.attributes:
            return known[1]
        if len(self._known) >= _ATTRIBUTES_MOST:
            self._known.clear()
        attributes = record.attributes
        if parent is not None:
            attributes = attributes | {semconv.TASK_PARENT: parent}
        if thread is not None:
            attributes = attributes | {semconv.TASK_THREAD: thread}
        self._known[key] = (record.attributes, attributes)
        return attributes
