# SPDX-License-Identifier: Apache-2.0
"""The watcher: a daemon thread that looks, diagnoses and hands on.

It is not on any event loop, so it works when a loop is blocked. It takes no lock of the program and never raises into
it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..diagnosis import Diagnoser, Thresholds
from ..model import Edge, EdgeKind, Finding, Graph, NodeKind, Snapshot
from ..probes.ensemble import Ensemble
from ..probes.observation import EndedTask, Observation
from ..probes.recorder import LongWait, Recorder
from .assembly import Assembler
from .clock import Clock
from .ledger import Ledger
from .sink import Sink

THREAD_NAME = "peeps-watcher"
_WAIT_EDGES = frozenset({EdgeKind.NEEDS, EdgeKind.HELD_BY, EdgeKind.TOUCHES})
_LONG_WAITS_MOST = 1000  # per look
_logger = logging.getLogger("peeps_otel")


@dataclass(slots=True)
class Looked:
    """What one look brought (a `sink.Look`)."""

    observation: Observation
    snapshot: Snapshot
    findings: Sequence[Finding]
    opened: Sequence[Finding]
    resolved: Sequence[Finding]
    ended: Sequence[EndedTask]
    long_waits: Sequence[LongWait]


class Watcher:
    """Owns the thread. `start` and `stop` from any thread, `after_fork_in_child` from the fork hook."""

    def __init__(
        self,
        probes: Ensemble,
        recorder: Recorder,
        sink: Sink,
        *,
        interval_ns: int,
        key_frame_ns: int,
        starved_ns: int,
    ) -> None:
        self._probes = probes
        self._recorder = recorder
        self._sink = sink
        self._interval_ns = interval_ns
        self._thresholds = Thresholds(starved_ns=starved_ns)
        self._assembler = Assembler(key_frame_ns)
        self._complained = False
        self.cpu_ns = 0  # of the watcher thread, since it started
        self._reset()

    def _reset(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._ledger = Ledger()
        self._diagnoser = Diagnoser(self._thresholds)

    @property
    def open_findings(self) -> list[Finding]:
        return list(self._ledger.open.values())

    def request_key_frame(self) -> None:
        self._assembler.request_key_frame()

    def start(self) -> None:
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends the thread and says goodbye. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        thread.join(timeout_s)
        try:
            self._sink.goodbye(self._assembler.goodbye(time.time_ns()))
        except Exception:
            self._complain()

    def after_fork_in_child(self) -> None:
        """The child has one thread and its own tasks: everything starts again, under new ids."""
        running = self._thread is not None
        self._reset()
        self._probes.forget()
        self._assembler.restart()
        self._recorder.long_waits.clear()
        self._sink.after_fork_in_child()
        if running:
            self.start()

    def _run(self) -> None:
        clock = Clock(self._interval_ns, time.monotonic_ns())
        due_ns = time.monotonic_ns()
        stopping = self._stopping
        while not stopping.is_set():
            suspicious = False
            try:
                suspicious = self.look(clock)
            except Exception:
                self._complain()
            now_ns = time.monotonic_ns()
            due_ns = max(due_ns + clock.next_ns(now_ns, suspicious), now_ns + 10_000_000)
            if suspicious:
                due_ns = min(due_ns, now_ns + clock.next_ns(now_ns, True))
            stopping.wait((due_ns - now_ns) / 1e9)

    def look(self, clock: Clock) -> bool:
        """One look, handed to the sink. Returns whether the next should come soon."""
        cpu_ns, began_ns = time.thread_time_ns(), time.perf_counter_ns()
        now_ns = time.time_ns()
        observation = self._probes.look(now_ns)
        findings = self._diagnoser.look(wait_graph(observation), now_ns)
        changes = self._ledger.update(findings)
        snapshot = self._assembler.assemble(observation, now_ns)
        snapshot.interval_ns = clock.interval_ns
        long_waits: list[LongWait] = []
        while self._recorder.long_waits and len(long_waits) < _LONG_WAITS_MOST:
            long_waits.append(self._recorder.long_waits.popleft())
        snapshot.cpu_ns = time.thread_time_ns() - cpu_ns
        snapshot.duration_ns = time.perf_counter_ns() - began_ns
        self._sink.take(
            Looked(observation, snapshot, findings, changes.opened, changes.resolved, observation.ended, long_waits)
        )
        self.cpu_ns += time.thread_time_ns() - cpu_ns
        return self._diagnoser.unconfirmed

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _logger.warning("peeps: a look failed; the program is not affected, the picture may be", exc_info=True)


def wait_graph(observation: Observation) -> Graph:
    """The part of an observation that a diagnosis needs: who waits for something of this program, and for what."""
    edges: list[Edge] = []
    nodes = {
        node_id: node
        for node_id, node in observation.nodes.items()
        if node.kind is not NodeKind.TASK or (node.wait is not None and observation.edges.get(node_id))
    }
    for node_id in nodes:
        edges.extend(edge for edge in observation.edges.get(node_id, ()) if edge.kind in _WAIT_EDGES)
    # Tasks that are awaited, or have a queue in their hands, are nodes too, whatever they do themselves.
    for edge in edges:
        for end in (edge.src, edge.dst):
            if end not in nodes and end in observation.nodes:
                nodes[end] = observation.nodes[end]
    return Graph(nodes, edges)
