# SPDX-License-Identifier: Apache-2.0
"""The watcher: a daemon thread that looks, samples, diagnoses and hands on.

It is not on any event loop, so it works when a loop is blocked. It takes no lock of the program and never raises into
it.
"""

from __future__ import annotations

import time
from collections.abc import Set

from .. import native
from ..diagnosis import Diagnoser, RuleSettings
from ..diagnosis.kept_reduction import kept_suspects
from ..diagnosis.rules.loop_blocked import LoopBlocked
from ..model import Edge, Finding, Node
from ..model.change import Change
from ..own_log import OwnLog
from ..probes.composite import CompositeProbe
from ..probes.kept import Kept
from ..probes.patches.recorder import LongWait, Recorder
from ..probes.poll import Poll
from ..probes.probe import Observation
from ..probes.runtime import is_starting
from .assembly import Assembler, Difference
from .clock import SYSTEM_CLOCK, Clock
from .cuts import Cuts, OnSnapshot
from .governor import Detail, Extent, Governor
from .heap_question import HeapQuestion
from .heap_turns import HeapTurns
from .history import History, TaskView, lags
from .interfaces import CycleResult, LookConsumer, WatcherRule, WatcherStats
from .look_requests import Done, LookRequests
from .open_findings import OpenFindings
from .pace import Pace
from .polls import Polls
from .profile import Profile
from .refutations import Refutations
from .sampler import Sampler
from .sampling import Sampling
from .start_waits import StartWaits
from .waits import Waits
from .within import Within

CHANGES = (
    Change(
        "a daemon thread `peeps-watcher`",
        "looks at the program, within `PEEPS_CPU_BUDGET_PERCENT` of a processor; it takes no lock of the program",
        "at the start",
        "stopped at the end",
        "`PEEPS_ENABLED`",
    ),
)

THREAD_NAME = "peeps-watcher"
_LONG_WAITS_MOST = 1000  # per look
_START_MOST_NS = 2_000_000_000  # a start that lasts may be stuck
_START_STEP_S = 0.05
_LEAST_NS = 10_000_000  # between a look and the next
_QUESTION_NS = 250_000_000  # a question to the heap is paid so often, and may go on
_logger = OwnLog()


