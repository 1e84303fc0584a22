# SPDX-License-Identifier: Apache-2.0
"""One program run to its end in this process, with the engine looking at random moments.

The process belongs to the program: it ends with it.
"""

from __future__ import annotations

import asyncio
import json
import linecache
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, cast

from peeps_otel.config import read
from peeps_otel.diagnosis.rules.settings import parse
from peeps_otel.looking import Looking, Patches
from peeps_otel.model import Finding, FindingKind, Level, Snapshot
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.heap import leaks as heap_leaks
from peeps_otel.probes.inherited import Inherited
from peeps_otel.probes.internals import asyncio_core
from peeps_otel.probes.internals import thread as thread_internals
from peeps_otel.watcher import heap_question
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage

from . import stage as stages
from .oracle import Oracle
from .program import Program
from .rehearsal import rehearse
from .stage import stage

_MS = 1_000_000
_SLACK_MS = 120  # beyond the longest sleep or time limit of a program, before nobody is expected to move any more
_RUN_MOST_MS = 8_000
_NEVER_NS = 1 << 62
_ALIKE_S, _ALIKE_MOST = 0.02, 5  # how much longer the pause between two looks gets by each that saw nobody move
SCALED = parse(
    "long_wait:settle=5ms:waited=100ms:could_end=200ms, lock_starved:waited=100ms, semaphore_starved:waited=100ms,"
    "channel_full:waited=100ms, lost_wakeup:150ms, held_across_wait:100ms, loop_blocked:60ms, never_yields:60ms,"
    "cancel_ignored:stuck=300ms:slow=200ms, channel_not_drained:250ms, executor_saturated:150ms, unusually_long:200ms,"
    "lost_with_process:50ms, pool_waits_for_itself:100ms, pool_workers_die:200ms, pool_lost_results:200ms,"
    "loop_asleep:100ms, pool_exhausted:still=300ms:unseen=100ms:lost=100ms, nothing_moves:still=200ms"
)
"""Programs live for half a second instead of minutes."""


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
        self._looking = Looking(self._config, self._patches, self, ProbeContext(inherited))
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

    def look(self, with_heap: bool, with_leaks: bool = True) -> CycleResult:
        """`with_heap`: it is asked who could end each wait, and the answer is there at the end; `with_leaks`: after
        the answer to another question, for leaks."""
        self._heap._next_ns = _NEVER_NS  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        if with_heap:
            if with_leaks:
                self._leaks.take(heap_leaks.check(5))
            self._heap.request()
            self._watcher.look()
            while self._heap.is_busy:
                time.sleep(0.005)
        for _ in range(2):
            self._watcher._sample()  # pyright: ignore[reportPrivateUsage]  # time and turns are set by hand
        self._watcher.look()
        assert self._last is not None
        return self._last

    def findings(self, look: CycleResult) -> list[Finding]:
        found = list(look.findings)
        if self._credulous:
            waiting = [node for node in look.observation.nodes.values() if node.wait is not None]
            found += [
                Finding(f"credulous:{node.id}", FindingKind.DEADLOCK, Level.PROVEN, node.name, 0, [node.id])
                for node in waiting
            ]
        return found

    def tasks(self) -> dict[str, asyncio.Task[Any]]:
        living = {id(task): task for task in asyncio_core.live_tasks()}
        return {node: living[address] for address, node in self._looking.objects.task_nodes(living.keys()).items()}

    # --- a sink -------------------------------------------------------------------------------------------------------

    def take(self, look: CycleResult) -> None:
        self._last = look

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        return


