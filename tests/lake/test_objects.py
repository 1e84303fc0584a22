# SPDX-License-Identifier: Apache-2.0
"""The files of the lake in an object store that speaks S3."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector import sender
from tests.support.lake import Lake, new_database
from tests.support.network import http
from tests.support.object_store import object_store
from tests.support.processes import end
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_BUCKET = "peeps"


@pytest.fixture
def lake(server: int, packages: Path, tmp_path: Path) -> Iterator[Lake]:
    with object_store(tmp_path, _BUCKET) as variables:
        one = Lake(tmp_path, new_database(server), packages, f"s3://{_BUCKET}/all", variables)
        yield one
        for collector in one.started:
            collector.end()


def test_a_collector_that_is_killed_loses_nothing_and_the_head_reads_it(lake: Lake, tmp_path: Path) -> None:
    head = lake.start("head", "head")
    first = lake.start("one")
    notes = tmp_path / "notes.txt"
    sending = subprocess.Popen([sys.executable, sender.__file__, first.otlp, str(notes), "0"], stdin=subprocess.PIPE)
    try:
        eventually(lambda: first.get("/health")["lake"]["shipped"]["rows"], "something is there")
        os.kill(first.process.pid, signal.SIGKILL)
        sending.wait(20)
    finally:
        end(sending)
    acknowledged = {int(line) for line in notes.read_text().split()}
    lake.start("one").stop()
    rows = lake.sql("SELECT split_part(name, '-', 1)::BIGINT, count(*), count(DISTINCT name) FROM span GROUP BY 1")
    stored = {number: (rows, names) for number, rows, names in rows}
    assert len(acknowledged) > 20
    assert acknowledged - stored.keys() == set()
    assert set(stored.values()) == {(sender.SPANS, sender.SPANS)}
    assert head.sql("SELECT count(*) FROM span") == [[sender.SPANS * len(stored)]]
    # With the credentials of the lake a statement reaches its files, and no others.
    for path, status in ((f"s3://{_BUCKET}/all/main/span/*.parquet", 200), ("s3://another/x.parquet", 400)):
        body = f'{{"sql": "SELECT count(*) FROM read_parquet(\'{path}\')"}}'.encode()
        answer = http(f"http://{head.api}/api/sql", body)
        assert (path, answer.status) == (path, status), answer.body
