# SPDX-License-Identifier: Apache-2.0
"""Silent processes: what sidecars say, what the collector sees by itself, and when it is over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from peeps_collector.decode.logs import FindingRecord, SnapshotBody, decode_logs
from peeps_collector.decode.resource import ProcessInfo
from peeps_collector.decode.silence import SilenceRecord
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.graph.liveness import is_alive
from peeps_collector.graph.process import State
from peeps_collector.graph.silence import Silence
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model import Finding, FindingKind, Level
from tests.collector.collector_support import Program, apply_snapshot, event, logs_request, resource

SECOND = 1_000_000_000
BEGIN = 1_800_000_000 * SECOND
HOST = socket.gethostname()


class World:
    """The parts, on a clock of the test's."""

    def __init__(self) -> None:
        self.overloaded = False
        self.live = LiveGraph(RowBuffer(1000))
        self.findings = FindingRegistry(self.live, RowBuffer(1000), [])
        self.silence = Silence(self.live, lambda: self.overloaded)
        self.now_ns = BEGIN

    def snapshot(self, program: Program, host: str) -> ProcessInfo:
        """One arrives now."""
        (decoded,) = decode_logs(program.snapshot([], key_frame=True), self.now_ns)
        (body,) = decoded.records
        assert isinstance(body, SnapshotBody)
        info = replace(decoded.process, host=host)
        apply_snapshot(self.live, info, body.body, self.now_ns)
        return info

    def speaks(self, program: Program) -> ProcessInfo:
        """A process of this host sends a snapshot a second, for two seconds; the last one now."""
        for _ in range(2):
            self.snapshot(program, HOST)
            self.pass_time(1)
        return self.snapshot(program, HOST)

    def pass_time(self, seconds: float, step: float = 0.5) -> dict[str, Finding]:
        """The clock of the diagnosis goes on; what is open at the end."""
        found: dict[str, Finding] = {}
        for _ in range(int(seconds / step)):
            self.now_ns += int(step * SECOND)
            self.live.expire(self.now_ns)
            found = self.silence.step(self.now_ns)
            self.findings.update_silent(found, self.now_ns)
        assert {e.finding.id for e in self.findings.open()} == {finding.id for finding in found.values()}
        return found

    def state(self, info: ProcessInfo) -> State:
        return self.live.processes()[info.id].state


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    yield process
    process.kill()
    process.wait()


def _program(pid: int) -> Program:
    return Program(pid=pid, interval_ns=SECOND)


def _record(**changes: Any) -> SilenceRecord:
    return replace(
        SilenceRecord("running", "shop (pid 7) is silent: it runs", "app.py:3", (), BEGIN, None, BEGIN), **changes
    )


def test_a_living_process_of_this_host_that_says_nothing(world: World, child: subprocess.Popen[bytes]) -> None:
    program = _program(child.pid)
    info = world.speaks(program)
    assert world.pass_time(5) == {}
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    (finding,) = world.pass_time(3).values()
    assert (finding.kind, finding.level) == (FindingKind.PROCESS_SILENT, Level.SUSPECT)
    assert finding.title == f"shop (pid {child.pid}) is silent: it is stopped, but sends no snapshots"
    assert finding.since_ns == BEGIN + 2 * SECOND, "the last snapshot"
    (entry,) = world.findings.open()
    assert entry.processes == [info.id]
    assert world.pass_time(300) != {}
    assert world.state(info) is State.SILENT, "as long as it exists"
    world.snapshot(program, HOST)
    assert world.pass_time(0.5) == {}
    assert [ended["title"] for ended in world.findings.ended()] == [finding.title]


def test_one_that_could_run_may_be_late_on_an_overloaded_machine(world: World, child: subprocess.Popen[bytes]) -> None:
    world.overloaded = True
    world.speaks(_program(child.pid))
    assert world.pass_time(25) == {}
    assert world.pass_time(10) != {}


def test_one_that_is_stopped_is_not_late(world: World, child: subprocess.Popen[bytes]) -> None:
    world.overloaded = True
    world.speaks(_program(child.pid))
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert world.pass_time(8) != {}


