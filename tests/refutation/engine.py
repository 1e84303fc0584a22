# SPDX-License-Identifier: Apache-2.0
"""The engine as every watched process has it, with its clock set by hand."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

from peeps_otel.config import read
from peeps_otel.diagnosis.rules.settings import parse
from peeps_otel.looking import Looking, Patches
from peeps_otel.model import Finding, FindingKind, Level, Snapshot
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.heap import leaks as heap_leaks
from peeps_otel.probes.inherited import Inherited
from peeps_otel.probes.internals import asyncio_core
from peeps_otel.probes.internals import thread as thread_internals
from peeps_otel.probes.probe import Observation, Yield
from peeps_otel.watcher import heap_question
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage

from .program import SLOWNESS
from .rehearsal import rehearse
from .stage import stage

_MS = 1_000_000
_NEVER_NS = 1 << 62
_THRESHOLDS_MS = (
    "long_wait:settle=5:waited=100:could_end=200, lock_starved:waited=100, semaphore_starved:waited=100,"
    "channel_full:waited=100, lost_wakeup:150, held_across_wait:100, loop_blocked:60, never_yields:60,"
    "cancel_ignored:stuck=300:slow=200, channel_not_drained:250, executor_saturated:150, unusually_long:200,"
    "lost_with_process:50, pool_waits_for_itself:100, pool_workers_die:200, pool_lost_results:200,"
    "loop_asleep:100, pool_exhausted:still=300:unseen=100:lost=100, nothing_moves:still=200"
)
SCALED = parse(re.sub(r"\d+", lambda found: f"{int(found[0]) * SLOWNESS}ms", _THRESHOLDS_MS))
"""Programs live for half a second instead of minutes."""


class _ReadAt:
    """A probe that sees nothing, and knows when all others have read the programs."""

    name = "refutation"
    at_ns = 0  # on the monotonic clock

    def install(self) -> None:
        return

    def uninstall(self) -> None:
        return

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        return

    def confirm(self, observation: Observation, now_ns: int, pause: Yield, /) -> None:
        self.at_ns = time.monotonic_ns()


class Engine:
    """The engine as an agent has it, without its thread and its exports. `install` once per process."""

    def __init__(self, credulous: bool = False) -> None:
        """`credulous`: takes every wait for a proven deadlock, to see that the oracle sees."""
        self._credulous = credulous
        self._config = replace(
            read({}),
            rules=SCALED,
            interval_ms=1,
            key_frame_s=1 << 30,
            span_wait_ms=0,
            sample_hz=50,  # and twice before each look
            cpu_budget_percent=0,  # looks are taken when the oracle says, whatever they cost
            bytes_budget=0,
        )
        self._patches = Patches(self._config)
        self._build(None)

    def _build(self, inherited: Inherited | None) -> None:
        self._last: CycleResult | None = None
        self._read = _ReadAt()
        self._looking = Looking(self._config, self._patches, self, ProbeContext(inherited), [self._read])
        self._watcher, self._leaks = self._looking.watcher, self._looking.leaks
        heap = self._watcher.heap
        assert heap is not None
        self._heap = heap

    def install(self) -> None:
        heap_question._SETTLED_NS = 10 * _MS  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        heap_question._TOGETHER_NS = 5 * _MS  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        self._heap.settled_ns = 10 * _MS
        self._looking.probes.install()
        rehearse(lambda: self.look(with_heap=False))
        self._build(None)  # the one that all programs begin with: made here, it costs them nothing

    def before_fork(self) -> None:
        """What the program's own fork leaves to its child."""
        self._at_fork = os.getpid(), Inherited.threads_now(), self._looking.thread_holds()

    def begin(self, by_program: bool) -> None:
        """In a forked child. `by_program`: not of this harness, but of the program itself."""
        thread_internals.forked()
        self._patches.after_fork_in_child()
        if by_program:
            self._build(Inherited(*self._at_fork))

    def look(self, with_heap: bool, with_leaks: bool = True) -> tuple[CycleResult, int]:
        """What it brought, and when the programs were read, on the monotonic clock. `with_heap`: it is asked who could
        end each wait, and the answer is there at the end; `with_leaks`: after the answer to another question, for
        leaks."""
        self._heap._next_ns = _NEVER_NS  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        if with_heap:
            if with_leaks:
                self._leaks.take(heap_leaks.check(5))
            self._heap.request()
            self._watcher.look()
            while self._heap.is_busy:
                time.sleep(0.005)
        for _ in range(2):
            self._watcher._sampling.sample(0)  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        self._watcher.look()
        assert self._last is not None
        return self._last, self._read.at_ns

    def findings(self, look: CycleResult) -> list[Finding]:
        found = list(look.findings)
        if self._credulous:
            waiting = [node for node in look.observation.nodes.values() if node.wait is not None]
            found += [
                Finding(f"credulous:{node.id}", FindingKind.DEADLOCK, Level.PROVEN, node.name, 0, [node.id])
                for node in waiting
            ]
        return found

    def tasks(self) -> dict[str, object]:
        """The living tasks, by node id: of asyncio all, of Trio and gevent those that have made a step of a program."""
        living = {id(task): task for task in (*asyncio_core.live_tasks(), *stage.tasks())}
        task_at = self._looking.probes.context.resources.task_at
        nodes = {address: task_at(address) for address in living}
        return {node: living[address] for address, node in nodes.items() if node is not None}

    # --- a sink -------------------------------------------------------------------------------------------------------

    def take(self, look: CycleResult) -> None:
        self._last = look

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        return
