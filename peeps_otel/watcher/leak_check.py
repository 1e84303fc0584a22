# SPDX-License-Identifier: Apache-2.0
"""The leak proof on request: a thread of its own for as long as one takes, and its findings while they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Set
from typing import Any, NamedTuple
from weakref import ref

from .. import native
from ..diagnosis import leaks
from ..diagnosis.leaks import Loss
from ..diagnosis.wait_graph import WaitGraph
from ..model import Finding, FindingKind, Graph, Level
from ..model.change import Change
from ..own_log import OwnLog
from ..probes.asyncio.probe import AsyncioProbe
from ..probes.heap.leak_report import LeakReport, LostTask
from ..probes.patches.recorder import Recorder
from ..probes.probe import Observation
from .interfaces import Waiting

CHANGES = (
    Change(
        "a daemon thread `peeps-leaks`",
        "makes one leak proof",
        "when one is asked for, or every `PEEPS_LEAKS_EVERY_S`",
        "ends with it",
        "`PEEPS_LEAKS_EVERY_S` (0 by default: on request alone)",
    ),
)

THREAD_NAME = "peeps-leaks"
_PROOF = "peeps_otel.probes.heap.leaks"
_LOOK_S = 10.0
_POLL_S = 0.01
_logger = OwnLog()


def _proof() -> Any:
    """`heap/leaks.py`, loaded by who asks for the first one."""
    return native.importing.load(_PROOF)


class _Lost(NamedTuple):
    task: ref[asyncio.Task[Any]]
    lost: LostTask


class LeakCheck:
    """A `WatcherRule`: tells of the tasks that the last check found lost, as long as they stay in the same wait.

    `node_id`: the node of a task. `every_s`: how often to check unasked, 0: never. `deadlocked`: the members
    of all proven deadlocks of the look, also of those that are not told one by one. `check` and `request` from any
    thread, the rest on the watcher's.
    """

    def __init__(
        self,
        node_id: Callable[[asyncio.Task[Any]], str | None],
        every_s: int = 0,
        deadlocked: Callable[[], Set[str]] = frozenset,
    ) -> None:
        self._node_id = node_id
        self._deadlocked = deadlocked
        self._every_ns = every_s * 1_000_000_000
        self._lost: list[_Lost] = []
        self._steps: dict[str, int | None] = {}
        self._due_ns = 0
        self._changed = native.Lock()
        self._looks = 0
        self._busy = False
        self.findings: list[Finding] = []

    def check(self) -> tuple[LeakReport, list[Finding]]:
        """Checks now and waits for the look that puts it into findings. Blocks for seconds."""
        report = self.take(_proof().check())
        with self._changed:
            after = self._looks + 1  # the one that may be under way now has begun before
        end = time.monotonic() + _LOOK_S
        while self._looks <= after and time.monotonic() < end:
            native.sleep(_POLL_S)
        return report, self.findings

    def take(self, report: LeakReport) -> LeakReport:
        """Remembers the lost tasks of a check that was just made."""
        if not report.not_run:
            lost = [_Lost(ref(task), one) for task, one in _proof().lost_tasks(report)]
            with self._changed:
                self._lost, self._steps = lost, {}
        return report

    def request(self, done: Callable[[LeakReport, list[Finding]], None]) -> bool:
        """Checks in the background. False where a check is under way already; `done` is not called then."""
        with self._changed:
            if self._busy:
                return False
            self._busy = True
        native.Thread(self._run, THREAD_NAME, done).start()
        return True

    def _run(self, done: Callable[[LeakReport, list[Finding]], None]) -> None:
        try:
            done(*self.check())
        except Exception:
            _logger.warning("peeps: a leak check failed; the program is not affected", exc_info=True)
        finally:
            with self._changed:
                self._busy = False

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        if self._every_ns:
            self._on_the_clock(time.monotonic_ns())
        with self._changed:
            known = {n for f in findings if f.kind is FindingKind.DEADLOCK and f.level is Level.PROVEN for n in f.core}
            known |= self._deadlocked()
            self.findings = self._still_lost(observation, known) if self._lost else []
            self._looks += 1
            return self.findings

    def _on_the_clock(self, now_ns: int) -> None:
        if not self._due_ns:
            self._due_ns = now_ns + self._every_ns
        elif now_ns >= self._due_ns:
            self._due_ns = now_ns + self._every_ns
            self.request(lambda _report, _findings: None)

    def _still_lost(self, observation: Observation, known: set[str]) -> list[Finding]:
        kept: list[_Lost] = []
        losses: dict[str, Loss] = {}
        for one in self._lost:
            task = one.task()
            if task is None or task.done() or not _proof().is_lost(task, one.lost):
                continue
            node_id = self._node_id(task)
            node = None if node_id is None else observation.nodes.get(node_id)
            if node_id is None or node is None or node.wait is None:
                kept.append(one)  # this look did not see it
            elif self._steps.setdefault(node_id, node.steps) == node.steps:
                kept.append(one)
                losses[node_id] = Loss(one.lost.sure, one.lost.dying)
        self._lost = kept
        return leaks.find(_graph(observation, losses), losses, known) if losses else []


def _graph(observation: Observation, losses: dict[str, Loss]) -> Graph:
    """The lost tasks, what they wait for, and who holds that."""
    edges = [edge for node_id in losses for edge in observation.edges.get(node_id, ())]
    targets = {edge.dst for edge in edges} - losses.keys()
    edges += [edge for target in targets for edge in observation.edges.get(target, ())]
    named = losses.keys() | {end for edge in edges for end in (edge.src, edge.dst)}
    return Graph({node_id: observation.nodes[node_id] for node_id in named if node_id in observation.nodes}, edges)


def check_now(running: LeakCheck | None) -> list[Finding]:
    """A check in this process, by its agent where one is running. Raises RuntimeError where none can be made."""
    if running is not None:
        report, findings = running.check()
    else:
        probe = AsyncioProbe(Recorder(1 << 62))
        check = LeakCheck(probe.node_id)
        report = check.take(_proof().check())
        findings: list[Finding] = []
        nobody = Waiting(WaitGraph(Graph({}, []), frozenset()), None)
        for _ in range(2):  # lines are read at the second look that finds a task in the same wait
            now_ns = time.time_ns()
            findings = check.look(probe.look(now_ns), nobody, [], now_ns)
    if report.not_run:
        raise RuntimeError(report.not_run)
    return findings
