# SPDX-License-Identifier: Apache-2.0
"""What is known of one thread between looks, and its node."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any
from weakref import ref

from ... import semconv
from ...model import AttributeValue, Confidence, Edge, Frame, Node, NodeKind, Wait, own_line
from ..internals import stdlib as stdlib_internals
from ..internals.thread import ThreadFacts, main_ident
from ..pools.in_hand import Borrowed
from ..resource_types import Held
from .pools import NO_WORK, Work
from .waits import PollCall

_CPU_STEP_NS = 10_000_000  # by which the time shown must have grown to be shown anew
_BOOTSTRAP = frozenset({"Thread._bootstrap", "Thread._bootstrap_inner"})


@dataclass(slots=True)
class ThreadRecord:
    """No frame, no object of the program but by weak reference."""

    facts: ThreadFacts
    id: str
    created_ns: int
    source: str = ""
    began: bool = False  # its source is a line of the program's own
    cpu_ns: int | None = None
    cpu_shown_ns: int | None = None
    read_ns: int = 0
    moment: bool = False  # the last reading was of one moment
    steps: int = 0
    node: Node | None = None
    edges: tuple[Edge, ...] = ()
    targets: list[ref[Any]] = field(default_factory=list[ref[Any]])
    holds: list[tuple[ref[Any], Held]] = field(default_factory=list[tuple[ref[Any], Held]])
    work: Work = NO_WORK
    call: str = ""  # the C function it is in, if that is no wait by a name
    call_since_ns: int = 0
    polls_in: PollCall | None = None  # the call in which it looks round again and again
    borrowed: tuple[Borrowed, ...] = ()  # of pools
    searched: bool = False  # for these, since it was read
    handles_signals: bool = False  # by code of the program or a library
    children_died: str = ""  # those of a main thread's process
    own_service: str | None = None  # where it serves and waits for an answer; empty: not so; None: not known yet
    process: str = ""  # what its process is called, if another one has started that

    def tell_died(self, died: str) -> None:
        """Which children have died; its node says so from now on, though nothing of the thread itself has changed."""
        self.children_died = died
        self._tell(semconv.THREAD_CHILDREN_DIED, died)

    def tell_own_service(self, address: str) -> None:
        """Whether it waits for the service that it serves itself, at which `address`; its node says so from now on."""
        self.own_service = address
        self._tell(semconv.THREAD_OWN_SERVICE, address)

    def _tell(self, name: str, value: str) -> None:
        if self.node is not None:
            about = {one: other for one, other in self.node.attributes.items() if one != name}
            told: dict[str, AttributeValue] = {name: value} if value else {}
            self.node = replace(self.node, attributes=about | told)


def show(
    record: ThreadRecord, state: str, wait: Wait | None, stack: tuple[Frame, ...], edges: tuple[Edge, ...]
) -> None:
    """Makes its node and edges. Keeps the objects of what is unchanged: the snapshot tells changes by identity."""
    facts = record.facts
    shown = record.cpu_shown_ns
    if record.cpu_ns is not None and (shown is None or record.cpu_ns - shown >= _CPU_STEP_NS):
        record.cpu_shown_ns = record.cpu_ns
    blocked, before = state == "blocked" and wait is None, record.node
    if not blocked or before is None or before.wait is not None or (before.state, before.stack) != (state, stack):
        record.call_since_ns = record.read_ns  # else each look has found it there, perhaps in the next of such calls
    known: dict[str, AttributeValue | None] = {
        semconv.THREAD_ID: facts.ident,
        semconv.THREAD_NAME: facts.name,
        semconv.THREAD_NATIVE_ID: facts.native_id,
        semconv.THREAD_PROCESS: record.process or None,
        semconv.THREAD_CHILDREN_DIED: record.children_died or None,
        semconv.THREAD_DAEMON: facts.daemon,
        semconv.THREAD_ENDING: _ending(facts, stack),
        semconv.THREAD_HANDLES_SIGNALS: True if record.handles_signals else None,
        semconv.THREAD_OWN_SERVICE: record.own_service or None,
        semconv.THREAD_CPU_TIME: record.cpu_shown_ns,
        semconv.THREAD_CALL: record.call if record.call and blocked else None,
        semconv.THREAD_CALL_SINCE: record.call_since_ns if blocked else None,
    }
    attributes = {name: value for name, value in known.items() if value is not None}
    node = Node(
        id=record.id,
        kind=NodeKind.THREAD,
        name=facts.name,
        created_at=record.created_ns,
        source=record.source,
        confidence=Confidence.INFERRED,
        state=state,
        wait=wait,
        stack=stack,
        steps=None if wait is None else record.steps,
        attributes=attributes,
    )
    if record.node != node:
        record.node = node
    if record.edges != edges:
        record.edges = edges


def _ending(facts: ThreadFacts, stack: tuple[Frame, ...]) -> str | None:
    """What ends the program in this thread; None where none does."""
    is_main = facts.ident == main_ident()
    for frame in stack:
        if frame.library:
            place = "/".join(frame.file.replace("\\", "/").split("/")[-2:])
            for (file, function), what in stdlib_internals.ENDS_PROGRAM.items():
                if (
                    frame.function == function
                    and place.endswith(file)
                    and (is_main or what == stdlib_internals.ELSEWHERE)
                ):
                    return what
    return "atexit" if is_main and stdlib_internals.main_has_ended() else None


def begins_at(stack: tuple[Frame, ...]) -> str:
    """`path:line` of the thread's outermost own function; else of the outermost that does not merely start threads."""
    own = (frame for frame in stack if not frame.library)
    working = (frame for frame in stack if frame.file != threading.__file__ and frame.file[:1] != "<")
    begun = (frame for frame in stack if frame.function not in _BOOTSTRAP)
    return own_line.source(next(chain(own, working, begun), None)) or own_line.UNKNOWN
