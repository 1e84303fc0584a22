# SPDX-License-Identifier: Apache-2.0
"""What a collector has answered for is in the lake, once: whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collector import sender
from tests.support.collector import Collector
from tests.support.lake import Lake
from tests.support.processes import end
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Sender:
    """Sends to one collector until that or this ends; `acknowledged` has the numbers."""

    def __init__(self, collector: Collector, notes: Path, first: int) -> None:
        self._notes = notes
        words = [sys.executable, sender.__file__, collector.otlp, str(notes), str(first)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE)

    def acknowledged(self) -> list[int]:
        """Whole lines only: it may be writing one."""
        if not self._notes.exists():
            return []
        return [int(line) for line in self._notes.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_was_acknowledged_is_in_the_lake_once_though_one_is_killed(lake: Lake, tmp_path: Path, count: int) -> None:
    collectors = [lake.start(f"c{number}") for number in range(count)]
    senders = [Sender(one, tmp_path / f"{number}.txt", number * 1_000_000) for number, one in enumerate(collectors)]
    try:
        for one in senders:
            eventually(lambda one=one: len(one.acknowledged()) > 50)
        eventually(lambda: collectors[0].get("/health")["lake"]["shipped"]["rows"])
        killed = collectors[0]
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.process.wait()
        before = len(senders[0].acknowledged())
        again = lake.start("c0")
        senders[0].process.wait(20)
        senders.append(Sender(again, tmp_path / "again.txt", 900_000_000))
        eventually(lambda: len(senders[-1].acknowledged()) > 20)
    finally:
        for one in senders:
            end(one.process)
    for one in [again, *collectors[1:]]:
        one.stop()
    acknowledged = {number for one in senders for number in one.acknowledged()}
    rows = lake.sql("SELECT split_part(name, '-', 1)::BIGINT, count(*), count(DISTINCT name) FROM span GROUP BY 1")
    stored = {number: (rows, names) for number, rows, names in rows}
    assert before > 50
    assert acknowledged - stored.keys() == set()
    assert set(stored.values()) == {(sender.SPANS, sender.SPANS)}
    shards = lake.sql("SELECT count(DISTINCT shard) FROM span")
    assert shards == [[count]]
