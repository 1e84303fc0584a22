# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is stored: after `kill -9` under load, and where the disk is full. `PEEPS_KILLS`: how often."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from peeps_collector.receive.journal import Entry, Journal, JournalError
from peeps_collector.receive.request import Encoding, Signal
from peeps_collector.store.position import Position
from tests.collector.collector_support import Running, event, logs_request
from tests.collector.sender import SPANS
from tests.support.network import Answer, http
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("PEEPS_KILLS", "10"))
PROTOBUF = {"content-type": "application/x-protobuf"}


def is_noted(path: Path, number: int) -> bool:
    return path.exists() and str(number) in path.read_text().split()


@pytest.mark.timeout(120 + 30 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(start: Any, tmp_path: Path) -> None:
    noted = tmp_path / "acknowledged"
    database = tmp_path / "peeps.duckdb"
    script = str(Path(__file__).with_name("sender.py"))
    for kill in range(KILLS):
        collector: Running = start(database=database)
        first = kill * 1_000_000
        command = [sys.executable, script, collector.otlp, str(noted), str(first)]
        sender = subprocess.Popen(command, stdin=subprocess.PIPE)
        eventually(partial(is_noted, noted, first + 9), seconds=60)
        time.sleep(0.2 + 0.17 * kill % 1.3)  # at another moment of the second between two commits each time
        collector.process.kill()
        collector.process.communicate(timeout=20)
        assert sender.stdin is not None
        sender.stdin.close()
        sender.wait(20)
    acknowledged = {int(line) for line in noted.read_text().split()}
    assert len(acknowledged) > 9 * KILLS
    assert start(database=database).stop() == "", "the last one only reads the journal"
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "SELECT split_part(name, '-', 1)::BIGINT, count(*), count(DISTINCT name) FROM span GROUP BY 1"
        ).fetchall()
    stored = {number: (spans, names) for number, spans, names in found}
    assert {number: stored.get(number) for number in acknowledged if stored.get(number) != (SPANS, SPANS)} == {}
    assert {number: spans for number, spans in stored.items() if spans != (SPANS, SPANS)} == {}, "all of it or nothing"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs root to mount a small file system; see the other test for what does not")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def spans_in(database: Path) -> int:
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute("SELECT count(*) FROM log").fetchone()
        assert row is not None
        return row[0]


def fill(collector: Running) -> tuple[int, Answer]:
    """Sends until it is refused; how many were acknowledged, and the refusal."""
    for number in range(2000):
        request = logs_request(*[event("note", {"n": number, "text": os.urandom(2000).hex()}) for _ in range(20)])
        answer = http(f"http://{collector.otlp}/v1/logs", request.SerializeToString(), PROTOBUF)
        if answer.status != 200:
            return number, answer
    raise AssertionError("never refused")


def check_full_and_recovers(collector: Running, make_room: Callable[[], object]) -> None:
    sent, refusal = fill(collector)
    assert sent > 0
    assert (refusal.status, refusal.headers["retry-after"]) == (503, "1")
    assert "disk full" in Status.FromString(refusal.body).message
    assert refusal.headers["content-type"] == "application/x-protobuf"
    too_large = logs_request(event("note", {"text": os.urandom(2_000_000).hex()})).SerializeToString()
    with grpc.insecure_channel(collector.otlp) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(too_large, timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    sent_along: Any = caught.value.trailing_metadata()
    details = dict(sent_along)["grpc-status-details-bin"]
    retry = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1
    health = collector.get("/health")
    assert health["status"] == "degraded"
    assert any("disk full" in warning for warning in health["warnings"])
    assert health["dropped"] == {"requests": 0, "rows": 0}
    assert health["refused"]["requests"] >= 2

    make_room()

    def taken() -> bool:
        request = logs_request(*[event("note")] * 20)
        return http(f"http://{collector.otlp}/v1/logs", request.SerializeToString(), PROTOBUF).status == 200

    eventually(taken)
    eventually(lambda: collector.get("/health")["status"] == "ok")
    collector.stop()
    assert spans_in(collector.database) == 20 * (sent + 1)


def test_a_full_disk_is_said_and_nothing_is_dropped(start: Any, small_disk: Path) -> None:
    collector: Running = start(database=small_disk / "peeps.duckdb")
    check_full_and_recovers(
        collector,
        lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True),
    )


def test_a_file_that_may_not_grow_is_the_same(start: Any) -> None:
    collector: Running = start()
    limits = resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    check_full_and_recovers(collector, lambda: resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, limits))


def entry(number: int, body: bytes = b"body") -> Entry:
    return Entry(number, 7, Signal.LOGS, Encoding.JSON, body)


def test_the_journal_gives_back_what_it_took(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 1 << 20)
    assert list(journal.read()) == []
    journal.append([entry(1), entry(2, b"")])
    journal.append([entry(3)])
    again = Journal(tmp_path / "j", 1 << 20)
    assert list(again.read()) == [entry(1), entry(2, b""), entry(3)]
    assert again.last == 3
    again.committed(2)
    assert [e.number for e in Journal(tmp_path / "j", 1 << 20).read()] == [1, 2, 3], "a segment goes as a whole"
    again.committed(3)
    assert list((tmp_path / "j").iterdir()) == []


def test_a_record_that_a_crash_cut_off_is_no_loss_and_garbage_is_kept_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 1 << 20)
    journal.append([entry(1), entry(2)])
    (path,) = (tmp_path / "j").iterdir()
    whole = path.read_bytes()
    for cut in range(len(whole) // 2, len(whole)):
        path.write_bytes(whole[:cut])
        torn = Journal(tmp_path / "j", 1 << 20)
        assert [e.number for e in torn.read()] == [1]
        assert torn.warnings == []
    path.write_bytes(whole[: len(whole) // 2] + b"garbage" + bytes(100))
    damaged = Journal(tmp_path / "j", 1 << 20)
    assert [e.number for e in damaged.read()] == [1]
    assert "cannot be read from byte" in damaged.warnings[0]
    damaged.set_aside()
    assert [p.name for p in (tmp_path / "j").iterdir()] == [path.with_suffix(".damaged").name]


def test_a_journal_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 1000)
    journal.append([entry(1, bytes(900))])
    with pytest.raises(JournalError, match="wait for the database"):
        journal.append([entry(2, bytes(900))])
    assert [e.number for e in Journal(tmp_path / "j", 1000).read()] == [1]


def test_the_position_knows_what_is_stored() -> None:
    position = Position().with_more([1, 3, 2, 7])
    assert (position.low, 3 in position, 5 in position, 7 in position, position.highest) == (3, True, False, True, 7)
    assert Position.of(position.text()).text() == position.text()
    assert position.reached(6).text() == Position(7).text()
