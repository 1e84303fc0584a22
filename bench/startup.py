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

_PASS = "pass"
_SMALL = """
import asyncio, json, time
async def main():
    await asyncio.gather(*(asyncio.sleep(3) for _ in range(5)))
    status = open('/proc/self/status').read().split()
    smaps = open('/proc/self/smaps_rollup').read().split()
    anonymous = int(smaps[smaps.index('Anonymous:') + 1])
    print(json.dumps({'rss_mb': int(status[status.index('VmRSS:') + 1]) / 1024, 'private_mb': anonymous / 1024}))
asyncio.run(main())
"""


def _run(mode: str, dashboard: str, code: str) -> dict[str, float]:
    made = started(mode, Path(sys.executable), dashboard, "unused")
    command = [*made.command[: made.command.index("-m")], "-c", code]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=made.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_ms": spent * 1e3, "wall_ms": (ended - began) * 1e3} | json.loads(done.stdout or "{}")


def main(rounds: int) -> None:
    with collector(processors()[1]) as dashboard:
        for name, code in (("python -c pass", _PASS), ("a small program", _SMALL)):
            pairs = [(_run(OTEL, dashboard, code), _run(PEEPS, dashboard, code)) for _ in range(rounds)]
            for key in pairs[0][0]:
                without = statistics.median(pair[0][key] for pair in pairs)
                added = sorted(pair[1][key] - pair[0][key] for pair in pairs)
                print(
                    f"{name}: {key}: {without:.1f} without us, {statistics.median(added):+.1f} "
                    f"({added[0]:+.1f} … {added[-1]:+.1f}) with us"
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
