# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SLF001  # it takes the phases apart from outside
"""Where a look goes: `python -m bench.look_phases TASKS`: the watcher's phases, in one thread, by its processor time.

The world is that of `look_worker`. The first looks are there once, and with `heap` those that take in what it has
answered. Then come two dozen in which the lines of waits are resolved, by and by; of those, of looks at which nothing
has changed, and of such at which one task in a hundred has gone on, one here and one there, the median is told, in
milliseconds. The clock that the looks are told runs a second from one to the next.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from peeps_otel.config import read
from peeps_otel.parts import Lasting, Parts
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage

from .look_worker import many_tasks, sleeps
from .report_line import tell

_SECOND = 1_000_000_000
_EVERY = 100


class _Spent:
    """Processor time by phase, and how often each was gone through."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = defaultdict(int)

    def of(self, owner: Any, name: str, label: str) -> None:
        inner = getattr(owner, name)

        def outer(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time_ns()
            try:
                return inner(*args, **kwargs)
            finally:
                self.ns[label] += time.thread_time_ns() - began

        setattr(owner, name, outer)


class Nowhere:
    """Takes what the watcher hands on and drops it."""

    def take(self, look: CycleResult) -> None:
        self.findings = len(look.findings)

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Any) -> None:
        pass


def _watch(spent: _Spent, parts: Parts) -> Callable[[], Any]:
    watcher: Any = parts.watcher
    watcher._sink = Nowhere()
    probe: Any = parts.probes
    for one in probe._probes:
        spent.of(one, "observe", f"probe {one.name}")
        if hasattr(one, "confirm"):
            spent.of(one, "confirm", f"confirm {one.name}")
        if one.name == "asyncio":
            spent.of(one._table, "discover", "… discover")
            for name in ("_look_at_all", "_show", "_touched"):
                spent.of(one, name, f"… {name.strip('_')}")
    spent.of(probe.context.resources, "show", "resources")
    spent.of(watcher._history, "write", "history")
    spent.of(watcher._assembler, "assemble", "assemble")
    spent.of(watcher._waits, "update", "waits")
    for name in ("look", "look_at"):
        spent.of(watcher._diagnoser, name, f"diagnosis {name}")
    spent.of(watcher._diagnoser._memory, "settle", "… settle")
    spent.of(watcher._diagnoser, "_by_reduction", "… reduction")
    spent.of(watcher._diagnoser, "_is_unconfirmed", "… is_unconfirmed")
    spent.of(watcher._diagnoser._engine, "look", "… rules")
    if watcher.heap is not None:
        spent.of(watcher.heap, "look", "heap look")
        spent.of(watcher.heap, "lay", "heap lay")
    for rule in watcher.rules:
        spent.of(rule, "look", f"rule {type(rule).__name__}")
    spent.of(watcher._refutations, "judge", "refutations")
    spent.of(watcher, "look", "= look")
    return watcher.look


async def _move(tasks: list[asyncio.Task[None]], chance: random.Random) -> None:
    """One of a hundred ends, and another like it begins."""
    sleepers = range(8, len(tasks), 10)
    for place in chance.sample(sleepers, len(tasks) // _EVERY):
        tasks[place].cancel()
        tasks[place] = asyncio.create_task(sleeps())
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def measure(count: int, heap: bool) -> dict[str, dict[str, float]]:
    environment = {"PEEPS_CPU_BUDGET_PERCENT": "0", "PEEPS_BYTES_BUDGET": "0", "PEEPS_SAMPLE_HZ": "0"}
    environment |= {} if heap else {"PEEPS_HEAP": "off"}
    config = read(environment)
    parts = Parts(config, Lasting(config))
    parts.probes.install()
    spent = _Spent()
    parts.watcher.attention()
    look = _watch(spent, parts)
    tasks = await many_tasks(count)
    clock = time.time_ns
    ahead = [0]
    time.time_ns = lambda: clock() + ahead[0]
    figures: dict[str, dict[str, float]] = {}
    chance, asked = random.Random(1), parts.watcher.heap
    cases = (("first", 1), ("second", 1), ("third", 1), ("answered", 1), ("settling", 24), ("unchanged", 3))
    for case, rounds in (*cases, ("1 % changed", 3)):
        took: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            if case.startswith("1 %"):
                await _move(tasks, chance)
            spent.ns.clear()
            look()
            ahead[0] += _SECOND
            while asked is not None and asked.is_busy:
                await asyncio.sleep(0.05)
            for label, ns in spent.ns.items():
                took[label].append(ns / 1e6)
        figures[case] = {label: round(median(values), 2) for label, values in took.items()}
    assert len(tasks) == count
    return figures


def main(count: str, heap: str = "") -> None:
    figures = asyncio.run(measure(int(count), heap == "heap"))
    labels = sorted({label for one in figures.values() for label in one}, key=lambda x: -figures["unchanged"].get(x, 0))
    print(f"| phase, ms | {' | '.join(figures)} |\n|---{'|--:' * len(figures)}|")
    for label in labels:
        print(f"| {label} | {' | '.join(str(one.get(label, '–')) for one in figures.values())} |")
    tell({case: one["= look"] for case, one in figures.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
