# SPDX-License-Identifier: Apache-2.0
"""The process in which operations are timed: `python -m bench.operation_worker MODE LOOP [OPERATION ...]`.

The clock is the processor time of the whole process, all threads. An operation within the allowance comes first, while
the process is new.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Generator
from typing import Any

from . import peers, watched
from .loops import loop_factory
from .operations import OPERATIONS, RECORDED, THREADS, Operation, Run
from .report_line import tell
from .steady import pin_arenas

_REPEAT_NS = 20_000_000
_REPEATS = 9
_SUSTAINED_NS = 1_200_000_000  # more than the time between two looks
_clock = time.process_time_ns


async def _time(run: Run, count: int) -> float:
    began = _clock()
    await run(count)
    return (_clock() - began) / count


async def within_allowance(operation: Operation) -> float:
    """Least nanoseconds of seven short runs, the first one for warming up."""
    count = operation.recorded // 7 // 20 * 20 if operation.recorded < 7000 else operation.recorded // 700 * 100
    return min([await _time(operation.run, count) for _ in range(7)][1:])


async def in_the_long_run(operation: Operation) -> float:
    """Nanoseconds: the least of some runs, or the mean over a time in which we have looked."""
    await operation.run(200)
    count = max(200, int(_REPEAT_NS / max(1.0, await _time(operation.run, 200))) // 100 * 100)
    gc.collect()
    gc.freeze()  # what was imported before is not what is measured
    repeats = _SUSTAINED_NS // _REPEAT_NS if operation.sustained else _REPEATS
    times = [await _time(operation.run, count) for _ in range(repeats)]
    return sum(times) / len(times) if operation.sustained else min(times)


def _without_loop(work: Generator[Any, None, float]) -> float:
    """Runs a coroutine that awaits nothing."""
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("it awaits something")


async def _on_loop(mode: str, chosen: set[str], figures: dict[str, float]) -> None:
    await peers.start_on_loop(mode)
    for name, operation in OPERATIONS.items():
        if name in chosen and operation.recorded:
            figures[name + RECORDED] = await within_allowance(operation)
    for name, operation in OPERATIONS.items():
        if name in chosen:
            figures[name] = await in_the_long_run(operation)


def main(mode: str, loop: str, *names: str) -> None:
    arenas = pin_arenas()
    watched.require(mode)
    peers.start(mode)
    chosen = set(names) or {*OPERATIONS, *THREADS}
    figures: dict[str, float] = {}
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(_on_loop(mode, chosen, figures))
    for name, operation in THREADS.items():
        if name in chosen and loop == "asyncio":
            figures[name] = _without_loop(in_the_long_run(operation).__await__())
    watched.require(mode)
    tell(figures)
    del arenas
    os._exit(0)  # whoever measured may take its time to end


if __name__ == "__main__":
    main(*sys.argv[1:])
