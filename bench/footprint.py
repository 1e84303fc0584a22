# SPDX-License-Identifier: Apache-2.0
"""What watching costs a program that does nothing, by thread: `bench/run` has the server, this starts a collector and
the program itself: `python -m bench.footprint TASKS [SECONDS [WORLD]]`.

The program has TASKS tasks that sleep (WORLD `sleeping`) or wait as those of `look_worker` do (`waiting`). Counted is
the processor time of each of its threads, and of the processes it started, by the kernel's account, from the tenth
second of its life on, for SECONDS. What the program itself needs is in it: a loop with nothing to do.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from . import watched
from .look_worker import many_tasks, sleeps
from .loops import ASYNCIO
from .modes import PEEPS, started
from .processes import collector, figures_of
from .report_line import tell
from .steady import cpu_ns, processors

_FROM_S = 10.0


def _by_thread() -> dict[str, int]:
    """Processor time of each living thread, in nanoseconds."""
    found: dict[str, int] = {}
    for thread in Path("/proc/self/task").iterdir():
        name = (thread / "comm").read_text().strip()
        found[f"{name} {thread.name}"] = int((thread / "schedstat").read_text().split()[0])
    return found


def _all_ns() -> int:
    """That of the whole process with threads that have ended, and of its children, those that have ended too."""
    return max(cpu_ns(os.getpid()), time.process_time_ns())


async def _measure(count: int, seconds: float, world: str) -> dict[str, float]:
    began = time.monotonic()
    watched.require(PEEPS)
    tasks = await many_tasks(count) if world == "waiting" else [asyncio.create_task(sleeps()) for _ in range(count)]
    await asyncio.sleep(began + _FROM_S - time.monotonic())
    agent = watched.agent()
    assert agent is not None
    before, all_before, before_ns = _by_thread(), _all_ns(), time.monotonic_ns()
    await asyncio.sleep(seconds)
    after, all_after, lasted_ns = _by_thread(), _all_ns(), time.monotonic_ns() - before_ns
    assert len(tasks) == count
    spent = {name: 100 * (ns - before.get(name, 0)) / lasted_ns for name, ns in after.items()}
    governor = agent.watcher.governor
    return {name: round(share, 3) for name, share in spent.items() if share >= 0.001} | {
        "percent of a core": round(100 * (all_after - all_before) / lasted_ns, 3),
        "interval s": governor.interval_ns / 1e9,
        "samples a second": 1e9 / governor.sample_ns if governor.sample_ns else 0.0,
        "detail shed": float(governor.detail),
        "looks": float(agent.watcher.looks),
    }


def main(count: str, seconds: str = "60", world: str = "sleeping", inside: str = "") -> None:
    if inside:
        tell(asyncio.run(_measure(int(count), float(seconds), world)))
        os._exit(0)
    with collector(processors()[1]) as address:
        arguments = (count, seconds, world, "inside")
        worker = started(PEEPS, Path(sys.executable), address, "bench.footprint", *arguments)
        figures = figures_of(worker, None, float(seconds) + 120)
    print(f"{count} tasks, {world}, {ASYNCIO}:")
    for name, value in figures.items():
        print(f"  {name:30} {value:g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
