# SPDX-License-Identifier: Apache-2.0
"""Pools: what lends connections, tokens or workers, how many it has, and who has them.

A pool is a resource like a semaphore. What it does not tell itself, who has what it lent, is seen in live functions:
a task or thread has a connection while a variable or a `with` block of a function that it is in refers to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .. import semconv
from ..model import Confidence, NodeKind, Providers
from .resource_types import NOT_BEFORE, Around, Held, Known, ResourceType, State, whole_numbers

_SHARED_MOST = 2


class PoolHolder(NamedTuple):
    """Who has something of a pool. `holder`: the task or the thread, or the ident of a thread. `since_ns`: Unix epoch,
    0 where it is not known. `source`: `path:line` where it was taken, empty where it is not known."""

    holder: Any
    since_ns: int = 0
    source: str = ""


class PoolState(NamedTuple):
    """A pool at this moment; None where it does not tell. `in_use`: how many are taken; `holders`: those of them that
    are known. `unbounded`: it makes more when all are taken, so nobody ever waits for a holder. `lent`: what is taken,
    for a library whose connections do not tell their pool (see `Lent`). `lost`: how many of those in use nobody can
    give back any more."""

    capacity: int | None
    in_use: int | None
    holders: tuple[PoolHolder, ...] = ()
    waiters: int | None = None
    name: str = ""
    unbounded: bool = False
    lent: tuple[Any, ...] = ()
    lost: int = 0


class Lent(NamedTuple):
    """What a handle stands for: `thing`, one of those that `pool` lends. `pool` is None where the thing does not tell:
    it is the one whose state has the thing among `lent`. `taken_by`: the method of the handle that took it, where it
    is not taken by being made."""

    thing: Any
    pool: Any = None
    taken_by: str = ""


class PoolHandle(NamedTuple):
    """A type of objects by which the program uses what a pool has lent: a connection, a response, a session.

    `lent` reads stored values only, and returns nothing for one that has nothing of a pool (now)."""

    cls: type[Any]
    lent: Callable[[Any], Iterable[Lent]]


class PoolType(NamedTuple):
    """A type of pool. `read` reads stored values only, as everywhere."""

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
            is_pool=True,
        )

    def _called(self, pool: Any) -> Known:
        return Known(self.read(pool).name, {})

    def _state(self, pool: Any, around: Around) -> State:
        state = self.read(pool)
        told = [held for one in state.holders if (held := _held_of_pool(one, around)) is not None]
        exactly = {held.holder_id for held in told}
        seen = _surest([held for held in around.on_stacks if held.holder_id not in exactly])
        capacity, in_use = state.capacity, state.in_use
        available = None if capacity is None or in_use is None else max(0, capacity - in_use)
        attributes = whole_numbers(
            {
                semconv.SEMAPHORE_AVAILABLE: available,
                semconv.SEMAPHORE_PERMITS: capacity,
                semconv.POOL_IN_USE: in_use,
                semconv.POOL_LOST: state.lost or None,
                semconv.RESOURCE_WAITERS: state.waiters,
            }
        )
        holders = _one_each([*told, *seen])
        if state.unbounded or in_use is None or len(told) + _things(seen) + state.lost < in_use or not holders:
            return State(attributes, Providers.OPEN, holders, lent=state.lent)
        # Anybody may close the pool, raise its size or invalidate what it has lent: never more than likely.
        return State(attributes, Providers.ESTIMATED, holders, lent=state.lent)


def _surest(seen: list[Held]) -> list[Held]:
    """Of a thing in somebody's variable only those; of one that is in sight by an attribute of something, nobody where
    that is shared by many."""
    surely = {held.lent for held in seen if held.confidence is Confidence.EXACT}
    shared = Counter(held.lent for held in seen)
    return [
        held
        for held in seen
        if not held.lent
        or held.confidence is Confidence.EXACT
        or (held.lent not in surely and shared[held.lent] <= _SHARED_MOST)
    ]


def _things(seen: list[Held]) -> int:
    """How many things they have: one that two are seen with is one."""
    return len({held.lent for held in seen if held.lent}) + sum(not held.lent for held in seen)


def _one_each(holders: list[Held]) -> list[Held]:
    """One for each holder, whatever number of things it has: the first that it took."""
    found: dict[str, Held] = {}
    for held in holders:
        known = found.get(held.holder_id)
        if known is None or held.since_ns < known.since_ns:
            found[held.holder_id] = held
    return list(found.values())


def _held_of_pool(one: PoolHolder, around: Around) -> Held | None:
    holder: Any = one.holder
    holder_id = around.thread_id(holder) if type(holder) is int else around.task_id(holder)
    if holder_id is None:
        return None
    since_ns, source = one.since_ns or NOT_BEFORE, one.source
    seen = next((held for held in around.on_stacks if held.holder_id == holder_id), None)
    if seen is not None:
        source = source or seen.source
        since_ns = since_ns if one.since_ns else seen.since_ns
    return Held(holder_id, since_ns, source, False, Confidence.EXACT, one.since_ns > 0)
