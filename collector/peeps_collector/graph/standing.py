# SPDX-License-Identifier: Apache-2.0
"""The graph that is diagnosed, with its indexes, kept from look to look and brought up to date by what has changed.

`peeps_otel.diagnosis.WaitGraph` says what the indexes mean and is what a program uses for itself: it makes them anew at
each look. Here a look costs what has changed since the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from peeps_otel import semconv
from peeps_otel.diagnosis.wait_graph import Sorted, WaitGraph, is_marked
from peeps_otel.model import Edge, EdgeKind, Graph, Node, NodeKind

from .columns import Columns

_ANSWERS = (EdgeKind.RPC_LINK, EdgeKind.HANDLED_BY)
Entry = tuple[Node, tuple[Edge, ...]]


@dataclass(slots=True)
class Delta:
    """What has changed in one process: nodes with their outgoing edges, None for one that is gone. `whole`: these are
    all nodes that there are."""

    whole: bool
    entries: dict[str, Entry | None]


class StandingWaits(WaitGraph):
    """The indexes of one graph that changes. Not thread-safe: belongs to the thread that looks."""

    def __init__(self) -> None:
        self._all: dict[str, Node] = {}
        super().__init__(Graph(self._all, []), frozenset())
        self.out: dict[str, tuple[Edge, ...]] = {}
        self._targets: dict[str, list[str]] = {}
        self._holders_of: dict[str, list[str]] = {}
        self._answered: dict[str, list[str]] = {}
        self._cancelled: dict[str, list[str]] = {}
        self._used: dict[str, list[str]] = {}
        self._taken_bare: dict[str, list[str]] = {}
        self._waiters, self._users, self._holding = _Reverse(), _Reverse(), _Reverse()
        self.targets, self.holders, self.answers = self._targets, self._holders_of, self._answered
        self._cancels = self._cancelled
        self._bare = self._taken_bare
        self.waiters, self.users = self._waiters.by, self._users.by
        self._tasks: dict[str, Node] = {}
        self._marked: dict[str, Node] = {}
        self._others: dict[NodeKind, dict[str, Node]] = {}
        self._sorted = Sorted(self._tasks.values(), self._marked.values(), {})
        self._loop_tasks = _Reverse()
        self._columns = Columns()
        self._changed: set[str] | None = None
        self._dirty: set[str] = set()

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, node_id: str, node: Node | None, out: tuple[Edge, ...]) -> None:
        """The node as it is now; None where it is gone."""
        before, out_before = self._all.get(node_id), self.out.get(node_id, ())
        if node == before and out == out_before:
            return
        if before is not None and (node is None or node.kind is not before.kind):
            self._unsort(before)
            before = None
        if node is None:
            self._all.pop(node_id, None)
        else:
            self._all[node_id] = node
            self._sort(before, node)
        if out != out_before:
            self._link(node_id, out)
        self._dirty.add(node_id)
        if self._changed is not None:
            self._changed.add(node_id)

    def take_changed(self) -> set[str] | None:
        """The nodes that have changed since the last call; None where that may be any."""
        changed, self._changed = self._changed, set()
        return changed

    def _sort(self, before: Node | None, node: Node) -> None:
        if node.kind is not NodeKind.TASK:
            if node.kind not in self._others:
                self._others[node.kind] = {}
                self._sorted.others = {kind: nodes.values() for kind, nodes in self._others.items()}
            self._others[node.kind][node.id] = node
            return
        self._tasks[node.id] = node
        if is_marked(node):
            self._marked[node.id] = node
        else:
            self._marked.pop(node.id, None)
        home, home_before = _home(node), None if before is None else _home(before)
        if home != home_before:
            self._loop_tasks.replace(node.id, home_before or (), home or ())

    def _unsort(self, node: Node) -> None:
        if node.kind is NodeKind.TASK:
            del self._tasks[node.id]
            self._marked.pop(node.id, None)
            self._loop_tasks.replace(node.id, _home(node) or (), ())
        else:
            del self._others[node.kind][node.id]

    def _link(self, node_id: str, out: tuple[Edge, ...]) -> None:
        if out:
            self.out[node_id] = out
        else:
            self.out.pop(node_id, None)
        targets: list[str] = []
        cancelled: list[str] = []
        holders: list[str] = []
        used: list[str] = []
        answers: list[str] = []
        bare: list[str] = []
        for edge in out:
            if edge.kind is EdgeKind.NEEDS:
                targets.append(edge.dst)
                if edge.cancels:
                    cancelled.append(edge.dst)
            elif edge.kind is EdgeKind.HELD_BY:
                holders.append(edge.dst)
                if edge.bare:
                    bare.append(edge.dst)
            elif edge.kind is EdgeKind.TOUCHES:
                used.append(edge.dst)
            elif edge.kind in _ANSWERS:
                answers.append(edge.dst)
        before = _set(self._targets, node_id, targets)
        self._dirty.update(self._waiters.replace(node_id, before, self._targets.get(node_id, ())))
        _set(self._cancelled, node_id, cancelled)
        _set(self._taken_bare, node_id, bare)
        before = _set(self._holders_of, node_id, holders)
        self._holding.replace(node_id, before, self._holders_of.get(node_id, ()))
        before = _set(self._used, node_id, used)
        self._dirty.update(self._users.replace(node_id, before, self._used.get(node_id, ())))
        _set(self._answered, node_id, answers)

    # --- reading ------------------------------------------------------------------------------------------------------

    def suspects(self, turned: Iterable[str], now_ns: int, old_ns: int) -> set[str]:
        """See `peeps_otel.diagnosis.diagnoser.Suspects`."""
        self._columns.update(self, self._dirty, turned, self.settled)
        self._dirty.clear()
        found, self.bounded = self._columns.suspects(now_ns, old_ns)
        return found

    def reduce(self, now_ns: int, old_ns: int) -> None:
        """Computes the suspects again although nothing has changed: to see what that costs."""
        self._columns.invalidate()
        self._columns.suspects(now_ns, old_ns)

    def stuck(self) -> set[str]:
        """All of the residue at SUSPECT, as it was when `suspects` was last asked."""
        return self._columns.stuck()

    @property
    def rows(self) -> int:
        """How many rows its arrays use, with the one of nobody."""
        return self._columns.rows

    def stuck_threads(self) -> Iterable[str]:
        threads = self._others.get(NodeKind.THREAD, {})
        return [thread for thread in threads if thread in self._targets and self.is_stuck_thread(thread)]

    def tasks_of(self, thread: str) -> Collection[str]:
        return self._loop_tasks.by.get(thread, ())

    def sort(self, pause: Callable[[], None]) -> Sorted:
        return self._sorted

    def held_by(self, resource: str, holder: str) -> Edge | None:
        held = (e for e in reversed(self.out.get(resource, ())) if e.kind is EdgeKind.HELD_BY and e.dst == holder)
        return next(held, None)

    def _held_of(self) -> Mapping[str, Collection[str]]:
        return self._holding.by


class StandingGraph(Graph):
    """The graphs of several processes as one. Not thread-safe: belongs to the thread that looks.

    `owner`: the process of each node. Where several name the same node, the last of them has it, with the edges of all.
    """

    def __init__(self) -> None:
        self.waits = StandingWaits()
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


class _Reverse:
    """By target: who names it, and how often."""

    def __init__(self) -> None:
        self.by: dict[str, dict[str, int]] = {}

    def replace(self, source: str, before: Sequence[str], after: Sequence[str]) -> set[str]:
        """Whom `source` names now, and named before. Returns those for whom that makes a difference."""
        if before == after:
            return set()
        for target in before:
            sources = self.by[target]
            sources[source] -= 1
            if not sources[source]:
                del sources[source]
                if not sources:
                    del self.by[target]
        for target in after:
            sources = self.by.setdefault(target, {})
            sources[source] = sources.get(source, 0) + 1
        return {*before, *after}


def _set(index: dict[str, list[str]], key: str, values: list[str]) -> Sequence[str]:
    """Replaces an entry, which is not there where it is empty; what it was."""
    before = index.pop(key, ())
    if values:
        index[key] = values
    return before


def _home(task: Node) -> tuple[str] | None:
    """The thread of the event loop of a task."""
    home = task.attributes.get(semconv.TASK_THREAD)
    return (home,) if isinstance(home, str) else None
