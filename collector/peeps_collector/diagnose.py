# SPDX-License-Identifier: Apache-2.0
"""The diagnosis on its clock: after each batch of snapshots, at most five times a second; twice where a look is dear,
for a good part of it costs the same however little has changed; and less often where so much changes that it would take
more than a fifth of a core.

The engine confirms a finding over two looks. A look at the merged graph of many processes may contain an old picture
of some of them, so a finding is published only when every process with a member in it has sent something new since
the first of its looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Set
from typing import Protocol

from peeps_otel.diagnosis import Diagnoser, RuleSettings
from peeps_otel.diagnosis.wait_index import WaitIndex
from peeps_otel.model import Finding, FindingKind, Graph, Level

from .graph.findings import FindingRegistry
from .graph.incremental import Delta, IncrementalGraph, IncrementalWaitGraph
from .graph.joins import Peer
from .graph.listeners import attached
from .graph.live import LiveGraph
from .graph.liveness import is_here
from .graph.process import State
from .graph.reduction import residue_of_many
from .graph.silence import Silence
from .requests_out import END

_SPACING_SECONDS = 0.2
_SPACING_USUAL_SECONDS = 0.45  # so that a finding is told within half a second of the snapshot that shows it
_SPACING_MOST_SECONDS = 2.0
_TIMES_ITS_COST, _TIMES_AT_LEAST = 8, 4
_CLOCK_SECONDS = 0.5
_LISTENERS_SECONDS = 2.0
_JUMP_NS = 2_000_000_000
_log = logging.getLogger(__name__)


class GraphDiagnoser(Protocol):
    """What is needed of `peeps_otel.diagnosis.Diagnoser`."""

    def look(self, graph: Graph, now_ns: int) -> list[Finding]: ...


class IncrementalDiagnoser:
    """`peeps_otel.diagnosis.Diagnoser` on a graph that keeps its indexes. Not thread-safe."""

    def __init__(self, settings: RuleSettings | None = None) -> None:
        self._owner: Mapping[str, str] = {}
        self._diagnoser = Diagnoser(
            settings,
            residue=residue_of_many,
            suspects=_suspects,
            owner=lambda node: self._owner.get(node, ""),
            confirms=False,
        )

    @property
    def untold(self) -> int:
        """How many findings there are beside those of the last look."""
        return self._diagnoser.untold

    def look(self, graph: Graph, now_ns: int) -> list[Finding]:
        """Of a IncrementalGraph only what has changed is read; the same one must come each time, or a new one."""
        if isinstance(graph, IncrementalGraph):
            self._owner = graph.owner
            return self._diagnoser.look_at(graph.waits, graph.waits.take_changed(), now_ns)
        return self._diagnoser.look(graph, now_ns)


def _suspects(waits: WaitIndex, turned: Set[str], now_ns: int, old_ns: int) -> set[str]:
    if isinstance(waits, IncrementalWaitGraph):
        return waits.suspects(turned, now_ns, old_ns)
    return residue_of_many(waits.conditions(Level.SUSPECT, now_ns, old_ns))


def pause_after(cost_s: float) -> float:
    """Seconds until the next look, after one that took `cost_s` of processor time.

    With 100 programs of 1,000 nodes at 1 Hz, 46 to 62 ms a look, the looks took 4.4 and 4.8 % of a core; with a fixed
    pause of 0.2 s, 5.4 and 6.3 % (two runs each, in turns, on a busy machine). Where a look takes more than 0.11 s, for
    many thousand nodes change from one to the next, it stays at a fifth of a core: the rest is for what comes in.
    """
    usual_s = max(_SPACING_USUAL_SECONDS, _TIMES_AT_LEAST * cost_s)
    return min(max(_SPACING_SECONDS, _TIMES_ITS_COST * cost_s), usual_s, _SPACING_MOST_SECONDS)


class Confirmation:
    """Holds findings back until every member process has moved on since the look before the first sighting.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._baseline: dict[str, dict[str, int]] = {}

    def filter(self, findings: list[Finding], owner: dict[str, str], updates: dict[str, int]) -> list[Finding]:
        """`updates`: the number of applied updates of each process in this look."""
        confirmed: list[Finding] = []
        baselines: dict[str, dict[str, int]] = {}
        for finding in findings:
            members = {owner[node] for node in finding.core if node in owner}
            baseline = self._baseline.get(finding.id)
            if baseline is None:
                baseline = {member: self._before.get(member, updates.get(member, 0)) for member in members}
            baselines[finding.id] = baseline
            if all(updates.get(member, 0) > count for member, count in baseline.items()):
                confirmed.append(finding)
        self._baseline, self._before = baselines, updates
        return confirmed


