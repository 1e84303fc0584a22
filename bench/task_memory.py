# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SLF001  # it takes the watcher's results away from outside
"""What of ours lives for each waiting task: `python -m bench.task_memory TASKS LOOKS`.

The world is that of `look_worker`. Counts the bytes that were asked for while LOOKS looks were taken and that live
afterwards, by `tracemalloc`, so it does not depend on the machine, nor on how the allocator packs them: the whole, and
where most of it was asked for. Nothing is encoded or sent, and the heap is not asked.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from peeps_otel.config import read
from peeps_otel.parts import Lasting, Parts

from .look_phases import Nowhere
from .look_worker import many_tasks
from .modes import ROOT
from .report_line import tell

_SECOND = 1_000_000_000
_SETTINGS = {"PEEPS_CPU_BUDGET_PERCENT": "0", "PEEPS_BYTES_BUDGET": "0", "PEEPS_SAMPLE_HZ": "0", "PEEPS_HEAP": "off"}
_PLACES = 25


async def measure(count: int, looks: int) -> tracemalloc.Snapshot:
    config = read(_SETTINGS)
    parts = Parts(config, Lasting(config))
    parts.probes.install()
    watcher: Any = parts.watcher
    watcher._sink = Nowhere()
    watcher.attention()
    clock, ahead = time.time_ns, [0]
    time.time_ns = lambda: clock() + ahead[0]

    def look(times: int) -> None:
        for _ in range(times):
            watcher.look()
            ahead[0] += _SECOND

    before = await many_tasks(100)  # what is there once, however many tasks there are
    look(3)
    tasks = await many_tasks(count)
    gc.collect()
    tracemalloc.start()
    look(looks)
    gc.collect()
    found = tracemalloc.take_snapshot()
    assert (len(before), len(tasks)) == (100, count)
    return found.filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)])


def main(count: str, looks: str = "30") -> None:
    found = asyncio.run(measure(int(count), int(looks)))
    each = int(count)
    print("| bytes a task | objects a task | asked for at |\n|--:|--:|---|")
    for one in found.statistics("lineno")[:_PLACES]:
        place, path = one.traceback[0], Path(one.traceback[0].filename)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
        print(f"| {one.size / each:.1f} | {one.count / each:.2f} | {shown}:{place.lineno} |")
    tell({"bytes_per_task": sum(trace.size for trace in found.traces) / each})


if __name__ == "__main__":
    main(*sys.argv[1:])
