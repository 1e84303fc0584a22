# SPDX-License-Identifier: Apache-2.0
"""Some programs run to their end in this process, each as a module on threads of its own, with the engine looking at
all of them at random moments.

The process belongs to the programs: it ends with them.
"""

from __future__ import annotations

import json
import linecache
import os
import resource
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, cast

from peeps_otel.model import Finding

from . import stage as stages
from .engine import Engine
from .oracle import Oracle, seeds_of
from .program import Program
from .stage import Player, module_name, stage

_MS = 1_000_000
_SLACK_MS = 250  # beyond the longest sleep or time limit of a program, before nobody is expected to move any more
_RUN_MOST_MS = 12_000
_TURN_S = 0.002  # the one who looks gets his turn, and threads meet in more ways
_BEGIN_WITHIN_S = 0.2  # programs of one process do not move in step
_NEVER_NS = 1 << 62
_PAUSES_S = (0.0, 0.002, 0.005, 0.01, 0.04)
_STILL_S = 0.15  # more of a pause between two looks, where nobody has moved of late
_LATE_NS = 150 * _MS


class Performance:
    """Programs, those who look at them, and what came of them, which is written to a file as one line of JSON."""

    def __init__(self, pack: Sequence[Program], engine: Engine, out: int, heap_share: float) -> None:
        """Not more than one of `pack` has to run on the main thread."""
        self._pack, self._engine, self._out = pack, engine, out
        self._heap_share = heap_share
        self._generation = 0

    def run(self) -> None:
        """Never returns: the looker ends the process."""
        stages.before_fork.append(self._engine.before_fork)
        stages.after_fork.append(self._again)
        sys.setswitchinterval(_TURN_S)
        pack = sorted(self._pack, key=lambda one: not one.leads)
        players = [Player(one.seed, one.kinds, one.longest_ms) for one in pack]
        plays = [partial(_play, _module(one), player) for one, player in zip(pack, players, strict=True)]
        stage.begin(players)
        self._begin()
        rng = Random(f"{pack[0].seed}/begins")
        for player, play in list(zip(players, plays, strict=True))[1:]:
            delay_s = rng.random() * _BEGIN_WITHIN_S
            threading.Thread(target=play, args=(delay_s,), name=str(player.seed), daemon=True).start()
        plays[0](0.0)
        while True:
            with suppress(BaseException):  # of the program's signal handlers
                time.sleep(60)

    def _begin(self) -> None:
        self._engine.begin(by_program=self._generation > 0)
        seeds = [player.seed for player in stage.players]
        self._rng = Random(f"{seeds[0]}/looks/{self._generation}")
        self._oracle = Oracle()
        self._began = time.monotonic_ns()
        self._said: Counter[str] = Counter()
        self._looks: list[int] = []  # when they were taken, on the monotonic clock
        self._asked = 0
        threading.Thread(target=self._look_on, name="peeps-refutation", daemon=True).start()

    def _again(self) -> None:
        self._generation += 1
        self._begin()

    def _ms(self) -> int:
        return (time.monotonic_ns() - self._began) // _MS

    def _look_on(self) -> None:
        result: dict[str, Any] = {"seeds": [player.seed for player in stage.players], "generation": self._generation}
        try:
            result |= self._watch()
        except BaseException as problem:
            import traceback

            traceback.print_exc()
            result["failed"] = f"{type(problem).__name__}: {problem}"
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        result["cpu_ms"] = round(1000 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime))
        os.write(self._out, (json.dumps(result) + "\n").encode())
        for pid in stages.children:
            _await_end(pid)
        os._exit(0)

    def _watch(self) -> dict[str, Any]:
        rng = self._rng
        while self._ms() < _RUN_MOST_MS and any(map(_may_move, stage.players)):
            time.sleep((rng.choice(_PAUSES_S) + _STILL_S * self._still()) * rng.random())
            self._look(rng.random() < self._heap_share)
        stuck = [one for one in stage.players if not one.finished and not _may_move(one)]
        found = [self._look(False) for _ in range(3)][-1]
        said = _by_program(found)
        unsaid = [one for one in stuck if not said.get(one.seed)]
        asked = _by_program(self._look(True)) if unsaid and rng.random() < 4 * self._heap_share else None
        self._oracle.check(self._ms())
        return {
            "refuted": [one.as_dict() for one in self._oracle.refuted],
            "judged": self._oracle.judged(),
            "said": dict(self._said),
            "looks": len(self._looks),
            "asked": self._asked,
            "ms": self._ms(),
            "programs": [
                {
                    "seed": one.seed,
                    "kinds": one.kinds,
                    "error": one.error,
                    "stuck": one in stuck,
                    "endless": not one.finished and one not in stuck,
                    "looks": sum(one.begun_ns < at_ns <= one.moved_ns for at_ns in self._looks),
                    "last": sorted(said.get(one.seed, ())),
                    "with_heap": None if asked is None or one not in unsaid else sorted(asked.get(one.seed, ())),
                }
                for one in stage.players
            ],
        }

    def _still(self) -> float:
        """Which part of the programs has not moved of late: of those, nothing but the age of the waits is new."""
        late_ns = time.monotonic_ns() - _LATE_NS
        return sum(one.moved_ns < late_ns for one in stage.players) / len(stage.players)

    def _look(self, with_heap: bool) -> list[tuple[Finding, tuple[int, ...]]]:
        """What is said of whom."""
        self._oracle.look_begins()
        look, seen_ns = self._engine.look(with_heap, with_leaks=self._rng.random() < 0.3)
        self._looks.append(seen_ns)
        self._asked += with_heap
        self._oracle.check(self._ms())
        self._oracle.meet(self._engine.tasks())
        findings, nodes = self._engine.findings(look), look.observation.nodes
        self._oracle.said(findings, nodes, seen_ns, self._ms())
        for finding in look.opened:
            self._said[f"{finding.level.value} {finding.kind.value}"] += 1
        return [(one, seeds_of(nodes[node] for node in one.core if node in nodes)) for one in findings]


def _module(program: Program) -> tuple[types.CodeType, types.ModuleType]:
    name = module_name(program.seed)
    file, lines = f"{name}.py", program.text.splitlines(keepends=True)
    cast("dict[str, Any]", linecache.cache)[file] = (len(program.text), None, lines, file)
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = file
    return compile(program.text, file, "exec"), module


def _play(made: tuple[types.CodeType, types.ModuleType], player: Player, delay_s: float) -> None:
    """Runs a program as a module of its own, on the calling thread."""
    time.sleep(delay_s)
    player.begun_ns = player.moved_ns = time.monotonic_ns()
    try:
        exec(made[0], vars(made[1]))
    except BaseException as problem:
        player.error = f"{type(problem).__name__}: {problem}"
    player.finished = True


def _may_move(player: Player) -> bool:
    """Whether somebody of a program is still expected to go on."""
    quiet_ns = (player.longest_ms + _SLACK_MS) * _MS
    return not player.finished and (not player.begun_ns or time.monotonic_ns() - player.moved_ns < quiet_ns)


def _by_program(found: list[tuple[Finding, tuple[int, ...]]]) -> dict[int, set[str]]:
    """What is said to be stuck, by seed."""
    said: dict[int, set[str]] = {}
    for finding, seeds in found:
        for seed in seeds if finding.level.stuck else ():
            said.setdefault(seed, set()).add(f"{finding.level.value} {finding.kind.value}")
    return said


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
