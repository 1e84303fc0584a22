# SPDX-License-Identifier: Apache-2.0
"""The graphs of all processes as one, with their indexes, brought up to date by what has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from peeps_otel.diagnosis.incremental_index import IncrementalIndex
from peeps_otel.diagnosis.rules.registry import MARKS
from peeps_otel.model import Edge, Graph, Node

from .arrays import ConditionArrays

Entry = tuple[Node, tuple[Edge, ...]]


@dataclass(slots=True)
class Delta:
    """What has changed in one process: nodes with their outgoing edges, None for one that is gone. `whole`: these are
    all nodes that there are."""

    whole: bool
    entries: dict[str, Entry | None]


class IncrementalWaitGraph(IncrementalIndex):
    """The indexes with the conditions as arrays. Not thread-safe: belongs to the thread that looks."""

    def __init__(self) -> None:
        super().__init__(MARKS)
        self._arrays = ConditionArrays()
        self._dirty: set[str] = set()

    def _note_dirty(self, node_ids: Iterable[str], waiter: str) -> None:
        if waiter:  # of most things the condition is the same whoever waits for them
            node_ids = [one for one in node_ids if self.depends_on_waiter(one, waiter)]
        self._dirty.update(node_ids)

    def refresh(self) -> None:
        """Nothing: `suspects` says who is bounded."""

    def suspects(self, turned: Iterable[str], now_ns: int, old_ns: int) -> set[str]:
        """See `peeps_otel.diagnosis.diagnoser.Suspects`."""
        self._arrays.update(self, self._dirty, turned, self.settled)
        self._dirty.clear()
        found, self.bounded = self._arrays.suspects(now_ns, old_ns)
        return found

    def reduce(self, now_ns: int, old_ns: int) -> None:
        """Computes the suspects again although nothing has changed: to see what that costs."""
        self._arrays.invalidate()
        self._arrays.suspects(now_ns, old_ns)

    def stuck(self) -> set[str]:
        """All of the residue at SUSPECT, as it was when `suspects` was last asked."""
        return self._arrays.stuck()

    @property
    def rows(self) -> int:
        """How many rows its arrays use, with the one of nobody."""
        return self._arrays.rows


class IncrementalGraph(Graph):
    """The graphs of several processes as one. Not thread-safe: belongs to the thread that looks.

    `owner`: the process of each node. Where several name the same node, the last of them has it, with the edges of all.
    """

    def __init__(self) -> None:
        self.waits = IncrementalWaitGraph()
        self.nodes = self.waits.nodes
        self.owner: dict[str, str] = {}
        self._of: dict[str, dict[str, Entry]] = {}
        self._shared: set[str] = set()
        self._order: list[str] = []

    @property
    def edges(self) -> list[Edge]:  # pyright: ignore[reportIncompatibleVariableOverride]: made on demand
        return [edge for out in self.waits.out.values() for edge in out]

    @property
    def processes(self) -> Collection[str]:
        """The processes that are in it."""
        return self._of.keys()

    def apply(self, deltas: Mapping[str, Delta]) -> None:
        """Brings it up to date. A process without a delta is no part of it any more."""
        for process in [key for key in self._of if key not in deltas]:
            self._apply(process, Delta(True, {}))
            del self._of[process]
        self._order = list(deltas)
        for process, delta in deltas.items():
            self._apply(process, delta)

    def _apply(self, process: str, delta: Delta) -> None:
        own = self._of.setdefault(process, {})
        if delta.whole:
            for node_id in own.keys() - delta.entries.keys():
                self._put(process, own, node_id, None)
        for node_id, entry in delta.entries.items():
            self._put(process, own, node_id, entry)

    def _put(self, process: str, own: dict[str, Entry], node_id: str, entry: Entry | None) -> None:
        if entry is None:
            own.pop(node_id, None)
        else:
            own[node_id] = entry
        if node_id in self._shared or self.owner.get(node_id, process) != process:
            self._put_shared(node_id)
        elif entry is None:
            self.owner.pop(node_id, None)
            self.waits.put(node_id, None, ())
        else:
            self.owner[node_id] = process
            self.waits.put(node_id, *entry)

    def _put_shared(self, node_id: str) -> None:
        named = {key: self._of[key][node_id] for key in self._order if node_id in self._of.get(key, ())}
        if len(named) > 1:
            self._shared.add(node_id)
        else:
            self._shared.discard(node_id)
        if not named:
            self.owner.pop(node_id, None)
            self.waits.put(node_id, None, ())
            return
        self.owner[node_id] = last = list(named)[-1]
        self.waits.put(node_id, named[last][0], tuple(edge for _, out in named.values() for edge in out))
