# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process that nobody prepared, by itself: what it says, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.processes import environment


def _run(folder: Path, program: str) -> str:
    """What it prints."""
    file = folder / "shop.py"
    file.write_text(program, encoding="utf-8")
    command = [sys.executable, file]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=True).stdout


STUCK = """
import asyncio, json, sys, threading

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass

async def main():
    left, right = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(left, right), transfer(right, left))
    await asyncio.sleep(0.3)
    before = asyncio.Lock.__aenter__.__code__, set(threading.enumerate())
    import peeps_otel
    text = await asyncio.to_thread(peeps_otel.verdict)
    same = asyncio.Lock.__aenter__.__code__ is before[0]
    left_behind = [t.name for t in threading.enumerate() if t not in before[1] and not t.name.startswith("asyncio_")]
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "google", "requests"})
    print(json.dumps({"text": text, "same": same, "threads": left_behind, "loaded": loaded}))
    both.cancel()

asyncio.run(main())
"""


def test_a_process_that_nobody_watches_says_what_is_stuck(tmp_path: Path) -> None:
    said = _run(tmp_path, STUCK)
    told = json.loads(said)
    text = told.pop("text")
    assert told == {"same": True, "threads": [], "loaded": []}
    first = text.splitlines()[0]
    assert re.fullmatch(r"DEADLOCK, PROVEN, \d+ m?s: transfer \(Task-\d\) waits for Lock \w+, held by .*", first)
    assert "Watched for " in text


CALM = """
import threading, time
ready = threading.Event()

def worker():
    ready.set()
    time.sleep(30)

threading.Thread(target=worker, name="worker", daemon=True).start()
ready.wait()
import peeps_otel
print(peeps_otel.verdict(0))
"""


def test_where_nothing_is_stuck_it_says_who_waits(tmp_path: Path) -> None:
    said = _run(tmp_path, CALM)
    assert said.startswith("Nothing is stuck: no tasks")
    assert said.splitlines()[-1].startswith("thread worker has waited in sleep at ")
    assert "MainThread" not in said, "it is who asks"


FORKED = (
    STUCK.replace("import asyncio, json, sys, threading", "import asyncio, os").partition("    before = ")[0]
    + """
    child = os.fork()
    if child == 0:
        import peeps_otel
        print(peeps_otel.verdict(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    both.cancel()

asyncio.run(main())
"""
)


def test_what_a_fork_has_in_its_memory_from_its_parent_is_not_proven(tmp_path: Path) -> None:
    said = _run(tmp_path, FORKED)
    assert said
    assert "PROVEN," not in said
