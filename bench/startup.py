# SPDX-License-Identifier: Apache-2.0
"""What a program pays for being started with us: `python -m bench.startup [ROUNDS]`.

`python -c pass`, and a program that runs a loop for three seconds, under `opentelemetry-instrument` with us off and on,
alternating: processor time of the process and of what it starts, time to its end, and resident memory of the second at
its end. Prints the median without us, and median, least and most of the differences of neighbours.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .modes import OTEL, PEEPS, ROOT, started
from .processes import collector
from .steady import processors

_SMALL = """
import asyncio, json, time
async def main():
    await asyncio.gather(*(asyncio.sleep(3) for _ in range(5)))
    status = open('/proc/self/status').read().split()
    smaps = open('/proc/self/smaps_rollup').read().split()
    figures = {'rss_mb': int(status[status.index('VmRSS:') + 1])}
    figures |= {f'{name.lower()}_mb': int(smaps[smaps.index(f'{name}:') + 1]) for name in ('Pss', 'Anonymous')}
    print(json.dumps({name: kilobytes / 1024 for name, kilobytes in figures.items()}))
asyncio.run(main())
"""
PROGRAMS = {"python -c pass": "pass", "a small program": _SMALL}


def start(mode: str, python: Path, dashboard: str, code: str) -> dict[str, float]:
    """Runs the code to its end, from a start of the interpreter on."""
    made = started(mode, python, dashboard, "unused")
    command = [*made.command[: made.command.index("-m")], "-c", code]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=made.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_ms": spent * 1e3, "wall_ms": (ended - began) * 1e3} | json.loads(done.stdout or "{}")


def main(rounds: int) -> None:
    here = Path(sys.executable)
    with collector(processors()[1]) as dashboard:
        for name, code in PROGRAMS.items():
            pairs = [[start(mode, here, dashboard, code) for mode in (OTEL, PEEPS)] for _ in range(rounds)]
            for key in pairs[0][0]:
                without = statistics.median(pair[0][key] for pair in pairs)
                added = sorted(pair[1][key] - pair[0][key] for pair in pairs)
                print(
                    f"{name}: {key}: {without:.1f} without us, {statistics.median(added):+.1f} "
                    f"({added[0]:+.1f} … {added[-1]:+.1f}) with us"
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