def test_a_killed_one_is_gone(world: World, child: subprocess.Popen[bytes]) -> None:
    info = world.snapshot(_program(child.pid), HOST)
    child.kill()
    child.wait()
    assert world.pass_time(10) == {}
    assert world.state(info) is State.GONE


def test_a_zombie_is_gone(world: World, child: subprocess.Popen[bytes]) -> None:
    info = world.snapshot(_program(child.pid), HOST)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert world.pass_time(10) == {}
    assert world.state(info) is State.GONE


def test_one_of_another_host_may_merely_be_cut_off(world: World) -> None:
    info = world.snapshot(_program(os.getpid()), "elsewhere")
    assert world.pass_time(20) == {}
    assert (world.state(info), world.live.not_answered()) == (State.SILENT, [info.id])
    world.pass_time(60)
    assert world.state(info) is State.GONE


def test_a_collector_that_slept_accuses_nobody(world: World, child: subprocess.Popen[bytes]) -> None:
    world.speaks(_program(child.pid))
    world.pass_time(2)
    world.now_ns += 3600 * SECOND
    assert world.pass_time(5) == {}
    assert world.pass_time(3) != {}


def test_another_program_in_its_place_is_not_the_process(world: World) -> None:
    """`exec` keeps the pid and the time of the start: entry points of containers, reloaders."""
    then = "print(1, flush=True); input()"
    again = f"import os, sys; {then}; os.execv(sys.executable, [sys.executable, '-c', {then!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", again], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        info = world.speaks(_program(child.pid))
        assert world.state(info) is State.LIVE
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()
        assert world.pass_time(20) == {}
        assert world.state(info) is State.GONE
        child.kill()


def test_who_spoke_for_a_moment_alone_may_have_become_another_program_before_it_was_looked_at(
    world: World, child: subprocess.Popen[bytes]
) -> None:
    info = world.snapshot(_program(child.pid), HOST)
    assert world.pass_time(20) == {}
    assert world.live.not_answered() == [info.id], "said, but no alarm"


def test_a_pid_that_was_given_again_is_not_the_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    try:
        info = ProcessInfo("a", "shop", child.pid, HOST, "")
        assert is_alive(info) is True
        assert is_alive(info, first_seen_ns=BEGIN - 100 * 365 * 86_400 * SECOND) is False
        assert is_alive(replace(info, host="elsewhere")) is None
    finally:
        child.kill()
        child.wait()


def test_the_word_of_a_sidecar(world: World) -> None:
    program = _program(7)
    info = world.snapshot(program, "elsewhere")
    world.pass_time(3)
    world.silence.reported(info, _record(since_ns=BEGIN + 1), world.now_ns)
    (finding,) = world.pass_time(0.5).values()
    assert (finding.level, finding.title) == (Level.SUSPECT, "shop (pid 7) is silent: it runs")
    assert (finding.since_ns, finding.look_at) == (BEGIN + 1, "app.py:3")
    assert "regular expression" in finding.advice
    for _ in range(20):  # it repeats itself, and the process is neither gone nor forgotten
        world.live.seen(info, world.now_ns)
        world.silence.reported(info, _record(since_ns=BEGIN + 1), world.now_ns)
        assert len(world.pass_time(10)) == 1
    assert world.state(info) is State.SILENT
    world.snapshot(program, "elsewhere")
    assert world.pass_time(0.5) == {}


def test_what_may_be_over_by_now_is_not_said_of_a_silent_process(world: World) -> None:
    info = world.snapshot(_program(7), "elsewhere")
    for kind, level in ((FindingKind.LOOP_BLOCKED, Level.SUSPECT), (FindingKind.DEADLOCK, Level.PROVEN)):
        finding = Finding(f"{kind}:1", kind, level, "said before", BEGIN, ["task:1"])
        world.findings.reported(info.id, FindingRecord(finding, 0, "open", "", "", world.now_ns), world.now_ns)
    kinds = [FindingKind.DEADLOCK, FindingKind.LOOP_BLOCKED]
    assert [entry.finding.kind for entry in world.findings.open()] == kinds
    world.silence.reported(info, _record(), world.now_ns)
    world.findings.update_silent(world.silence.step(world.now_ns), world.now_ns)
    assert [entry.finding.kind for entry in world.findings.open()] == [FindingKind.DEADLOCK, FindingKind.PROCESS_SILENT]
    world.findings.update_silent({}, world.now_ns)
    assert [entry.finding.kind for entry in world.findings.open()] == kinds, "it speaks: the next look decides"


