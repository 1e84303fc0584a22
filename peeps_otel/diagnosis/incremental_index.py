# SPDX-License-Identifier: Apache-2.0
"""The indexes of one graph that changes, kept from look to look: a look costs what has changed since the one before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind
from .closure import closure
from .reverse import Reverse
from .wait_index import WaitIndex
from .wait_links import ANSWERS, Sorted

_Names = dict[str, tuple[str, ...]]
"""Tuples of strings: of all containers the smallest, and the garbage collector soon stops looking at them."""


class IncrementalIndex(WaitIndex):
    """Not thread-safe: belongs to the thread that looks. `marks`: the attributes of nodes that some rule speaks of."""

    def __init__(self, marks: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._marks = marks
        self._all: dict[str, Node] = {}
        self.nodes = self._all
        self.settled = frozenset()
        self.bounded = frozenset()
        self.out: dict[str, tuple[Edge, ...]] = {}
        self._targets: _Names = {}
        self._holders_of: _Names = {}
        self._answered: _Names = {}
        self._cancelled: _Names = {}
        self._used: _Names = {}
        self._taken_bare: _Names = {}
        self._enders_of: _Names = {}
        self._reached_by: _Names = {}
        self._waiters, self._users, self._holding = Reverse(), Reverse(), Reverse()
        self._named = Reverse()
        self.targets, self.holders, self.answers = self._targets, self._holders_of, self._answered
        self.waiters, self.users = self._waiters.by, self._users.by
        self._dead_of: dict[str, list[Edge]] = {}
        self._had: dict[str, list[Edge]] = {}
        self.dead = self._dead_of
        self.enders, self.reached, self.bare = self._enders_of, self._reached_by, self._taken_bare
        self._marked: dict[str, Node] = {}
        self._others: dict[NodeKind, dict[str, Node]] = {}
        self._bearing: dict[str, dict[str, Node]] = {mark: {} for mark in marks}
        bearing = {mark: nodes.values() for mark, nodes in self._bearing.items()}
        self._sorted = Sorted(_Tasks(self._all, self._others), self._marked.values(), {}, bearing)
        self._loops: dict[str, int] = {}  # how many tasks each thread's loop has
        self._loop_tasks: Reverse | None = None  # which: of no use, until something is the matter with a loop
        self._held: dict[str, dict[str, Edge]] = {}
        self._with_deadline: set[str] = set()
        self._linked: set[str] = set()  # with another edge than NEEDS
        self._bounded_is_stale = False
        self._changed: set[str] | None = None
        self._touched: set[str] | None = None

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, node_id: str, node: Node | None, out: tuple[Edge, ...]) -> None:
        """The node as it is now; None where it is gone."""
        before, out_before = self._all.get(node_id), self.out.get(node_id, ())
        if node == before and out == out_before:
            return
        since, targets = _since(before), self._targets.get(node_id, ())
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
            self._held.pop(node_id, None)
        now = self._targets.get(node_id, ())
        if targets != now or since != _since(node):
            self._age((*targets, *now))
        self._note_deadline(node_id, node)
        self._note((node_id,))
        if self._changed is not None:
            self._changed.add(node_id)

    def _note_deadline(self, node_id: str, node: Node | None) -> None:
        waits = node is not None and node.wait is not None and node_id in self._targets
        if waits and node is not None and node.wait is not None and node.wait.deadline_ns is not None:
            if node_id not in self._with_deadline:
                self._with_deadline.add(node_id)
                self._bounded_is_stale = True
        elif node_id in self._with_deadline:
            self._with_deadline.discard(node_id)
            self._bounded_is_stale = True

    def _note_dirty(self, node_ids: Collection[str], waiter: str) -> None:
        """These have changed, or who has them in his hands; or `waiter`, where it is not empty, waits for them now, or
        does not any more."""

    def _note(self, node_ids: Collection[str], waiter: str = "") -> None:
        self._note_dirty(node_ids, waiter)
        if self._touched is not None:
            self._touched.update(node_ids)

    def _age(self, targets: tuple[str, ...]) -> None:
        """Who has waited longest for what it waits for may be another one now."""
        for target in targets:
            self._oldest.pop(target, None)
        if self._touched is not None:
            self._touched.update(targets)

    def take_changed(self) -> set[str] | None:
        """The nodes that have changed since the last call; None where that may be any."""
        changed, self._changed = self._changed, set()
        return changed

    def take_touched(self) -> set[str] | None:
        touched, self._touched = self._touched, set()
        return touched

    def _sort(self, before: Node | None, node: Node) -> None:
        if node.kind is not NodeKind.TASK:
            if node.kind not in self._others:
                self._others[node.kind] = {}
                self._sorted.others = {kind: nodes.values() for kind, nodes in self._others.items()}
            self._others[node.kind][node.id] = node
            if before is not None and not before.attributes.keys() <= node.attributes.keys():
                self._bear_no_more(before)
            for mark in self._marks.intersection(node.attributes):
                self._bearing[mark][node.id] = node
            return
        if not self._marks.isdisjoint(node.attributes):
            self._marked[node.id] = node
        else:
            self._marked.pop(node.id, None)
        home, home_before = _home(node), None if before is None else _home(before)
        if home != home_before:
            self._move(node.id, home_before or (), home or ())

    def _unsort(self, node: Node) -> None:
        if node.kind is NodeKind.TASK:
            self._marked.pop(node.id, None)
            self._move(node.id, _home(node) or (), ())
        else:
            del self._others[node.kind][node.id]
            self._bear_no_more(node)

    def _move(self, task: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        """To the loop of another thread."""
        for thread in after:
            self._loops[thread] = self._loops.get(thread, 0) + 1
        for thread in before:
            self._loops[thread] -= 1
            if not self._loops[thread]:
                del self._loops[thread]
        if self._loop_tasks is not None:
            self._loop_tasks.replace(task, before, after)

    def _bear_no_more(self, node: Node) -> None:
        for mark in self._marks.intersection(node.attributes):
            self._bearing[mark].pop(node.id, None)

    def _link(self, node_id: str, out: tuple[Edge, ...]) -> None:
        if out:
            self.out[node_id] = out
        else:
            self.out.pop(node_id, None)
        targets: list[str] = []
        cancelled: list[str] = []
        needs_only = True
        for edge in out:
            if edge.kind is EdgeKind.NEEDS:
                targets.append(edge.dst)
                if edge.cancels:
                    cancelled.append(edge.dst)
            else:
                needs_only = False
        now = self._as_others(tuple(targets))
        before = self._targets.pop(node_id, ())
        if now:
            self._targets[node_id] = now
        self._note(self._waiters.replace(node_id, before, now), node_id)
        if cancelled or node_id in self._cancelled:
            self._bounded_is_stale |= _set(self._cancelled, node_id, cancelled) != tuple(cancelled)
        if not needs_only or node_id in self._linked:  # most nodes wait, and have no other edge
            self._link_further(node_id, out)

    def _as_others(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The tuple of another that waits for the same: thousands wait for one thing."""
        other = next(iter(self.waiters.get(targets[0], ())), "") if len(targets) == 1 else ""
        known = self._targets.get(other)
        return targets if known is None or known != targets else known

    def _link_further(self, node_id: str, out: tuple[Edge, ...]) -> None:
        """All edges but NEEDS."""
        further = [edge for edge in out if edge.kind is not EdgeKind.NEEDS]
        if further:
            self._linked.add(node_id)
        else:
            self._linked.discard(node_id)
        holders: list[str] = []
        used: list[str] = []
        answers: list[str] = []
        bare: list[str] = []
        enders: list[str] = []
        reached: list[str] = []
        had: list[Edge] = []
        for edge in further:
            if edge.kind is EdgeKind.HELD_BY:
                holders.append(edge.dst)
                if edge.bare:
                    bare.append(edge.dst)
            elif edge.kind is EdgeKind.TOUCHES:
                used.append(edge.dst)
            elif edge.kind is EdgeKind.COULD_END:
                enders.append(edge.dst)
            elif edge.kind is EdgeKind.REACHED_BY:
                reached.append(edge.dst)
            elif edge.kind is EdgeKind.HAD:
                had.append(edge)
            elif edge.kind in ANSWERS:
                answers.append(edge.dst)
        _set(self._taken_bare, node_id, bare)
        before = _set(self._holders_of, node_id, holders)
        self._holding.replace(node_id, before, self._holders_of.get(node_id, ()))
        before = _set(self._used, node_id, used)
        self._note(self._users.replace(node_id, before, self._used.get(node_id, ())))
        before = _set(self._answered, node_id, answers)
        self._named.replace(node_id, before, tuple(answers))
        before = _set(self._enders_of, node_id, enders)
        self._named.replace(node_id, before, tuple(enders))
        before = _set(self._reached_by, node_id, reached)
        self._named.replace(node_id, before, tuple(reached))
        self._bury(node_id, had)

    def _bury(self, node_id: str, had: list[Edge]) -> None:
        """Brings up to date who of those that have ended had what."""
        for edge in self._had.pop(node_id, ()):
            left = [one for one in self._dead_of[edge.dst] if one is not edge]
            if left:
                self._dead_of[edge.dst] = left
            else:
                del self._dead_of[edge.dst]
        if had:
            self._had[node_id] = had
        for edge in had:
            self._dead_of.setdefault(edge.dst, []).append(edge)

    # --- reading ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        if not self._bounded_is_stale:
            return
        self._bounded_is_stale = False
        self.bounded = closure(self._with_deadline, lambda one: self._cancelled.get(one, ()))

    def cancelled_by(self, waiter: str) -> Collection[str]:
        return self._cancelled.get(waiter, ())

    def stuck_threads(self, deadlines: bool = True) -> Iterable[str]:
        threads = self._others.get(NodeKind.THREAD, {})
        return [thread for thread in threads if thread in self._targets and self.is_stuck_thread(thread, deadlines)]

    def tasks_of(self, thread: str) -> Collection[str]:
        if thread not in self._loops:
            return ()
        if self._loop_tasks is None:
            self._loop_tasks = Reverse()
            for task in self._sorted.tasks:
                self._loop_tasks.replace(task.id, (), _home(task) or ())
        return self._loop_tasks.by.get(thread, ())

    def has_tasks(self, thread: str) -> bool:
        return thread in self._loops

    def sort(self, pause: Callable[[], None]) -> Sorted:
        return self._sorted

    def held_of(self, holder: str) -> Collection[str]:
        return self._holding.by.get(holder, ())

    def edges_of(self, node_id: str) -> Sequence[Edge]:
        return self.out.get(node_id, ())

    def named_by(self, node_id: str) -> Collection[str]:
        """The things that it answers, may end or has."""
        return self._named.by.get(node_id, ())

    def may_end(self, node_id: str) -> Collection[str]:
        return [one for one in self.named_by(node_id) if node_id in self._enders_of.get(one, ())]

    def used_by(self, node_id: str) -> Collection[str]:
        """What it has in its hands."""
        return self._used.get(node_id, ())

    def tied(self, node_id: str) -> Iterable[str]:
        """What it leads to by any edge that a condition may follow, and who leads to it by one."""
        for forth in (self.targets, self.holders, self.answers, self._used, self.enders, self.reached):
            yield from forth.get(node_id, ())
        for back in (self._waiters, self._holding, self._users, self._named):
            yield from back.by.get(node_id, ())

    def depends_on(self, node_id: str) -> Iterable[str]:
        """What its condition may name, at any level."""
        for forth in (self.targets, self.holders, self.answers, self.users, self.enders, self.reached):
            yield from forth.get(node_id, ())

    def is_named(self, node_id: str) -> bool:
        """Whether an edge of another node leads to it."""
        return node_id in self._dead_of or any(
            node_id in one.by for one in (self._waiters, self._holding, self._users, self._named)
        )

    def holds(self, resource: str) -> Mapping[str, Edge]:
        held = self._held.get(resource)
        if held is None:
            held = {e.dst: e for e in self.out.get(resource, ()) if e.kind is EdgeKind.HELD_BY}
            if held:
                self._held[resource] = held
        return held


class _Tasks(Collection[Node]):
    """Those of all nodes that are tasks, in order. `others`: all others, by kind."""

    __slots__ = ("_all", "_others")

    def __init__(self, nodes: Mapping[str, Node], others: Mapping[NodeKind, Collection[str]]) -> None:
        self._all = nodes
        self._others = others

    def __contains__(self, node: object) -> bool:
        return any(one is node for one in self)

    def __iter__(self) -> Iterator[Node]:
        return (node for node in self._all.values() if node.kind is NodeKind.TASK)

    def __len__(self) -> int:
        return len(self._all) - sum(map(len, self._others.values()))


def _set(index: _Names, key: str, values: list[str]) -> tuple[str, ...]:
    """Replaces an entry, which is not there where it is empty; what it was."""
    before = index.pop(key, ())
    if values:
        index[key] = tuple(values)
    return before


def _since(node: Node | None) -> int | None:
    return None if node is None or node.wait is None else node.wait.since_ns


def _home(task: Node) -> tuple[str] | None:
    """The thread of the event loop of a task."""
    home = task.attributes.get(semconv.TASK_THREAD)
    return (home,) if isinstance(home, str) else None
