# SPDX-License-Identifier: Apache-2.0
"""`peeps why --leaks`, from the terminal through the collector into a program and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.e2e_support import Collector
from tests.support.program import Program, source_line
from tests.support.waiting import eventually

Watch = Callable[..., Program]

SHOP = """
import asyncio

kept = set()
global_event = asyncio.Event()


async def wait_for_reply(number):
    reply = asyncio.get_running_loop().create_future()
    await reply


async def wait_for_news():
    await global_event.wait()


async def main():
    for number in range(3):
        kept.add(asyncio.create_task(wait_for_reply(number), name=f"order-{number}"))
    kept.add(asyncio.create_task(wait_for_news(), name="news"))
    await asyncio.sleep(0.1)
    print("shop: at work", flush=True)
    await asyncio.sleep(3600)


asyncio.run(main())
"""


def test_a_check_on_request(collector: Collector, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(SHOP)
    program = watch(path)
    eventually(lambda: collector.get("/api/processes")["processes"], "the program is connected")

    done = collector.peeps("why", "--leaks", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    (finding,) = [f for f in json.loads(done.stdout)["findings"] if f["kind"] == "leak"]
    assert finding["level"] == "PROVEN"
    assert {finding["nodes"][node]["name"] for node in finding["core"] if node.startswith("task:")} == {
        "order-0",
        "order-1",
        "order-2",
    }
    assert finding["look_at"] == source_line(path, "wait_for_reply", "await reply")
    assert "3 of " in done.stderr
    assert "paused for" in done.stderr

    text = collector.peeps("why", "--leaks")
    assert text.returncode == 1
    assert "LEAK, PROVEN" in text.stdout
    assert "shop.py:10" in text.stdout
    assert "peeps:" not in program.interrupt()  # nothing of ours in the program's own log


def test_who_is_not_reached_is_told(collector: Collector) -> None:
    done = collector.peeps("why", "--leaks")
    assert done.returncode == 2
    assert "no program is connected" in done.stderr