class Diagnosis:
    """The thread that looks. `wake` and the counters may be used from any thread."""

    def __init__(
        self,
        live: LiveGraph,
        findings: FindingRegistry,
        diagnoser: GraphDiagnoser,
        clock: Callable[[], int] = time.time_ns,
        settings: RuleSettings | None = None,
    ) -> None:
        self._live = live
        self._findings = findings
        self._diagnoser = diagnoser
        self._clock = clock
        self._tells_silence = (settings or RuleSettings()).says(FindingKind.PROCESS_SILENT)
        self._confirmation = Confirmation()
        self.silence = Silence(live)
        self._updates: dict[str, int] = {}
        self._graph = IncrementalGraph()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.tell: Callable[[str, str, str], None] = lambda _kind, _process, _id: None
        """Tells a process a request that it does not answer: `ProcessRequests.tell`. To be set before `start`."""
        self.each_turn: Callable[[int], None] = lambda _now_ns: None
        """What else is done on this clock, with its time: to be set before `start`."""
        self._asked: set[Peer] = set()
        self._asked_s = 0.0
        self._attached: dict[Peer, bool] = {}
        self._ahead_ns = clock() - time.monotonic_ns()
        self._thread = threading.Thread(target=self._run, name="peeps-diagnose", daemon=True)
        self.failure = ""
        """The last failure of the engine, in one line; empty where there was none."""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """A snapshot was applied."""
        self._wake.set()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def step(self) -> None:
        """One turn of the clock: expire what is silent, look if anything is new, close what is over."""
        now_ns = self._clock()
        self._live.expire(now_ns)
        self._live.age_joins(now_ns, self._listeners())
        for asked in self._live.wanted_ends(now_ns):
            self.tell(END, asked.process, asked.digest)
        deltas, updates = self._live.take_changes(self._graph.processes)
        is_new, self._updates = updates != self._updates, updates
        found = self._look(deltas, now_ns, is_new)
        if is_new:
            findings = self._confirmation.filter(found, self._graph.owner, updates)
            undecided = {key: None for key, p in self._live.processes().items() if p.needs_key_frame}
            untold = self._diagnoser.untold if isinstance(self._diagnoser, IncrementalDiagnoser) else 0
            self._findings.update_from_diagnosis(findings, undecided, now_ns, untold)
            self._live.judged(updates)
        self._findings.check_reports(now_ns)
        silent = self.silence.step(now_ns)
        self._findings.update_silent(silent if self._tells_silence else {}, now_ns)
        self.each_turn(now_ns)

    def _listeners(self) -> dict[Peer, bool]:
        """Of the addresses to which requests went that nobody is seen to answer: where a process of this machine
        listens, and whether it reports to us. Asked anew every two seconds."""
        peers = self._live.unanswered()
        now_s = time.monotonic()
        if not peers.issubset(self._asked) or now_s - self._asked_s > _LISTENERS_SECONDS:
            self._asked, self._asked_s = peers, now_s
            infos = [process.info for process in self._live.processes().values() if process.state is State.LIVE]
            self._attached = attached(peers, [info.pid for info in infos if info.pid is not None and is_here(info)])
        return self._attached

    def _look(self, deltas: Mapping[str, Delta], now_ns: int, is_new: bool) -> list[Finding]:
        try:
            self._graph.apply(deltas)
            return self._diagnoser.look(self._graph, now_ns) if is_new else []
        except BaseException:
            self._graph = IncrementalGraph()  # half brought up to date: the next look begins with everything
            raise

    def _mind_the_clock(self) -> None:
        """Ages are differences of wall clock times; when that is set, or the machine slept, nobody has aged."""
        ahead_ns = self._clock() - time.monotonic_ns()
        if abs(ahead_ns - self._ahead_ns) > _JUMP_NS:
            self._live.clock_jumped(ahead_ns - self._ahead_ns)
        self._ahead_ns = ahead_ns

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_CLOCK_SECONDS)
            self._wake.clear()
            begun_s = time.thread_time()
            try:
                self._mind_the_clock()
                self.step()
            except Exception as error:  # an engine that fails must not silence the collector
                if not self.failure:
                    _log.exception("the diagnosis failed")
                self.failure = f"the diagnosis failed: {type(error).__name__}: {error}"
            self._stop.wait(pause_after(time.thread_time() - begun_s))
