# SPDX-License-Identifier: Apache-2.0
"""What we add to a request of an echo server, counted: bytecode instructions of the server's thread.

`python -m bench.echo_counted [REQUESTS]`: prints, publishes nothing. The servers of `bench.echo`; a machine that
others use too changes nothing. Every task is recorded in detail, for there are few; what C functions do is not counted,
nor what our own threads do, which have a budget.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from .echo import CLIENTS, how
from .modes import OTEL, PEEPS, ROOT
from .processes import Failed, collector
from .report_line import told
from .steady import processors

_WARM = 300
_NOTED_S = 0.5  # until a signal is acted on


async def _counted(mode: str, address: str, kind: str, requests: int) -> float:
    """Instructions per request."""
    server = how(mode, address, kind)
    process = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs on this loop meanwhile
        server.command, env=server.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        figures = told(process.stdout)
        if figures is None:
            raise Failed("the server did not start")
        async with CLIENTS[kind](int(figures["port"])) as call:
            for number in range(_WARM + requests):
                if number == _WARM:
                    os.kill(process.pid, signal.SIGUSR1)
                    await asyncio.sleep(_NOTED_S)
                await call()
            os.kill(process.pid, signal.SIGUSR2)
            counted = await asyncio.to_thread(told, process.stdout)
        if counted is None:
            raise Failed("the server ended")
        return sum(counted.values()) / requests
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main(requests: int = 300) -> None:
    with collector(processors()[1]) as address:
        for kind in CLIENTS:
            without, with_us = (asyncio.run(_counted(mode, address, kind, requests)) for mode in (OTEL, PEEPS))
            print(f"{kind}: {without:,.0f} instructions per request without us, {with_us:,.0f} with", end="")
            print(f": {with_us / without - 1:+.1%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
