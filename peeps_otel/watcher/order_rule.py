# SPDX-License-Identifier: Apache-2.0
"""Order risks from looks: who waits for a lock while holding another. Nothing is recorded on the program's way.

A look sees an order only while somebody waits in it; with the exact mode (`probes/patches/lock_order.py`) every order
is seen that the program goes through.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path

from .. import semconv
from ..diagnosis import suppressions
from ..diagnosis.lock_order import LockOrders, Taken
from ..diagnosis.suppressions import BadSuppressions, Suppression
from ..diagnosis.wait_index import WaitIndex
from ..diagnosis.wait_links import WAITERS
from ..diagnosis.wording import label, short
from ..model import Confidence, Edge, EdgeKind, Finding, FindingKind, Node, NodeKind
from ..own_log import OwnLog
from ..probes.patches.lock_order import Asked, Place
from ..probes.probe import Observation
from .interfaces import Waiting

_logger = OwnLog()


class OrderRule:
    """A `WatcherRule`. `recorded`: takes what the exact mode has written down since the last call."""

    def __init__(
        self, suppressed: list[Suppression] | None = None, recorded: Callable[[], Iterable[Asked]] = lambda: ()
    ) -> None:
        self._suppressed = suppressed or []
        self._recorded = recorded
        self.orders = LockOrders()

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        self._from_waits(observation, waiting, now_ns)
        self.hear()
        found = _no_deadlock(waiting.waits, findings, self.orders.findings)
        if not found or not self._suppressed:
            return found
        today = datetime.datetime.fromtimestamp(now_ns / 1e9, datetime.UTC).date()
        left, notes = suppressions.apply(found, self._suppressed, today)
        observation.coverage += notes
        return left

    def hear(self) -> None:
        """Takes in what the exact mode has written down."""
        for asked in self._recorded():
            held = [_placed(place) for place in asked.held]
            self.orders.saw(held, _placed(asked.wanted), asked.who, asked.who_label, asked.stack, asked.time_ns)

    def _from_waits(self, observation: Observation, waiting: Waiting, now_ns: int) -> None:
        """Who waits as before asks for nothing new."""
        waits, nodes = waiting.waits, waiting.waits.nodes
        for who in _concerned(waits, waiting.changed):
            waits.pause()
            waiter = nodes.get(who)
            if waiter is None:
                continue
            has = waits.held_of(who)
            if not has and not waits.has_tasks(who):
                continue  # as with most of many thousand
            held = [
                _taken(nodes[lock], edge.source or "")
                for lock in has
                if lock in nodes and _is_lock(nodes[lock]) and (edge := waits.held_by(lock, who)) is not None
            ]
            self._suspended_with_thread_locks(waiter, held, nodes, now_ns)
            if waiter.wait is None or waiter.wait.deadline_ns is not None:
                continue
            mine = [_loop(waiter, ""), *held] if waits.has_tasks(who) else held
            for edge in waits.edges_of(who) if mine else ():
                target = nodes.get(edge.dst) if edge.kind is EdgeKind.NEEDS else None
                for wanted in () if target is None else self._wanted(target, edge, observation):
                    if wanted.instance not in {one.instance for one in mine}:
                        self.orders.saw(mine, wanted, waiter.id, label(waiter), _stack(waiter), now_ns)

    def _wanted(self, target: Node, edge: Edge, observation: Observation) -> list[Taken]:
        """A lock, or the loop that has to run the coroutine that a thread waits for."""
        site = edge.source or ""
        if _is_lock(target):
            return [_taken(target, site)]
        if target.kind is not NodeKind.FUTURE:
            return []
        found: list[Taken] = []
        for held_by in observation.edges.get(target.id, ()):
            task = observation.nodes.get(held_by.dst) if held_by.kind is EdgeKind.HELD_BY else None
            thread = None if task is None else observation.nodes.get(str(task.attributes.get(semconv.TASK_THREAD)))
            if thread is not None and task is not None and task.kind is NodeKind.TASK:
                found.append(_loop(thread, site))
        return found

    def _suspended_with_thread_locks(
        self, holder: Node | None, locks: list[Taken], nodes: Mapping[str, Node], now_ns: int
    ) -> None:
        """A `threading` lock across an await: its holder needs the loop before it gives it back."""
        if holder is None or holder.kind is not NodeKind.TASK or holder.wait is None:
            return
        thread = nodes.get(str(holder.attributes.get(semconv.TASK_THREAD)))
        across = [one for one in locks if _of_threads(nodes.get(one.node))]
        if thread is not None and across:
            wanted = _loop(thread, holder.wait.source)
            self.orders.saw(across, wanted, holder.id, label(holder), _stack(holder), now_ns)


def read_suppressions(path: str) -> list[Suppression]:
    """Never raises: what is wrong with the file is logged, and then it suppresses nothing."""
    if not path:
        return []
    try:
        return suppressions.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, BadSuppressions) as problem:
        _logger.warning("peeps: PEEPS_SUPPRESS=%s: %s; nothing is suppressed", path, problem)
        return []


def _no_deadlock(waits: WaitIndex, findings: list[Finding], risks: list[Finding]) -> list[Finding]:
    """The risks that no deadlock has come of, or may be coming of: somebody waits for each of the locks. That one says
    it better, and takes two looks."""
    if not risks:
        return risks
    locked = {node for finding in findings if finding.kind is FindingKind.DEADLOCK for node in finding.core}
    return [
        risk
        for risk in risks
        if not risk.core
        or not (locked.issuperset(risk.core) or (len(risk.core) > 1 and all(one in waits.waiters for one in risk.core)))
    ]


def _concerned(waits: WaitIndex, changed: Set[str] | None) -> Iterable[str]:
    """Who may have, or ask for, something else than at the look before."""
    if changed is None:
        return [node.id for node in waits.nodes.values() if node.kind in WAITERS]
    found: dict[str, None] = {}
    for one in changed:
        node = waits.nodes.get(one)
        if node is None:
            continue
        if node.kind in WAITERS:
            found[one] = None
            home = waits.thread_of(one)
            if home is not None:
                found[home] = None
        else:
            found.update(dict.fromkeys(waits.holders.get(one, ())))
            if node.kind is NodeKind.FUTURE:  # what runs it may be another loop now
                found.update(dict.fromkeys(waits.waiters.get(one, ())))
    return found


def _is_lock(node: Node) -> bool:
    """Something one holder at a time has."""
    return node.kind is NodeKind.LOCK or (
        node.kind is NodeKind.SEMAPHORE and node.attributes.get(semconv.SEMAPHORE_PERMITS) == 1
    )


def _of_threads(node: Node | None) -> bool:
    return node is not None and str(node.attributes.get(semconv.RESOURCE_TYPE, "")).startswith("threading.")


def _taken(lock: Node, site: str) -> Taken:
    # Where it was not seen being made, its source says where it was used: then it is a class of its own.
    kind = lock.source if lock.confidence is Confidence.EXACT else lock.id
    return Taken(kind, lock.id, label(lock), site, lock.id)


def _placed(place: Place) -> Taken:
    return Taken(place.made, place.instance, f"Lock {place.name or f'({short(place.made)})'}", place.site)


def _loop(thread: Node, site: str) -> Taken:
    return Taken(f"loop:{thread.id}", f"loop:{thread.id}", f"the event loop of {label(thread)}", site)


def _stack(node: Node) -> tuple[str, ...]:
    return tuple(f"{frame.function} ({frame.file}:{frame.line})" for frame in node.stack if frame.line is not None)
