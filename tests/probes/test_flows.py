# SPDX-License-Identifier: Apache-2.0
"""Connections and pipes at which nothing moves: how much stands there, since when, and who has the other end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress

import pytest

from peeps_otel import semconv
from peeps_otel.model.operations import operation
from peeps_otel.probes.ends import Ends
from peeps_otel.probes.flows import Flows
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.internals import asyncio_io, queued_bytes
from tests.probes.program import SECOND
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's queues are read as Linux tells them")

_SEND, _DRAIN, _WAIT = operation("socket.sendall"), operation("stream.drain"), operation("process.wait")


@contextmanager
def _connected() -> Generator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            yield near, far


def _fill(near: socket.socket) -> None:
    """Until the kernel takes nothing more, also none of what was still on its way."""
    near.setblocking(False)
    stood = [-1]

    def is_full() -> bool:
        with suppress(BlockingIOError):
            while True:
                near.send(bytes(100_000))
        stood.append(queued_bytes.unsent(near) or 0)
        return len(stood) > 5 and len(set(stood[-5:])) == 1

    eventually(is_full)


def _seen(flows: Flows, thing: object, *at_s: float) -> dict[str, object]:
    for second in at_s:
        flows.look(int(second * SECOND))
    return dict(flows.of(thing, int(at_s[-1] * SECOND)))


def test_what_stands_still_is_said_once_it_has_for_some_seconds() -> None:
    with _connected() as (near, _):
        _fill(near)

        def from_its_start() -> dict[str, object]:
            flows = Flows(Ends(NodeIds()))
            flows.waited_for(near, _SEND, "io:near")
            assert _seen(flows, near, 100, 101) == {}
            return _seen(flows, near, 102, 105)

        still = eventually(from_its_start)  # the kernel may still be moving what was sent
        assert still[semconv.IO_UNMOVED_SINCE] == 101 * SECOND  # when what the other end has received was first asked
        unsent = still[semconv.IO_UNSENT]
        assert isinstance(unsent, int)
        assert unsent > 0


def test_an_end_that_reads_a_little_moves_though_nothing_more_can_be_sent() -> None:
    with _connected() as (near, far):
        _fill(near)
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(near, _SEND, "io:near")
        at = iter(range(100, 100_000, 4))
        eventually(lambda: _seen(flows, near, next(at), next(at)))  # the kernel may still be moving what was sent
        assert far.recv(10) == bytes(10)
        assert _seen(flows, near, next(at)) == {}


def test_a_connection_that_was_emptied_is_forgotten() -> None:
    with _connected() as (near, far):
        _fill(near)
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(near, _SEND, "io:near")
        flows.look(100 * SECOND)
        near.setblocking(True)
        far.setblocking(False)

        def drained() -> bool:
            with suppress(BlockingIOError):
                while far.recv(1_000_000):
                    pass
            flows.look(101 * SECOND)
            return not flows._watched  # pyright: ignore[reportPrivateUsage]  # what is forgotten shows nowhere else

        eventually(drained)


def test_the_other_end_within_the_process_is_found_by_its_names() -> None:
    with _connected() as (near, far), _connected() as (other, _):
        _fill(near)
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(near, _SEND, "io:near")
        at = iter(range(100, 100_000, 4))

        def ends() -> dict[int, str]:
            _seen(flows, near, now := next(at))
            return dict(flows.far_ends(now * SECOND, lambda: [other, near, far]))

        assert eventually(ends) == {id(far): "io:near"}  # the kernel may still be moving what was sent


async def _drain_against_nobody() -> None:
    accepted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(bytes(20_000_000))
    flows = Flows(Ends(NodeIds()))
    flows.loops = lambda: [asyncio.get_running_loop()]
    transport = asyncio_io.transport_of(writer)
    flows.waited_for(transport, _DRAIN, "io:near")
    at = 100
    while not (still := _seen(flows, transport, at, at + 4)) or not accepted:
        assert at < 10_000, "bytes move still"
        await asyncio.sleep(0.05)
        at += 8
    unsent = still[semconv.IO_UNSENT]
    assert isinstance(unsent, int)
    assert 10_000_000 < unsent <= 20_000_000
    (far,) = accepted
    ends = flows.far_ends((at + 4) * SECOND, list)
    assert ends.get(id(asyncio_io.transport_of(far))) == "io:near"
    for one in (writer, far):
        one.transport.abort()
    server.close()


def test_a_transport_and_the_other_end_on_the_same_loop() -> None:
    asyncio.run(_drain_against_nobody())


@pytest.mark.parametrize("fills", [True, False])
def test_a_child_that_fills_its_pipe_or_waits_for_input(fills: bool) -> None:
    program = "import sys; print('x' * 1_000_000 if sys.argv[1] else 'x', flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, "yes" if fills else ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with closing(child.stdout), closing(child.stdin):
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(child, _WAIT, "command:child")
        at = iter(range(100, 100_000, 4))

        def seen() -> dict[str, object]:
            return _seen(flows, child, next(at), next(at))

        try:
            if fills:
                eventually(lambda: semconv.COMMAND_FULL_PIPE in seen())
                assert seen()[semconv.COMMAND_FULL_PIPE] == "its stdout"
            else:
                assert os.read(child.stdout.fileno(), 1) == b"x"
                eventually(lambda: semconv.COMMAND_AWAITS_INPUT in seen())
                assert seen()[semconv.COMMAND_AWAITS_INPUT] == "its stdin"
                assert semconv.COMMAND_FULL_PIPE not in seen()
        finally:
            child.kill()
            child.wait()


def test_a_child_whose_input_somebody_else_could_write_waits_for_no_one_here() -> None:
    """A sibling has inherited the end of the pipe."""
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[writes])
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=reads)
    os.close(reads)
    assert sleeper.stdin is not None
    with closing(sleeper.stdin):
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(child, _WAIT, "command:child")
        flows.waited_for(sleeper, _WAIT, "command:sleeper")
        at = iter(range(100, 100_000, 4))
        try:
            eventually(lambda: semconv.COMMAND_AWAITS_INPUT in _seen(flows, sleeper, next(at), next(at)))
            assert _seen(flows, child, next(at), next(at)) == {}
        finally:
            os.close(writes)
            for one in (child, sleeper):
                one.kill()
                one.wait()


@pytest.mark.parametrize("keeps", [True, False])
def test_a_child_that_has_ended_and_whose_output_another_keeps_open(keeps: bool) -> None:
    where = "" if keeps else ">/dev/null 2>&1"
    program = f"sleep 1000 {where} & until grep -q sleep /proc/$!/comm; do :; done; echo started"
    child = subprocess.Popen(["sh", "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    with closing(child.stdout):
        flows = Flows(Ends(NodeIds()))
        flows.waited_for(child, _WAIT, "command:child")
        at = iter(range(100, 100_000, 4))
        try:
            assert child.stdout.readline() == b"started\n"
            assert child.wait() == 0
            _seen(flows, child, next(at), next(at))
            said = _seen(flows, child, next(at), next(at))
            assert str(said.get(semconv.COMMAND_PIPE_KEPT_BY)).startswith("sleep (pid ") is keeps
        finally:
            os.killpg(child.pid, signal.SIGKILL)
