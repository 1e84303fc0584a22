# SPDX-License-Identifier: Apache-2.0
"""A program that is stuck and dumps itself, twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import environment

PROGRAM = """
import asyncio, sys, threading

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass

async def counting():
    for _ in range(10_000):
        await asyncio.sleep(0.02)

def dumped(path):
    from peeps_otel.local.asking import picture
    from peeps_otel.local.dumping import write
    write(picture(30), path)

async def main():
    left, right = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(left, right), transfer(right, left))
    count = asyncio.create_task(counting(), name="counting")
    await asyncio.sleep(0.3)
    for path in sys.argv[1:]:
        await asyncio.to_thread(dumped, path)
    both.cancel()
    count.cancel()

asyncio.run(main())
"""


def dumped_twice(folder: Path) -> tuple[Path, Path]:
    """The two dumps of a run of the program."""
    program, first, second = folder / "shop.py", folder / "first.peeps", folder / "second.peeps"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, program, first, second]
    subprocess.run(command, env=environment(OTEL_SERVICE_NAME="shop"), cwd=folder, timeout=120, check=True)
    return first, second
