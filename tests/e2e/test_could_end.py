# SPDX-License-Identifier: Apache-2.0
"""A wait whose end nobody can bring about any more, found without being asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.e2e_support import Collector
from tests.support.network import http
from tests.support.program import Program
from tests.support.waiting import eventually

PROGRAM = """\
import asyncio

async def consumer(changed):
    async with changed:
        await changed.wait()

async def notifier(changed):
    async with changed:
        changed.notify_all()

async def main():
    changed = asyncio.Condition()
    await asyncio.create_task(notifier(changed), name="notifier")
    print("missed_notify: at work", flush=True)
    await asyncio.create_task(consumer(changed), name="consumer")

asyncio.run(main())
"""


def test_a_notification_that_came_too_early(
    collector: Collector, watch: Callable[..., Program], tmp_path: Path
) -> None:
    path = tmp_path / "missed_notify.py"
    path.write_text(PROGRAM)
    finding = collector.verdict_on(watch(path, PEEPS_HEAP="true"), 60)
    assert (finding.kind, finding.level) == ("never_ends", "PROVEN")
    assert "consumer" in finding.core
    assert finding.title.endswith("but only consumer itself could notify it, after this very wait")


def test_who_asks_hears_when_the_programs_have_looked(
    collector: Collector, watch: Callable[..., Program], tmp_path: Path
) -> None:
    """What `peeps why` does before it says that nothing is stuck."""
    path = tmp_path / "missed_notify.py"
    path.write_text(PROGRAM)
    program = watch(path, PEEPS_HEAP="true")
    collector.verdict_on(program, 60)

    answer = http(f"http://{collector.api}/api/looks", b"{}")
    assert answer.status == 202
    (asked,) = answer.json()["requests"]

    def done() -> dict[str, Any] | None:
        (request,) = http(f"http://{collector.api}/api/looks?request={asked['request']}").json()["requests"]
        return request["answer"]

    told = eventually(done, "the program has looked")
    (finding,) = told["findings"]
    assert told == {"asked": 0, "findings": [finding], "not_asked": ""}  # its answer holds: nobody has moved
    assert finding.startswith("never_ends:")
