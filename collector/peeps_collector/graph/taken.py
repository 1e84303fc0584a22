# SPDX-License-Identifier: Apache-2.0
"""What has changed in the live graph since the diagnosis last took it."""

from __future__ import annotations

from collections.abc import Container, Mapping

from .across import Across
from .entry import Entry
from .incremental import Delta
from .incremental import Entry as Known
from .own_clock import by_our_clock
from .process import Process


class Taken:
    """Made with the graph's lock held, and read without it: `deltas` makes the nodes.

    `updates`: of each process whose picture is complete, at that moment. Of those that are not `known` it takes all.
    """

    def __init__(self, processes: Mapping[str, Process], joins: Across, known: Container[str]) -> None:
        self.updates: dict[str, int] = {}
        self._dressed: dict[str, Known] = {}
        self._ahead_ns: dict[str, int] = {}
        self._taken: list[tuple[str, bool, dict[str, Entry | None]]] = []
        for key, process in processes.items():
            if process.needs_key_frame or not process.updates:
                continue
            self.updates[key] = process.updates
            whole = process.changed is None or key not in known
            entries = process.entries
            some: dict[str, Entry | None] = (
                {**entries} if whole else {n: entries.passing(n) for n in process.changed or ()}
            )
            self._taken.append((key, whole, some))
            self._ahead_ns[key] = process.clock.ahead_ns
            process.changed = set()
        for said in joins.said():
            for _, _, found in self._taken:
                for node_id in said & found.keys():
                    entry = found[node_id]
                    if entry is not None:
                        self._dressed[node_id] = joins.dressed(entry.node), (*entry.edges, *joins.links(node_id))

    def deltas(self) -> dict[str, Delta]:
        """By process. Times are those of our clock."""
        return {
            key: Delta(
                whole, {n: None if e is None else self._known(n, e, self._ahead_ns[key]) for n, e in found.items()}
            )
            for key, whole, found in self._taken
        }

    def _known(self, node_id: str, entry: Entry, ahead_ns: int) -> Known:
        known = self._dressed.get(node_id) or (entry.node, entry.edges)
        return by_our_clock(*known, ahead_ns) if ahead_ns else known
