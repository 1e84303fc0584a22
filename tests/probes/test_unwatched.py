# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody watches, at the other end of a pipe: what they wait for, if that is known of all who have it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, NodeKind
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.internals import end_names, other_process
from peeps_otel.probes.internals.other_process import READ, WAIT, WRITE
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.unwatched import Unwatched
from tests.probes.program import SECOND
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are seen through /proc")


@contextmanager
def _started(*command: str) -> Generator[tuple[int, int, int]]:
    """A process with pipes to us: its pid, our end of its input, and of its output."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.pid, process.stdin.fileno(), process.stdout.fileno()
        finally:
            process.kill()


def _does(pid: int) -> str:
    found = other_process.sleeper(pid)
    return "" if found is None else found.does


def _fill(fd: int) -> None:
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, bytes(4096))


def _seen(unwatched: Unwatched, fd: int, second: int) -> Observation:
    observation = Observation()
    unwatched.look(end_names.of_descriptors([fd]), second * SECOND)
    unwatched.show(observation)
    return observation


def _told(observation: Observation) -> list[tuple[str, str, str]]:
    """Who waits, in what, and for what."""
    nodes = observation.nodes
    return sorted(
        (node.name, node.wait.operation, nodes[edge.dst].name.partition(" (")[0])
        for node in nodes.values()
        if node.wait is not None
        for edge in observation.edges[node.id]
        if edge.kind is EdgeKind.NEEDS
    )


def _far(observation: Observation) -> list[str]:
    """Who could end a wait for the end that they have."""
    nodes = observation.nodes
    return sorted(
        nodes[edge.dst].name.partition(" (")[0]
        for node in nodes.values()
        if semconv.IO_IS_FAR in node.attributes
        for edge in observation.edges[node.id]
        if edge.kind is EdgeKind.COULD_END
    )


def test_a_program_that_waits_to_write_while_we_write_to_it() -> None:
    with _started("cat") as (pid, stdin, stdout):
        eventually(lambda: _fill(stdin) or _does(pid) == WRITE)
        unwatched = Unwatched(NodeIds())
        seen = _seen(unwatched, stdin, 100)
        assert (_told(seen), _far(seen)) == ([("cat", "file.write", "its stdout")], ["cat"])
        (end,) = [node for node in seen.nodes.values() if node.name.startswith("its stdout")]
        assert end.attributes[semconv.IO_THERE] == end_names.of_descriptors([stdout])[stdout].here
        assert _seen(unwatched, stdin, 110).nodes == seen.nodes
        os.read(stdout, 65536)  # it goes on: a new wait
        eventually(lambda: _fill(stdin) or _does(pid) == WRITE)
        later = _seen(unwatched, stdin, 120)
        assert later.nodes.keys() == seen.nodes.keys()
        (before,), (after,) = ([n for n in o.nodes.values() if n.kind is NodeKind.THREAD] for o in (seen, later))
        assert after.steps != before.steps
        unwatched.look({}, 130 * SECOND)
        assert _seen(unwatched, stdin, 131).nodes == {}


def test_a_program_that_waits_for_its_input_while_we_wait_for_its_output() -> None:
    with _started("cat") as (pid, stdin, stdout):
        eventually(lambda: _does(pid) == READ)
        seen = _seen(Unwatched(NodeIds()), stdout, 100)
        assert (_told(seen), _far(seen)) == ([("cat", "file.read", "its stdin")], ["cat"])
        (end,) = [node for node in seen.nodes.values() if node.name.startswith("its stdin")]
        assert end.attributes[semconv.IO_THERE] == end_names.of_descriptors([stdin])[stdin].here


def test_a_shell_goes_on_when_its_child_does() -> None:
    with _started("sh", "-c", "cat; true") as (pid, _, stdout):
        eventually(lambda: [_does(one) for one in (pid, *other_process.children_of(pid))] == [WAIT, READ])
        seen = _seen(Unwatched(NodeIds()), stdout, 100)
        assert _told(seen) == [("cat", "file.read", "its stdin"), ("sh", "process.wait", "cat")]
        assert _far(seen) == ["cat", "sh"]


def test_one_of_which_it_is_not_known_what_it_waits_for_is_left_out() -> None:
    with _started("sleep", "60") as (_, _, stdout):
        assert _seen(Unwatched(NodeIds()), stdout, 100).nodes == {}


def test_so_is_one_whose_output_another_one_has_too() -> None:
    with _started("sh", "-c", "sleep 60 & cat; true") as (pid, _, stdout):
        eventually(lambda: sorted(_does(child) for child in other_process.children_of(pid)) == ["", READ])
        assert _seen(Unwatched(NodeIds()), stdout, 100).nodes == {}
        for child in other_process.children_of(pid):
            os.kill(child, signal.SIGKILL)


def test_an_end_that_we_have_ourselves_too_is_left_out() -> None:
    with _started("cat") as (pid, stdin, stdout):
        eventually(lambda: _does(pid) == READ)
        names = end_names.of_descriptors([stdout])[stdout]
        own = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)
        try:
            unwatched, observation = Unwatched(NodeIds()), Observation()
            unwatched.look({stdout: names}, 100 * SECOND)
            unwatched.show(observation)
            assert observation.nodes == {}
        finally:
            os.close(own)
        assert stdin
