# SPDX-License-Identifier: Apache-2.0
"""What a type of lock, semaphore, queue, connection or pool is to the probes, and what is read of one at each look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, NodeKind, Providers

NOT_BEFORE = 1 << 63
"""In place of a time that is not known: later than any."""


class Held(NamedTuple):
    """A lock or permit in the hands of a task or thread. `by_block`: inside a `with` block, which will give it back.
    `exact`: `since_ns` was recorded; otherwise it is when the hold was first seen, which may have begun before, not
    after. `bare`: by an `acquire()` of its own, which may be meant as a signal or for somebody else to release."""

    holder_id: str
    since_ns: int
    source: str
    by_block: bool
    confidence: Confidence
    exact: bool = False
    bare: bool = False


class Channel(NamedTuple):
    """The two ends of a queue or stream: how many wait at which (None: not told), and what only one of them shows."""

    putters: int | None
    getters: int | None
    of_tx: dict[str, AttributeValue] = {}  # noqa: RUF012  # never written to
    of_rx: dict[str, AttributeValue] = {}  # noqa: RUF012


@dataclass(slots=True)
class State:
    """`holders`: those of a lock or of permits. `channel`: of a thing with two ends."""

    attributes: dict[str, AttributeValue]
    providers: Providers = Providers.OPEN
    holders: list[Held] = field(default_factory=list[Held])
    channel: Channel | None = None


class Around(NamedTuple):
    """What is known round a thing when its state is read.

    `on_stacks`: who holds it as the stacks of tasks and threads show. `sure`: the threads' stacks are known to be of
    one moment each. `initial`: the permits it began with, where its making was recorded. `task_id`, `task_at`,
    `thread_id`: the node of a task, of the task at an address, of a thread by its ident; None for one that is not
    known.
    """

    on_stacks: list[Held]
    task_id: Callable[[Any], str | None]
    task_at: Callable[[int], str | None]
    thread_id: Callable[[int], str | None]
    initial: int | None
    sure: bool

    def owned_by(self, holder_id: str | None) -> list[Held]:
        """The hold of an owner that the thing itself tells, exactly, with its place where a stack shows that."""
        if holder_id is None:
            return []
        seen = next((held for held in self.on_stacks if held.holder_id == holder_id), None)
        if seen is None:
            return [Held(holder_id, NOT_BEFORE, "", False, Confidence.EXACT)]
        return [seen._replace(confidence=Confidence.EXACT)]


class Known(NamedTuple):
    """Name and unchanging attributes of a node."""

    name: str
    attributes: dict[str, AttributeValue]


class Making(NamedTuple):
    """Where and when a thing was made, as it was written down then. `initial`: the permits it began with."""

    name: str
    source: str
    time_ns: int
    initial: int | None


CHANNEL = (NodeKind.TX, NodeKind.RX)


class ResourceType(NamedTuple):
    """One type of things that tasks or threads wait for or hold.

    `cls`: it and what is derived from it, unless a type in between is known too. `kinds`: its node, or the two of a
    channel. `read_state` is called at each look, `static_attributes` and `made` once. All of them read stored values
    only: no property, no `repr`, no lock. `type_name`: as a person would write it, or what makes it of the very class;
    `package.Class` where empty.
    `while_used`: nodes only while somebody waits for it or has it, as there are very many of it in any program.
    """

    cls: type[Any]
    kinds: tuple[NodeKind, ...]
    read_state: Callable[[Any, Around], State] | None
    static_attributes: Callable[[Any], Known] | None = None
    type_name: str | Callable[[type[object]], str] = ""
    made: Callable[[Any], Making | None] | None = None
    while_used: bool = False


def of_lock(holders: list[Held], sure: bool = True) -> Providers:
    """One task or thread inside a `with` block gives the lock back, and nobody else can without breaking that block."""
    if not holders:
        return Providers.OPEN
    return Providers.CLOSED if sure and len(holders) == 1 and holders[0].by_block else Providers.ESTIMATED


def of_permits(
    holders: list[Held], available: int | None, total: int | None, bounded: bool, sure: bool = True
) -> Providers:
    """Who can give back a permit that somebody waits for."""
    if not holders or available is None or (total is not None and len(holders) < total - available):
        return Providers.OPEN  # somebody has a permit who is not known
    # A release too many makes a bounded semaphore's own block fail; a plain one may be released by anyone.
    closed = sure and bounded and total is not None and all(held.by_block for held in holders)
    return Providers.CLOSED if closed else Providers.ESTIMATED


def whole_numbers(values: dict[str, int | None]) -> dict[str, AttributeValue]:
    """Without those that are not known: a missing value is absent, never 0."""
    return {name: value for name, value in values.items() if value is not None}


class PoolHolder(NamedTuple):
    """Who has something of a pool. `holder`: the task or the thread, or the ident of a thread. `since_ns`: Unix epoch,
    0 where it is not known. `source`: `path:line` where it was taken, empty where it is not known."""

    holder: Any
    since_ns: int = 0
    source: str = ""


class PoolState(NamedTuple):
    """A pool at this moment; None where it does not tell. `in_use`: how many are taken; `holders`: those of them that
    are known. `unbounded`: it makes more when all are taken, so nobody ever waits for a holder."""

    capacity: int | None
    in_use: int | None
    holders: tuple[PoolHolder, ...] = ()
    waiters: int | None = None
    name: str = ""
    unbounded: bool = False


class PoolType(NamedTuple):
    """A type of connection pool. `read` reads stored values only, as everywhere."""

    cls: type[Any]
    type_name: str
    read: Callable[[Any], PoolState]

    def as_resource_type(self) -> ResourceType:
        """A pool is a semaphore whose permits are what it lends."""
        return ResourceType(
            self.cls,
            (NodeKind.SEMAPHORE,),
            self._state,
            self._called,
            self.type_name,
        )

    def _called(self, pool: Any) -> Known:
        return Known(self.read(pool).name, {})

    def _state(self, pool: Any, around: Around) -> State:
        state = self.read(pool)
        holders = [held for one in state.holders if (held := _held_of_pool(one, around)) is not None]
        capacity, in_use = state.capacity, state.in_use
        available = None if capacity is None or in_use is None else max(0, capacity - in_use)
        attributes = whole_numbers(
            {
                semconv.SEMAPHORE_AVAILABLE: available,
                semconv.SEMAPHORE_PERMITS: capacity,
                semconv.RESOURCE_WAITERS: state.waiters,
            }
        )
        if state.unbounded or in_use is None or len(holders) < in_use:
            return State(attributes, Providers.OPEN, holders)
        # Anybody may close the pool, raise its size or invalidate what it has lent: never more than likely.
        return State(attributes, Providers.ESTIMATED if holders else Providers.OPEN, holders)


def _held_of_pool(one: PoolHolder, around: Around) -> Held | None:
    holder: Any = one.holder
    holder_id = around.thread_id(holder) if type(holder) is int else around.task_id(holder)
    if holder_id is None:
        return None
    since_ns = one.since_ns or NOT_BEFORE
    return Held(holder_id, since_ns, one.source, False, Confidence.EXACT, one.since_ns > 0)