def test_it_speaks_again_or_its_sidecar_is_gone(world: World) -> None:
    info = world.snapshot(_program(7), "elsewhere")
    world.silence.reported(info, _record(), world.now_ns)
    assert len(world.pass_time(1)) == 1
    world.silence.reported(info, _record(until_ns=BEGIN + SECOND), world.now_ns)
    assert world.pass_time(1) == {}
    world.silence.reported(info, _record(), world.now_ns)
    assert len(world.pass_time(30)) == 1
    assert world.pass_time(10) == {}


def test_an_end_without_a_goodbye(world: World) -> None:
    info = world.snapshot(_program(7), "elsewhere")
    other = replace(info, pid=8)
    world.silence.reported(other, _record(state="defunct", title="another"), world.now_ns)
    assert world.state(info) is State.LIVE, "a forked copy of it ended"
    world.silence.reported(info, _record(state="defunct", title="it ended without a goodbye"), world.now_ns)
    assert world.pass_time(0.5) == {}
    assert world.state(info) is State.LIVE, "it spoke just now, and anybody may say that it ended"
    world.pass_time(7)
    assert world.state(info) is State.GONE
    assert world.live.processes()[info.id].farewell == "it ended without a goodbye"
    world.snapshot(replace(_program(7), stream_id=99), "elsewhere")
    assert (world.state(info), world.live.processes()[info.id].farewell) == (State.LIVE, "")


def test_a_forked_copy_with_the_identity_of_its_parent(world: World) -> None:
    world.snapshot(_program(7), "elsewhere")
    world.now_ns += SECOND
    child = world.snapshot(replace(_program(8), stream_id=2), "elsewhere")
    parent = world.snapshot(replace(_program(7), sequence=1), "elsewhere")  # speaks on: two graphs
    copy, original = world.live.processes()
    assert (copy, original) == (child.id, f"{parent.id}/{_program(7).stream_id:016x}")
    for info, key in ((parent, original), (child, copy)):
        world.silence.reported(info, _record(), world.now_ns)
        assert list(world.pass_time(0.5)) == [key]
        world.silence.reported(info, _record(until_ns=BEGIN), world.now_ns)


def _event(attributes: dict[str, Any], body: Any = "it is silent\nlast heard of …") -> Any:
    found = logs_request(event("peeps.stacks", attributes, body), source=_resource())
    (decoded,) = decode_logs(found, BEGIN)
    return decoded


def _resource() -> Resource:
    made = resource()
    assert isinstance(made.attributes[0], KeyValue)
    return made


def test_the_event_is_decoded() -> None:
    stack = '  File "/app/a.py", line 9, in <module>\n  File "/app/a.py", line 3, in parse'
    decoded = _event(
        {
            "peeps.silent.since": 5,
            "process.state": "running",
            "code.stacktrace": stack,
            "code.file.path": "/app/a.py",
            "code.line.number": 3,
        }
    )
    (record,) = decoded.records
    assert isinstance(record, SilenceRecord)
    assert (record.title, record.place, record.since_ns, record.until_ns) == ("it is silent", "/app/a.py:3", 5, None)
    assert [(f.function, f.line) for f in record.stack] == [("<module>", 9), ("parse", 3)]
    assert not record.ended
    assert len(decoded.rows) == 1, "and it is a row of the table `log` with all stacks"


@pytest.mark.parametrize(
    ("attributes", "body", "reason"),
    [({}, "text", "peeps.silent.since is missing"), ({"peeps.silent.since": 1}, 7, "the body is not text")],
)
def test_a_bad_event_is_rejected(attributes: dict[str, Any], body: Any, reason: str) -> None:
    decoded = _event(attributes, body)
    assert decoded.records == []
    assert reason in decoded.rejected[0]
