# SPDX-License-Identifier: Apache-2.0
"""What a type of lock, semaphore, queue, connection or pool is to the probes, and what is read of one at each look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, NodeKind, Providers
from .internals.stdlib import QueueState

NOT_BEFORE = 1 << 63
"""In place of a time that is not known: later than any."""


class Held(NamedTuple):
    """A lock or permit in the hands of a task or thread. `by_block`: inside a `with` block, which will give it back.
    `exact`: `since_ns` was recorded; otherwise it is when the hold was first seen, which may have begun before, not
    after. `bare`: by an `acquire()` of its own, which may be meant as a signal or for somebody else to release.
    `lent`: the address of what it has of a pool, so that one thing is not counted twice; 0: not told."""

    holder_id: str
    since_ns: int
    source: str
    by_block: bool
    confidence: Confidence
    exact: bool = False
    bare: bool = False
    lent: int = 0


class Channel(NamedTuple):
    """The two ends of a queue or stream: how many wait at which (None: not told), and what only one of them shows."""

    putters: int | None
    getters: int | None
    of_tx: dict[str, AttributeValue] = {}  # noqa: RUF012  # never written to
    of_rx: dict[str, AttributeValue] = {}  # noqa: RUF012  # never written to


@dataclass(slots=True)
class State:
    """`holders`: those of a lock or of permits. `channel`: of a thing with two ends. `lent`: what a pool has lent,
    where that does not tell its pool."""

    attributes: dict[str, AttributeValue]
    providers: Providers = Providers.OPEN
    holders: list[Held] = field(default_factory=list[Held])
    channel: Channel | None = None
    lent: tuple[Any, ...] = ()


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


class Fingerprint(NamedTuple):
    """All that the state of a thing is made of, beside who is seen to hold it: as long as that is as before, so is the
    state. `numbers`: plain numbers, truth values or None, compared by value; `owner`: what was written down of its
    holder, which is the same object as long as nobody else takes it."""

    numbers: tuple[int | None, ...]
    owner: object = None


class ResourceType(NamedTuple):
    """One type of things that tasks or threads wait for or hold.

    `cls`: it and what is derived from it, unless a type in between is known too. `kinds`: its node, or the two of a
    channel. `read_state` is called at each look, `static_attributes` and `made` once. All of them read stored values
    only: no property, no `repr`, no lock. `type_name`: as a person would write it, or what makes it of the very class;
    `package.Class` where empty.
    `while_used`: nodes only while somebody waits for it or has it, as there are very many of it in any program.
    `by_handle`: who has it is seen as with pools too: in whose hands an object is by which it was taken (`PoolHandle`).
    `is_pool`: what it lends is taken inside its library; where the program asked for it is what people want to see.
    `fingerprint`: cheaper than `read_state`, which is then called only where it differs; None: it cannot tell.
    """

    cls: type[Any]
    kinds: tuple[NodeKind, ...]
    read_state: Callable[[Any, Around], State] | None
    static_attributes: Callable[[Any], Known] | None = None
    type_name: str | Callable[[type[object]], str] = ""
    made: Callable[[Any], Making | None] | None = None
    while_used: bool = False
    is_pool: bool = False
    by_handle: bool = False
    fingerprint: Callable[[Any], Fingerprint | None] | None = None


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


def owned_lock(owner: Any, waiting: int | None, around: Around) -> State:
    """Of a lock that knows its owner (None: nobody), who alone can release it, whatever way it was taken; where the
    stacks show the block by which that was, with its place."""
    task_id = None if owner is None else around.task_id(owner)
    seen = {held.holder_id: held for held in around.on_stacks}
    holders: list[Held] = []
    if task_id is not None:
        holders = [seen.get(task_id, Held(task_id, NOT_BEFORE, "", False, Confidence.EXACT))]
    attributes = whole_numbers({semconv.RESOURCE_WAITERS: waiting})
    attributes[semconv.LOCK_LOCKED] = owner is not None
    return State(attributes, Providers.CLOSED if holders else Providers.OPEN, holders)


def semaphore_of(available: int | None, most: int | None, waiting: int | None, around: Around) -> State:
    """Of permits that know how many are left, and the most there may be (None: any number)."""
    values = {
        semconv.RESOURCE_WAITERS: waiting,
        semconv.SEMAPHORE_AVAILABLE: available,
        semconv.SEMAPHORE_PERMITS: most,
    }
    providers = of_permits(around.on_stacks, available, most, most is not None)
    return State(whole_numbers(values), providers, around.on_stacks)


def queue_of(queue: QueueState) -> State:
    """Of a queue with an end to put into and one to get from."""
    attributes = whole_numbers({semconv.CHANNEL_LENGTH: queue.length, semconv.CHANNEL_CAPACITY: queue.capacity or None})
    unfinished = whole_numbers({semconv.CHANNEL_UNFINISHED: queue.unfinished})
    return State(attributes, channel=Channel(queue.putters, queue.getters, {}, unfinished))
