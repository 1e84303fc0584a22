# SPDX-License-Identifier: Apache-2.0
"""What a leak check costs: how long the program stands still, and how long the answer takes.

    python bench/leaks.py [OBJECTS ...]

One process for each row: a heap of that many objects and 10,000 waiting tasks, of which 10 can be woken by nobody.
Prints a Markdown table. The pause is wall time on the program's side; the rest runs on a copy, niced.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peeps_otel.probes.heap import leaks as heap_leaks

SIZES = (100_000, 700_000, 2_000_000)
TASKS, LOST = 10_000, 10
_ROUNDS = 3


async def measure(objects: int) -> dict[str, Any]:
    heap = [[number] for number in range(objects)]
    event = asyncio.Event()

    async def live() -> None:
        await event.wait()

    async def lost() -> None:
        await asyncio.get_running_loop().create_future()

    tasks = [asyncio.create_task(live()) for _ in range(TASKS - LOST)]
    tasks += [asyncio.create_task(lost()) for _ in range(LOST)]
    await asyncio.sleep(0)
    stalls: list[float] = []
    stop = False

    async def heartbeat() -> None:
        while not stop:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - began - 0.001)

    beating = asyncio.create_task(heartbeat())
    reports = [await asyncio.to_thread(heap_leaks.check) for _ in range(_ROUNDS)]
    stop = True
    await beating
    found = reports[-1]
    assert len(found.lost) == LOST, (len(found.lost), found.not_run)
    assert all(one.sure for one in found.lost), found.not_run
    for task in tasks:
        task.cancel()
    assert len(heap) == objects
    return {
        "objects": found.objects,
        "pause_ms": sorted((report.pause_ns or 0) / 1e6 for report in reports)[_ROUNDS // 2],
        "stall_ms": max(stalls) * 1e3,
        "answer_s": min(report.duration_ns for report in reports) / 1e9,
    }


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asyncio.run(measure(int(sys.argv[2])))))
        return
    print("| objects | waiting tasks | copying, median | longest stall of the loop | answer after |")
    print("|---|---|---|---|---|")
    for size in [int(text) for text in sys.argv[1:]] or SIZES:
        command = [sys.executable, __file__, "--one", str(size)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"| {row['objects']:,} | {TASKS:,} | {row['pause_ms']:.1f} ms | {row['stall_ms']:.1f} ms "
            f"| {row['answer_s']:.1f} s |"
        )


if __name__ == "__main__":
    main()