class Performance:
    """A program, those who look at it, and what came of it, which is written to a file as one line of JSON."""

    def __init__(self, program: Program, engine: Engine, out: int, heap_share: float) -> None:
        self._program, self._engine, self._out = program, engine, out
        self._heap_share = heap_share
        self._generation = 0

    def run(self) -> None:
        """Never returns: the looker ends the process."""
        stages.before_fork.append(self._engine.before_fork)
        stages.after_fork.append(self._again)
        self._begin()
        name = f"program_{self._program.seed}.py"
        text = self._program.text
        lines = text.splitlines(keepends=True)
        cast("dict[str, Any]", linecache.cache)[name] = (len(text), None, lines, name)
        error = ""
        try:
            exec(compile(text, name, "exec"), {"__name__": "__main__", "__file__": name})
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}"
        stage.finished = True
        self._error = error
        while True:
            with suppress(BaseException):  # of the program's signal handlers
                time.sleep(60)

    def _begin(self) -> None:
        self._engine.begin(by_program=self._generation > 0)
        self._rng = Random(f"{self._program.seed}/looks/{self._generation}")
        self._oracle = Oracle()
        self._began = time.monotonic_ns()
        self._error = ""
        self._said: Counter[str] = Counter()
        stage.moved_ns = self._began
        threading.Thread(target=self._look_on, name="peeps-refutation", daemon=True).start()

    def _again(self) -> None:
        self._generation += 1
        self._begin()

    def _ms(self) -> int:
        return (time.monotonic_ns() - self._began) // _MS

    def _look_on(self) -> None:
        result: dict[str, Any]
        try:
            result = self._watch()
        except BaseException as problem:
            import traceback

            traceback.print_exc()
            result = {"failed": f"{type(problem).__name__}: {problem}"}
        result |= {"seed": self._program.seed, "kinds": self._program.kinds, "generation": self._generation}
        result["cpu_ms"] = time.process_time_ns() // _MS
        os.write(self._out, (json.dumps(result) + "\n").encode())
        for pid in stages.children:
            _await_end(pid)
        os._exit(0)

    def _watch(self) -> dict[str, Any]:
        rng, quiet_ms = self._rng, self._program.longest_ms + _SLACK_MS
        looks = alike = moved_ns = 0
        while self._ms() < _RUN_MOST_MS and not stage.finished:
            if time.monotonic_ns() - stage.moved_ns > quiet_ms * _MS:
                break
            # While nobody moves, nothing but the age of the waits is new: ever longer pauses then.
            alike, moved_ns = (alike + 1 if moved_ns == stage.moved_ns else 0), stage.moved_ns
            pause_s = rng.choice([0.0, 0.002, 0.005, 0.01, 0.04]) + min(alike, _ALIKE_MOST) * _ALIKE_S
            time.sleep(pause_s * rng.random())
            self._look(rng.random() < self._heap_share)
            looks += 1
        stuck = not stage.finished and self._ms() < _RUN_MOST_MS
        said = [self._look(False) for _ in range(1 if alike > 1 else 3)][-1]
        asked = self._look(True) if stuck and not said and rng.random() < 4 * self._heap_share else None
        self._oracle.check(self._ms())
        return {
            "refuted": [one.as_dict() for one in self._oracle.refuted],
            "stuck": stuck,
            "endless": not stage.finished and not stuck,
            "said": dict(self._said),
            "last": sorted({f"{f.level.value} {f.kind.value}" for f in said if f.level.stuck}),
            "with_heap": None
            if asked is None
            else sorted({f"{f.level.value} {f.kind.value}" for f in asked if f.level.stuck}),
            "looks": looks,
            "ms": self._ms(),
            "error": self._error,
        }

    def _look(self, with_heap: bool) -> list[Finding]:
        self._oracle.look_begins()
        look = self._engine.look(with_heap, with_leaks=self._rng.random() < 0.3)
        self._oracle.check(self._ms())
        findings = self._engine.findings(look)
        if findings:
            self._oracle.said(findings, look.observation.nodes, self._engine.tasks(), self._ms())
        for finding in look.opened:
            self._said[f"{finding.level.value} {finding.kind.value}"] += 1
        return findings


def _await_end(pid: int) -> None:
    """Until a child of ours has ended; its parent thread may or may not reap it."""
    for _ in range(300):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.02)
