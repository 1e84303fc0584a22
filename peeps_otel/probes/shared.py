# SPDX-License-Identifier: Apache-2.0
"""What the probes of a process share: node ids, and the things that more than one of them sees."""

from __future__ import annotations

from ..model import NodeKind
from .futures import Futures
from .identity import NodeIds


class Shared:
    """For the watcher thread only. One per process; a forked child gets a new one."""

    def __init__(self) -> None:
        self.ids = NodeIds()
        self.futures = Futures(self.ids)
        self._threads: dict[int, tuple[str, int]] = {}

    def thread(self, ident: int, now_ns: int) -> str:
        """The node id of the thread with this `threading.get_ident()`, given at first sight."""
        known = self._threads.get(ident)
        if known is None:
            known = self._threads[ident] = (self.ids.new(NodeKind.THREAD, now_ns), now_ns)
        return known[0]

    def threads_ended(self, living: set[int]) -> None:
        """Forgets all threads but these: an ident is given again to a later one."""
        for ident in [ident for ident in self._threads if ident not in living]:
            del self._threads[ident]
