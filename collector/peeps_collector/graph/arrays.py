# SPDX-License-Identifier: Apache-2.0
"""The conditions of a graph as arrays that stay from look to look: what did not change is not read again.

A node has a row for as long as it is there or is named by another one. Row 0 is nobody: always live. What makes up a
condition comes from `WaitIndex.of_resource`, once for each node that changed; what depends on the time and on who has
settled is put together at each look, for all rows at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peeps_otel import semconv
from peeps_otel.diagnosis.wait_index import OfResource, WaitIndex
from peeps_otel.diagnosis.wait_links import BOUNDED, IDLE, WAITERS
from peeps_otel.model import Level, Node, NodeKind

from .reduction import Mask, Whole, stuck_rows

_FAR_NS = 1 << 62
_ROUNDS_MOST = 50
_SURE, _SUSPECT, _WHEN_OLD = 1, 2, 3  # a condition at LIKELY too; at SUSPECT only; and there only when it is old
_NONE = (False, 0, _FAR_NS, False, 0, False, False, 0)


class ConditionArrays:
    """Not thread-safe. Rows and places of edges that come free are used again; the arrays do not shrink."""

    def __init__(self) -> None:
        self._names: list[str] = [""]
        self._row: dict[str, int] = {}
        self._uses: list[int] = [1]
        self._free: list[int] = []
        self._here: set[str] = set()
        self._home_of: dict[int, int] = {}
        self._needs, self._provides, self._cancels = _Edges(), _Edges(), _Edges()
        self._waits: Mask = np.zeros(1, np.bool_)
        self._k: Whole = np.zeros(1, np.int64)
        self._since: Whole = np.full(1, _FAR_NS, np.int64)
        self._deadline: Mask = np.zeros(1, np.bool_)
        self._resource: NDArray[np.int8] = np.zeros(1, np.int8)
        self._is_root: Mask = np.zeros(1, np.bool_)
        self._is_thread: Mask = np.zeros(1, np.bool_)
        self._home: Whole = np.zeros(1, np.int64)
        self._settled: Mask = np.zeros(1, np.bool_)
        self._written: dict[int, tuple[bool, int, int, bool, int, bool, bool, int]] = {}
        self._due_ns = 0
        self._last: tuple[set[str], set[str]] | None = None
        self._stuck: Mask = np.zeros(1, np.bool_)

    def update(self, graph: WaitIndex, dirty: Iterable[str], turned: Iterable[str], settled: Set[str]) -> None:
        """Reads `dirty` again: nodes that changed, came or went, or whose waiters did. `turned`: the waiters that may
        not be in `settled` any more, or are now."""
        for node_id in dirty:
            self._last = None
            node = graph.nodes.get(node_id)
            if node is None:
                self._forget(node_id)
            else:
                self._read(graph, node)
        self._write()
        rows: list[int] = []
        values: list[bool] = []
        for waiter in turned:
            row = self._row.get(waiter)
            if row is not None:
                rows.append(row)
                values.append(waiter in settled)
        at, now = np.array(rows, np.int64), np.array(values, np.bool_)
        if (self._settled[at] != now).any():
            self._last = None
            self._settled[at] = now

    def suspects(self, now_ns: int, old_ns: int) -> tuple[set[str], set[str]]:
        """Of those who can never become live as seen at SUSPECT: who is stuck at LIKELY too, and what leads to or from
        a lock, a semaphore, a channel or a thing of which the heap was asked; and of all waiters whom a timer ends.

        Nothing is computed where nothing has changed since the last time and nothing has become old.
        """
        if self._last is not None and now_ns < self._due_ns:
            return self._last
        bounded = self._bounded()
        waiting = self._waits & self._settled & ~bounded
        gate = np.where((waiting & self._is_thread)[self._home], self._home, 0)
        active = waiting[self._needs.waiter]
        provider, waiter = self._needs.provider[active], self._needs.waiter[active]
        reached = self._reached(provider, self._provided(now_ns, old_ns) & ~waiting)
        active = reached[self._provides.waiter]
        provider = np.concatenate((provider, self._provides.provider[active]))
        waiter = np.concatenate((waiter, self._provides.waiter[active]))
        k = np.where(waiting, self._k, 0) + reached
        stuck = self._stuck = stuck_rows(waiting | reached | (gate > 0), k, provider, waiter, gate)
        unsure = reached & (self._resource != _SURE)
        likely = stuck_rows(stuck & ~unsure, k, provider, waiter, gate)
        gated = np.flatnonzero(gate)
        provider, waiter = np.concatenate((provider, gate[gated])), np.concatenate((waiter, gated))
        inside = stuck[waiter] & stuck[provider]
        provider, waiter = provider[inside], waiter[inside]
        first = stuck & self._is_root
        named = likely | _closure(first, waiter, provider) | _closure(first, provider, waiter)
        # Also who asked for it, but is only kept by the thread of its loop.
        asks = self._needs.waiter[first[self._needs.provider]]
        named[asks] |= stuck[asks]
        self._last = self._named(named), self._named(bounded)
        return self._last

    def invalidate(self) -> None:
        """Forgets the last answer, not what it rests on."""
        self._last = None

    def stuck(self) -> set[str]:
        """All who can never become live, as of the last computation."""
        return self._named(self._stuck)

    @property
    def rows(self) -> int:
        return len(self._names) - len(self._free)

    # --- a look -------------------------------------------------------------------------------------------------------

    def _named(self, rows: Mask) -> set[str]:
        return {self._names[row] for row in np.flatnonzero(rows).tolist()}

    def _bounded(self) -> Mask:
        """Waiters that a timer ends, directly or by cancelling a parent that takes its children with it."""
        return _closure(self._deadline, self._cancels.waiter, self._cancels.provider)

    def _provided(self, now_ns: int, old_ns: int) -> Mask:
        """The resources with a condition at this time."""
        when_old = self._resource == _WHEN_OLD
        self._due_ns = _FAR_NS
        if not when_old.any():
            return self._resource != 0
        oldest = np.full(len(when_old), _FAR_NS, np.int64)
        asked = when_old[self._needs.provider]
        np.minimum.at(oldest, self._needs.provider[asked], self._since[self._needs.waiter[asked]])
        young = when_old & (oldest < _FAR_NS) & (now_ns - oldest < old_ns)
        self._due_ns = int(oldest[young].min(initial=_FAR_NS)) + old_ns
        return (self._resource != 0) & ~young

    def _reached(self, provider: Whole, provided: Mask) -> Mask:
        """The resources that somebody waits for, directly or through other resources. `provider`: the nodes that those
        wait for who are not live."""
        waited_for = np.zeros_like(provided)
        waited_for[provider] = True
        inside = provided[self._provides.waiter] & provided[self._provides.provider]
        return _closure(waited_for & provided, self._provides.waiter[inside], self._provides.provider[inside])

    # --- one node -----------------------------------------------------------------------------------------------------

    def _read(self, graph: WaitIndex, node: Node) -> None:
        if node.id not in self._here:
            self._here.add(node.id)
            self._use(node.id)
        row = self._row[node.id]
        wait = node.wait
        targets = () if wait is None else graph.targets.get(node.id, ())
        if targets or self._needs.has(row):
            self._connect(self._needs, row, targets)
        cancelled = graph.cancelled_by(node.id)
        if cancelled or self._cancels.has(row):
            self._connect(self._cancels, row, cancelled)
        found = None if node.kind in WAITERS else graph.of_resource(node, Level.SUSPECT)
        if found is not None or self._provides.has(row):
            self._connect(self._provides, row, () if found is None else found.condition.providers)
        home = node.attributes.get(semconv.TASK_THREAD) if node.kind is NodeKind.TASK else None
        self._leave_home(row)
        if isinstance(home, str):
            self._home_of[row] = self._use(home)
        self._written[row] = (
            bool(targets) and node.state != IDLE,
            0 if wait is None else wait.needs,
            _FAR_NS if wait is None else wait.since_ns,
            bool(targets) and wait is not None and wait.deadline_ns is not None,
            self._how_sure(graph, node, found),
            node.kind in BOUNDED or bool(graph.asked_of_heap((node.id,))),
            node.kind is NodeKind.THREAD,
            self._home_of.get(row, 0),
        )

    def _how_sure(self, graph: WaitIndex, node: Node, found: OfResource | None) -> int:
        if found is None:
            return 0
        if found.when_old:
            return _WHEN_OLD
        return _SUSPECT if graph.of_resource(node, Level.LIKELY) is None else _SURE

    def _forget(self, node_id: str) -> None:
        if node_id not in self._here:
            return
        self._here.remove(node_id)
        row = self._row[node_id]
        for edges in (self._needs, self._cancels, self._provides):
            self._connect(edges, row, ())
        self._leave_home(row)
        self._written[row] = _NONE
        self._release(row)

    def _connect(self, edges: _Edges, row: int, names: Collection[str]) -> None:
        if not names and not edges.has(row):
            return
        rows = [self._use(name) for name in names]
        for old in edges.replace(row, rows):
            self._release(old)

    def _leave_home(self, row: int) -> None:
        home = self._home_of.pop(row, None)
        if home is not None:
            self._release(home)

    def _use(self, name: str) -> int:
        row = self._row.get(name)
        if row is None:
            if self._free:
                row = self._free.pop()
                self._names[row] = name
            else:
                row = len(self._names)
                self._names.append(name)
                self._uses.append(0)
            self._row[name] = row
        self._uses[row] += 1
        return row

    def _release(self, row: int) -> None:
        self._uses[row] -= 1
        if not self._uses[row]:
            del self._row[self._names[row]]
            self._names[row] = ""
            self._free.append(row)

    def _write(self) -> None:
        """Brings the arrays up to date."""
        for edges in (self._needs, self._cancels, self._provides):
            edges.write()
        size = len(self._names)
        if size > len(self._k):
            size += size // 2
            self._waits, self._deadline = _grown(self._waits, size), _grown(self._deadline, size)
            self._is_root = _grown(self._is_root, size)
            self._is_thread, self._settled = _grown(self._is_thread, size), _grown(self._settled, size)
            self._k, self._home = _grown(self._k, size), _grown(self._home, size)
            self._resource, self._since = _grown(self._resource, size), _grown(self._since, size, _FAR_NS)
        if not self._written:
            return
        rows = np.fromiter(self._written, np.int64, len(self._written))
        columns = list(zip(*self._written.values(), strict=True))
        arrays: list[NDArray[Any]] = [
            self._waits, self._k, self._since, self._deadline, self._resource, self._is_root, self._is_thread,
            self._home,
        ]  # fmt: skip
        for array, values in zip(arrays, columns, strict=True):
            array[rows] = values
        self._written.clear()


class _Edges:
    """Edges by the row that has them, in slots: a free one leads from nobody to nobody."""

    def __init__(self) -> None:
        self.waiter: Whole = np.zeros(1, np.int64)
        self.provider: Whole = np.zeros(1, np.int64)
        self._slots: dict[int, list[int]] = {}
        self._free: list[int] = []
        self._size = 1
        self._written: dict[int, tuple[int, int]] = {}
        self._providers: dict[int, list[int]] = {}

    def has(self, row: int) -> bool:
        return row in self._providers

    def replace(self, row: int, providers: list[int]) -> list[int]:
        """Gives `row` these edges; its providers until now."""
        before = self._providers.pop(row, [])
        if before != providers:
            slots = self._slots.pop(row, [])
            while len(slots) > len(providers):
                slot = slots.pop()
                self._free.append(slot)
                self._written[slot] = (0, 0)
            while len(slots) < len(providers):
                if self._free:
                    slots.append(self._free.pop())
                else:
                    slots.append(self._size)
                    self._size += 1
            for slot, provider in zip(slots, providers, strict=True):
                self._written[slot] = (row, provider)
            if slots:
                self._slots[row] = slots
        if providers:
            self._providers[row] = providers
        return before

    def write(self) -> None:
        """Brings the arrays up to date."""
        if self._size > len(self.waiter):
            size = self._size + self._size // 2
            self.waiter, self.provider = _grown(self.waiter, size), _grown(self.provider, size)
        if not self._written:
            return
        slots = np.fromiter(self._written, np.int64, len(self._written))
        both = np.array(list(self._written.values()), np.int64)
        self.waiter[slots], self.provider[slots] = both[:, 0], both[:, 1]
        self._written.clear()


def _closure(first: Mask, source: Whole, target: Whole) -> Mask:
    """All rows that the edges lead to from `first`, with it."""
    reached = first.copy()
    for _ in range(_ROUNDS_MOST):
        leads = reached[source]
        if not leads.any():
            return reached
        reached[target[leads]] = True
        source, target = source[~leads], target[~leads]
    onward: dict[int, list[int]] = {}  # along a chain, one after the other
    for one, other in zip(source.tolist(), target.tolist(), strict=True):
        onward.setdefault(one, []).append(other)
    work: list[int] = [row for row in onward if reached[row]]
    found = set(work)
    while work:
        fresh = [row for row in onward.get(work.pop(), ()) if row not in found]
        found.update(fresh)
        work += fresh
    reached[list(found)] = True
    return reached


def _grown(array: NDArray[Any], size: int, fill: int = 0) -> NDArray[Any]:
    larger = np.full(size, fill, array.dtype)
    larger[: len(array)] = array
    return larger
