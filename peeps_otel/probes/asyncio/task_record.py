# SPDX-License-Identifier: Apache-2.0
"""What is known of one task between looks. There may be very many, so what few of them have is apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from ...model import AttributeValue, Edge, Node

if TYPE_CHECKING:
    from ..pools.in_hand import Borrowed

LINED, MATTERS, PLAIN, SETTLED, PUTS = 1, 2, 4, 8, 16


class Holds(NamedTuple):
    """A lock or permit that a task's stack shows, and where it was taken. `by_block`: nobody but this task can leave
    the block."""

    primitive: ref[Any]
    source: str
    by_block: bool = True


@dataclass(slots=True)
class Further:
    """What few tasks have.

    `given`: the name that asyncio gave, until a function of the application is seen to be called after it. `polls_in`:
    the call in which it looks round again and again, `polls_for`: and for what. `borrowed`: of pools, when it had made
    `borrowed_at` steps.
    """

    given: str = ""
    holds: Sequence[Holds] = ()
    cancel_requests: int = 0
    polls_in: ref[Any] | None = None
    polls_for: ref[Any] | None = None
    borrowed: tuple[Borrowed, ...] = ()
    borrowed_at: int = -1


_NOTHING = Further()


class TaskRecord:
    """Holds nothing of the task itself but a weak reference, so the garbage collector does not look at it.

    `node`: as it was read last. `address`: while it lives. `attributes`: those of its kind. `steps`: of the node that
    is made next. `flags`: what the properties tell. `further`: None where it has nothing of that.
    """

    __slots__ = (
        "address",
        "attributes",
        "edges",
        "flags",
        "further",
        "future",
        "node",
        "parent",
        "reference",
        "sequence",
        "since_ns",
        "steps",
    )

    def __init__(
        self,
        node: Node,
        reference: ref[asyncio.Task[Any]],
        address: int,
        sequence: int,
        parent: int,
        attributes: dict[str, AttributeValue],
    ) -> None:
        self.node = node
        self.reference = reference
        self.address = address
        self.sequence = sequence
        self.parent = parent
        self.attributes = attributes
        self.edges: tuple[Edge, ...] = ()
        self.future: ref[Any] | None = None
        self.since_ns = self.steps = self.flags = 0
        self.further: Further | None = None

    # --- as its node has it -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self.node.id

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def source(self) -> str:
        return self.node.source

    @property
    def created_ns(self) -> int:
        return self.node.created_at

    def rename(self, name: str) -> None:
        """For good."""
        self.node = replace(self.node, name=name)
        self.more().given = ""

    # --- what is so or not --------------------------------------------------------------------------------------------

    def _set(self, flag: int, is_so: bool) -> None:
        self.flags = self.flags | flag if is_so else self.flags & ~flag

    @property
    def has_lines(self) -> bool:
        return self.flags & LINED != 0

    @has_lines.setter
    def has_lines(self, is_so: bool) -> None:
        self._set(LINED, is_so)

    @property
    def matters(self) -> bool:
        """Waits for what somebody may hold, or holds something: its lines go before those of others."""
        return self.flags & MATTERS != 0

    @matters.setter
    def matters(self, is_so: bool) -> None:
        self._set(MATTERS, is_so)

    @property
    def is_plain(self) -> bool:
        """Task and future are of asyncio's own types, and nothing but the future need be asked."""
        return self.flags & PLAIN != 0

    @property
    def is_settled(self) -> bool:
        """Moreover all is known of its wait."""
        return self.flags & SETTLED != 0

    @property
    def puts_since_ns(self) -> int:
        """Waits to put into a channel since then; 0: it does not."""
        return self.since_ns if self.flags & PUTS else 0

    def note_kind(self, is_plain: bool, is_settled: bool, puts: bool) -> None:
        kind = PLAIN * is_plain | SETTLED * is_settled | PUTS * puts
        self.flags = self.flags & (LINED | MATTERS) | kind

    # --- what few have ------------------------------------------------------------------------------------------------

    def more(self) -> Further:
        """To be written to."""
        if self.further is None:
            self.further = Further()
        return self.further

    def known(self) -> Further:
        """To be read."""
        return self.further or _NOTHING

    def note_holds(self, holds: Sequence[Holds], cancel_requests: int) -> None:
        if self.further is not None or holds or cancel_requests:
            further = self.more()
            further.holds, further.cancel_requests = holds, cancel_requests

    def note_poll(self, polls_in: ref[Any] | None, polls_for: ref[Any] | None) -> None:
        if self.further is not None or polls_in is not None:
            further = self.more()
            further.polls_in, further.polls_for = polls_in, polls_for

    def clear(self) -> None:
        """It has nothing of that but what asyncio called it."""
        given = "" if self.further is None else self.further.given
        self.further = Further(given) if given else None
