# SPDX-License-Identifier: Apache-2.0
"""The history of a process that is over its quota (quotas.py): it comes later, and only the newest state of each node.

The live graph is always that of the last snapshot; what is bounded is what of it is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from .changes import Changes
from .entry import Entry

_AT_ONCE = 1000


class Lag:
    """`reason`: why. Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self._stored: dict[str, Entry | None] = {}

    @property
    def owed(self) -> int:
        """Nodes of which the database has an older state."""
        return len(self._stored)

    def note(self, nodes: Iterable[str], before: Mapping[str, Entry]) -> None:
        """These nodes have changed, or are gone. `before`: the entries before that; of what is owed already, the
        database has an older state."""
        for node_id in nodes:
            self._stored.setdefault(node_id, before.get(node_id))

    def paid(self, process: str, entries: Mapping[str, Entry], time_ns: int, most: int = _AT_ONCE) -> Changes:
        """What makes some of the owed nodes as they are now. They are owed no more."""
        changes = Changes(process, time_ns)
        for node_id in list(islice(self._stored, most)):
            before, now = self._stored.pop(node_id), entries.get(node_id)
            if now is not None:
                had = (None, ()) if before is None else (before.node, before.edges)
                changes.upsert(had[0], now.node, had[1], now.edges)
            elif before is not None:
                changes.gone(before.node, before.edges)
        return changes