class Watcher:
    """Owns the thread. `start` and `stop` from any thread and in turns. A forked child makes a new one.

    `tasks`: what the samples are told of tasks, None: no samples. `exact_steps`: steps are timed. `sample_ns`: between
    two samples of the threads, 0: none. `cpu_percent`, `bytes_per_s`: the budgets, 0: no limit. `settings`: which
    rules are on, and their thresholds.
    """

    def __init__(
        self,
        probes: CompositeProbe,
        recorder: Recorder,
        sink: LookConsumer,
        *,
        interval_ns: int,
        key_frame_ns: int,
        settings: RuleSettings | None = None,
        tasks: TaskView | None = None,
        sample_ns: int = 50_000_000,
        cpu_percent: float = 1.0,
        bytes_per_s: int = 65536,
        exact_steps: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._probes = probes
        self._recorder = recorder
        self._sink = sink
        self._interval_ns, self._key_frame_ns = interval_ns, key_frame_ns
        self._sample_ns = sample_ns if tasks is not None else 0
        self._cpu_percent, self._bytes_per_s = cpu_percent, bytes_per_s
        self._settings = settings or RuleSettings()
        self._stalled_ns = self._settings.make(LoopBlocked).stalled
        self._assembler = Assembler(key_frame_ns, self._keep_pace)
        self._sampler = Sampler(tasks.loops, tasks.is_alive, clock) if tasks is not None else None
        self._refutations = Refutations(tasks)
        self._history = None if tasks is None or self._sampler is None else History(self._sampler, tasks, exact_steps)
        self._polls = None if tasks is None else Polls(tasks, self.difference)
        self._requests = LookRequests()
        self._cuts = Cuts()
        self._turns = HeapTurns()
        self.rules: list[WatcherRule] = []
        """Diagnoses of their own, asked after each look. To be filled before `start`."""
        self.heap: HeapQuestion | None = None
        """What asks the heap who could end a wait. To be set before `start`."""
        self.within: Within | None = None
        """What joins the ends that are both in this process, where no collector does. To be set before `start`."""
        self._complained = False
        self._cpu_before_ns = 0  # of threads of ours that have ended
        self.cpu_ns = 0  # of the watcher's threads, since the process began
        self.looks = 0
        """How many were taken since it began."""
        self._reset()

    def _reset(self) -> None:
        self._stopping = native.Event()
        self._wake = native.Event()
        self._thread: native.Thread | None = None
        self._ledger = OpenFindings()
        self._diagnoser = Diagnoser(self._settings, suspects=kept_suspects)
        self._waits = Waits(self._keep_pace)
        self._nodes: Kept[Node] = Kept()
        self._edges: Kept[tuple[Edge, ...]] = Kept()
        self.governor = Governor(
            interval_ns=self._interval_ns,
            key_frame_ns=self._key_frame_ns,
            sample_ns=self._sample_ns,
            cpu_percent=self._cpu_percent,
            bytes_per_s=self._bytes_per_s,
            now_ns=self._clock.monotonic_ns(),
        )
        self._start_waits = StartWaits(self._clock.time_ns())
        self._sampling = Sampling(self._sampler, self._sample_ns, self._clock)
        self._pace = Pace(
            self.governor, self._sampling, self._all_cpu_ns, self._stopping, self._clock, self._pace_question
        )
        self._exported_ns = self._sink.spent().cpu_ns

    def difference(self) -> Difference:
        """What the look at hand, or the last one, found changed. For the rules, on the watcher's thread."""
        return self._assembler.difference

    @property
    def open_findings(self) -> list[Finding]:
        return list(self._ledger.open.values())

    @property
    def profile(self) -> Profile | None:
        """The stacks that were sampled; None where none are."""
        return None if self._sampler is None or not self._sample_ns else self._sampler.profile

    @property
    def deadlocked(self) -> Set[str]:
        """The members of all deadlocks that the last look has proven."""
        return self._diagnoser.deadlocked

    def wake(self) -> None:
        """The next look comes at once. From any thread."""
        self._wake.set()

    def request_key_frame(self) -> None:
        self._assembler.request_key_frame()

    def attention(self, done: Done | None = None) -> None:
        """Somebody is looking: for a quarter of a minute, looks come often, the first at once. From any thread. `done`:
        called when the findings are those of a look after this call; on the watcher's thread."""
        if done is not None:
            self._requests.request(done)
        if self.heap is not None:
            self.heap.request()
            self._turns.request()
        self.governor.attention(self._clock.monotonic_ns())
        self._wake.set()

    def cut(self, taken: OnSnapshot) -> None:
        """As `attention`; the snapshot of the next look is complete, and `taken` is called with it, on the watcher's
        thread. From any thread."""
        self._cuts.request(taken)
        self.attention()

    def knows_poll(self, node: Node, poll: Poll, since_ns: int) -> None:
        """Somebody is in a run of a loop that asks again and again, by what was seen of it elsewhere. Before a look."""
        if self._polls is not None:
            self._polls.knows(node, poll, since_ns, self._clock.time_ns())

    def start(self) -> None:
        """Begins to watch, under a new stream, also after `stop`."""
        if self._thread is not None:
            return
        self._begin()
        self._thread = native.Thread(self._run, THREAD_NAME)
        self._thread.start()

    def run(self, thread: native.Thread) -> None:
        """Watches on the calling thread, which is this one, until `stop`."""
        self._begin()
        self._thread = thread
        self._run()

    def _begin(self) -> None:
        self._reset()
        self._assembler.restart()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends the thread and says goodbye. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        self._wake.set()
        thread.join(timeout_s)
        self._cpu_before_ns = self.cpu_ns
        try:
            self._sink.goodbye(self._assembler.goodbye(self._clock.time_ns()))
        except Exception:
            self._complain()

    def _run(self) -> None:
        stopping, wake, sampling = self._stopping, self._wake, self._sampling
        until_ns = self._clock.monotonic_ns() + _START_MOST_NS
        while is_starting() and not stopping.is_set() and self._clock.monotonic_ns() < until_ns:
            self._clock.wait(stopping, _START_STEP_S)  # nothing of the program is there to be seen
        look_due_ns = sampling.due_ns = self._clock.monotonic_ns()
        while not stopping.is_set():
            now_ns = self._clock.monotonic_ns()
            try:
                if now_ns >= look_due_ns:
                    suspicious = self.look()
                    now_ns = self._clock.monotonic_ns()
                    look_due_ns = max(look_due_ns + self.governor.next_ns(now_ns, False), now_ns + _LEAST_NS)
                    if suspicious:
                        look_due_ns = min(look_due_ns, now_ns + self.governor.next_ns(now_ns, True))
                elif sampling.is_due(now_ns):
                    sampling.sample(self.governor.sampling_ns)
                    if sampling.new_stall(self._stalled_ns):
                        look_due_ns = now_ns
            except Exception:
                self._complain()
                look_due_ns = max(look_due_ns, self._clock.monotonic_ns() + self._interval_ns)
            due_ns = sampling.before(look_due_ns)
            if self._pace_question():
                due_ns = min(due_ns, self._clock.monotonic_ns() + _QUESTION_NS)
            if self._clock.wait(wake, max(0.0, (due_ns - self._clock.monotonic_ns()) / 1e9)):
                wake.clear()
                look_due_ns = min(look_due_ns, self._clock.monotonic_ns())

    def _pace_question(self) -> bool:
        """Pays for a question to the heap that is under way, and lets it go on. Whether there is one."""
        if self.heap is None:
            return False
        self.heap.pace()
        return self.heap.is_busy

    def _keep_pace(self) -> None:
        """For what is made once and paced by each stream's own."""
        self._pace.step()

    def _paced(self) -> int:
        """Paces; how long in nanoseconds this look has waited for its budget so far."""
        self._pace.keep()
        return self._pace.waited_ns

    def _look_clock_ns(self) -> int:
        """Processor time of this thread, but for samples: a look that waits for its budget takes many."""
        return time.thread_time_ns() - self._sampling.spent_ns

    def _all_cpu_ns(self) -> int:
        """Processor time of the watcher and of the sink since the process began. The questions to the heap are paid
        apart: one that was dear must not stop the looks."""
        return self._cpu_before_ns + time.thread_time_ns() + self._sink.spent().cpu_ns

    def look(self) -> bool:
        """One look, handed to the sink. Returns whether the next should come soon."""
        cpu_ns, began_ns = self._look_clock_ns(), time.perf_counter_ns()
        now_ns = self._clock.time_ns()
        self._pace.begin()
        governor, detail = self.governor, self.governor.detail
        self._probes.context.with_lines = detail < Detail.NO_STACKS
        self._probes.context.hurries = governor.hurries(self._clock.monotonic_ns())
        self._requests.before_look(self.heap)
        if self._cuts.before_look():
            self._assembler.request_key_frame()
        self._probes.context.paced = self._paced
        self._probes.context.new_tasks_most = governor.new_tasks_most(
            self._clock.monotonic_ns(), self._diagnoser.unconfirmed
        )
        observation = self._probes.look(now_ns, self._pace.pause, Observation(self._nodes, self._edges))
        now_ns += self._pace.waited_ns  # the waits that were found last began in between
        self._overlay(observation, now_ns)
        if self.heap is not None:
            self.heap.lay(observation)
        if self.within is not None:
            self.within.lay(observation)
        observation.shed += governor.shed
        self._assembler.key_frame_ns = governor.key_frame_ns
        snapshot = self._assembler.assemble(observation, now_ns, detail < Detail.NO_IDLE_EDGES)
        difference = self._assembler.difference
        waiting = self._waits.update(difference, observation)
        if self.heap is not None:
            self.heap.note(waiting.changed)
        findings = self._diagnoser.look_at(waiting.waits, waiting.changed, now_ns, self._pace.keep)
        for rule in self.rules:
            said = rule.look(observation, waiting, findings, now_ns)
            findings += [finding for finding in said if self._settings.says(finding.kind)]
        if self._diagnoser.untold:
            observation.coverage.append(f"{self._diagnoser.untold} more findings are not told")
        if self.heap is not None:
            self.heap.purse = governor.purse
            self._start_waits.look(self._clock.monotonic_ns())
            self.heap.can_be_later = self._start_waits.can_be_later
            if self._turns.has_come(waiting.changed, self._clock.monotonic_ns(), self.heap.settled_ns):
                self.heap.look(observation, waiting.waits, now_ns, frozenset())
        findings, refuted = self._refutations.judge(findings, observation, now_ns)
        changes = self._ledger.update(findings)
        withdrawn = {one.finding.id for one in refuted}
        long_waits: list[LongWait] = []
        while self._recorder.long_waits and len(long_waits) < _LONG_WAITS_MOST:
            long_waits.append(self._recorder.long_waits.popleft())
        snapshot.cpu_ns = self._look_clock_ns() - cpu_ns
        extent = Extent(len(observation.nodes), len(difference.changed), not self._probes.context.unread_tasks)
        governor.told_ns = max(governor.interval_ns, governor.foresee(snapshot.cpu_ns, extent))
        snapshot.interval_ns = governor.told_ns
        snapshot.duration_ns = time.perf_counter_ns() - began_ns
        watches = [] if self._sampler is None else list(self._sampler.watches.values())
        stalls = [] if self._sampler is None else self._sampler.take_stalls()
        self._sink.take(
            CycleResult(
                observation,
                snapshot,
                findings,
                changes.opened,
                [finding for finding in changes.resolved if finding.id not in withdrawn],
                observation.ended,
                long_waits,
                difference,
                stalls,
                lags(watches, self._clock.monotonic_ns()),
                self._upkeep(),
                refuted,
            )
        )
        self._cuts.after_look(snapshot)
        self._requests.after_look(self.heap)
        self.looks += 1
        self._account(self._look_clock_ns() - cpu_ns, snapshot.key_frame, extent)
        return self._diagnoser.unconfirmed

    def _overlay(self, observation: Observation, now_ns: int) -> None:
        """What is known from before, laid over the nodes of a look."""
        for what, write in (("samples", self._write_samples), ("polls", self._write_polls)):
            try:
                write(observation, now_ns)
            except Exception:
                observation.coverage.append(f"{what}: not in this look")
                self._complain()

    def _write_samples(self, observation: Observation, now_ns: int) -> None:
        if self._history is not None:
            self._history.write(observation, self._probes.context, now_ns)

    def _write_polls(self, observation: Observation, now_ns: int) -> None:
        if self._polls is not None:
            self._polls.write(observation, now_ns)

    def _account(self, look_ns: int, key_frame: bool, extent: Extent) -> None:
        self.cpu_ns = self._cpu_before_ns + time.thread_time_ns()
        sink = self._sink.spent()
        look_ns += sink.cpu_ns - self._exported_ns
        self._exported_ns = sink.cpu_ns
        self.governor.spent(
            self._clock.monotonic_ns(),
            self._all_cpu_ns(),
            sink.sent,
            look_ns,
            self._sampling.each_ns(),
            key_frame,
            extent,
        )

    def _upkeep(self) -> WatcherStats:
        governor, spent = self.governor, self._sink.spent()
        return WatcherStats(
            cpu_ns=self.cpu_ns + spent.cpu_ns,
            sent=spent.sent,
            interval_ns=governor.interval_ns,
            steps_shed=len(governor.shed),
            cpu_load=governor.cpu_load,
            byte_load=governor.byte_load,
            histograms=governor.detail < Detail.NO_HISTOGRAMS,
        )

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _logger.warning("peeps: a look failed; the program is not affected, the picture may be", exc_info=True)
