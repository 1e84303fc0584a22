# SPDX-License-Identifier: Apache-2.0
"""What the probes of a process share: node ids, and the things that more than one of them sees."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from ..model import NodeKind
from .deaths.death import Death
from .descriptors import Descriptors
from .futures import Futures
from .identity import NodeIds
from .inherited import Inherited
from .library_registry import LibraryRegistry
from .resources import Resources


def _no_task(_task: Any) -> None:
    return None


def _nothing() -> None:
    return None


class ProbeContext:
    """For the watcher thread only. One per process; a forked child gets a new one.

    `inherited`: in a forked child, what of its memory is the parent's.
    """

    def __init__(self, inherited: Inherited | None = None) -> None:
        self.inherited = inherited
        self.ids = NodeIds()
        self.futures = Futures(self.ids)
        self.libraries = LibraryRegistry()
        self.resources = Resources(self.ids, self.libraries, inherited)
        self.descriptors = Descriptors()
        self.futures.kin = self.resources.kin.of
        self.with_lines = True
        """False: the watcher's budget is spent, and stacks are left without lines."""
        self.hurries = True
        """False: what can wait is done by and by, so that no look is much dearer than the others."""
        self.paced: Callable[[], int] | None = None
        """Waits where the watcher's budget is spent: only to be called with no object of the program in anybody's
        hands. Returns for how many nanoseconds the look has waited so far."""
        self.new_tasks_most: int | None = None
        """How many tasks that no look has met are read in one, None: all."""
        self.unread_tasks = 0
        """How many the look at hand, or the last one, leaves for later ones."""
        self._threads: dict[int, tuple[str, int]] = {}
        self.task_id: Callable[[Any], str | None] = _no_task
        """The node id of an asyncio task; set by the asyncio probe."""
        self.begin_look: Callable[[], None] = _nothing
        """To be called before `thread` is asked in a look: forgets the threads whose ident another one has by now. Set
        by the probe of threads, which is the last to look."""
        self.failed: Callable[[Death | None], None] = _no_task
        """Who has died; set by who puts the parts together."""

    def tell_unread(self, count: int) -> None:
        """So many were found so far that no look has read."""
        if self.new_tasks_most is not None:
            self.unread_tasks = max(self.unread_tasks, count - self.new_tasks_most)

    def thread(self, ident: int, now_ns: int) -> str:
        """The node id of the thread with this `threading.get_ident()`, given at first sight."""
        known = self._threads.get(ident)
        if known is None:
            known = self._threads[ident] = (self.ids.new(NodeKind.THREAD, now_ns), now_ns)
        return known[0]

    def thread_nodes(self) -> dict[int, str]:
        """The node of each thread that was met, by ident."""
        return {ident: node_id for ident, (node_id, _) in self._threads.items()}

    def threads_ended(self, living: AbstractSet[int]) -> None:
        """Forgets all threads but these: an ident is given again to a later one."""
        for ident in [ident for ident in self._threads if ident not in living]:
            del self._threads[ident]

    def thread_ended(self, ident: int) -> None:
        """Forgets one thread whose ident was given to another."""
        self._threads.pop(ident, None)
