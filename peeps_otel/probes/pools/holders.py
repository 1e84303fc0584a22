# SPDX-License-Identifier: Apache-2.0
"""Tells the resources who has what pools have lent. Looked for only while somebody waits for a pool."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Confidence
from ..internals.await_chain import SuspendedFrame
from ..library_registry import LibraryRegistry
from ..resource_types import Held
from ..resources import Resources
from ..threads.call_stack import CallStack
from . import in_hand
from .in_hand import Borrowed


class PoolHolders:
    """For the watcher thread only."""

    def __init__(self, libraries: LibraryRegistry, resources: Resources) -> None:
        self._libraries = libraries
        self._resources = resources

    @property
    def wanted(self) -> bool:
        """Whether somebody waited for a pool at the last look, and there is anything to know its holders by."""
        return self._resources.pools_wanted and self._libraries.has_pool_handles

    def of_task(self, links: list[SuspendedFrame]) -> tuple[Borrowed, ...]:
        """Of a suspended task, by its chain of awaits. Stays right until it goes on."""
        return in_hand.of_task(links, self._libraries)

    def of_thread(self, stack: CallStack) -> tuple[Borrowed, ...]:
        """Of a thread that sleeps. Stays right until it goes on."""
        return in_hand.of_thread(stack, self._libraries)

    def hold(self, holder_id: str, since_ns: int, borrowed: Iterable[Borrowed]) -> None:
        """`since_ns`: when its wait began: what it has now it had then."""
        for one in borrowed:
            if one.reference() is None:
                continue
            pool = one.pool or self._resources.pool_of(one.thing)
            if pool is not None:
                confidence = Confidence.EXACT if one.direct else Confidence.INFERRED
                self._resources.hold(pool, Held(holder_id, since_ns, one.source, False, confidence, lent=one.thing))
