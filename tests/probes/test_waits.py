# SPDX-License-Identifier: Apache-2.0
"""Every primitive of asyncio: what its waiter is seen to do, for whom, since when, and on which line."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from peeps_otel.model import EdgeKind, Frame
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import SECOND, kept, running, started
from tests.probes.wait_cases import (
    CASES,
    OLD_WAIT_FOR,
    Expected,
    async_generator,
    future,
    future_later,
    place,
    process_communicate,
    process_wait,
    socket_accept,
    socket_recv,
    wait_for,
    wait_for_anonymous,
    wait_for_cancelling,
)
from tests.support.waiting import forever


@pytest.mark.parametrize(("case", "expected"), CASES, ids=[case.__name__ for case, _ in CASES])
def test_a_primitive(
    probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]], expected: Expected
) -> None:
    before = time.time_ns()
    with running(probe, case, loop_kind) as program:
        seen = program.until(lambda seen: seen.operation("waiter") == expected.operation)
        seen = program.settled("waiter")
        after = time.time_ns()
        for function in (one for one in kept if isinstance(one, type(print)) or type(one).__name__ == "method"):
            program.call(function)
    node = seen.task("waiter")
    wait = node.wait
    assert wait is not None
    edges = [edge for edge in seen.edges if edge.src == node.id and edge.kind == "needs"]
    found = Expected(
        wait.operation,
        seen.needs("waiter"),
        wait.needs,
        any(edge.cancels for edge in edges),
        wait.deadline_ns is not None,
        wait.exact,
    )
    assert found == expected
    assert all(edge.cancels == expected.cancels for edge in edges)
    assert wait.source == place(case)
    assert node.state == "waiting"
    assert before <= wait.since_ns <= after
    assert before <= node.created_at <= after
    if wait.deadline_ns is not None:
        assert before + 59 * SECOND < wait.deadline_ns < after + 61 * SECOND


@pytest.mark.parametrize(
    ("case", "operation"),
    [(socket_recv, "socket.recv"), (socket_accept, "socket.accept")],
    ids=["recv", "accept"],
)
def test_a_socket_by_itself(
    probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]], operation: str
) -> None:
    operation = "socket" if loop_kind == "uvloop" else operation
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        connection = next(thing for thing in kept if isinstance(thing, socket.socket))
        assert seen.operation("waiter") == operation
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        assert (node.kind, node.attributes["peeps.io.fd"]) == ("io", connection.fileno())
        if case is socket_accept:
            assert node.name == f"at 127.0.0.1:{connection.getsockname()[1]}"


@pytest.mark.parametrize("case", [process_wait, process_communicate])
def test_a_child_process(probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]]) -> None:
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        expected = "subprocess.wait" if case is process_wait else "subprocess.communicate"
        assert seen.operation("waiter") == expected
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        kill: Any = next(thing for thing in kept if getattr(thing, "__name__", "") == "kill")
        # uvloop keeps nowhere what it started.
        assert (node.kind, node.name) == ("command", "sleep" if loop_kind == "asyncio" else f"pid {kill.__self__.pid}")
        assert node.attributes["peeps.command.pid"] == kill.__self__.pid
        assert node.providers == "open"
        wait = seen.task("waiter").wait
        assert wait is not None
        assert wait.source == place(case)
        program.call(kill)
        # Otherwise its transport outlives the loop, and complains in some later test.
        asyncio.run_coroutine_threadsafe(kill.__self__.wait(), program.loop).result(60)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="a server only counts its connections before")
def test_a_server_that_is_closed_waits_for_the_handlers_of_its_connections(probe: AsyncioProbe) -> None:
    async def serve() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            current = asyncio.current_task()
            assert current is not None
            current.set_name("echo")
            writer.write(b"hello\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        kept.append(writer.close)
        await reader.readline()
        server.close()
        closing.append(asyncio.create_task(server.wait_closed(), name="waiter"))

    closing: list[asyncio.Task[None]] = []
    with running(probe, serve, "asyncio") as program:
        seen = program.settled("waiter")
        assert (seen.operation("waiter"), seen.needs("waiter")) == ("server.close", ["task echo"])
        (close,) = kept
        program.call(close)


def test_a_connection_shows_its_peer(probe: AsyncioProbe, loop_kind: str) -> None:
    ports: list[int] = []

    async def main() -> None:
        server = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        kept.extend([server, writer])

        async def waiter() -> None:
            await reader.readline()

        started(waiter())

    with running(probe, main, loop_kind) as program:
        seen = program.settled("waiter")
        (edge,) = seen.edges_of(EdgeKind.NEEDS, "task waiter")
        node = seen.nodes[edge.dst]
        program.call(lambda: [thing.close() for thing in kept if hasattr(thing, "close")])
    assert node.name == f"127.0.0.1:{ports[0]}"
    assert node.attributes["network.peer.address"] == "127.0.0.1"
    assert node.attributes["network.peer.port"] == ports[0]
    assert isinstance(node.attributes["peeps.io.fd"], int)


def test_a_timer_of_the_program_is_a_deadline(probe: AsyncioProbe) -> None:
    before = time.time_ns()
    with running(probe, future_later) as program:
        wait = program.settled("waiter").task("waiter").wait
    assert wait is not None
    assert wait.operation == "future"
    assert wait.deadline_ns is not None
    assert before + 59 * SECOND < wait.deadline_ns < time.time_ns() + 61 * SECOND


@pytest.mark.skipif(not OLD_WAIT_FOR, reason="since 3.12 wait_for waits in the task itself")
def test_wait_for_after_its_time(probe: AsyncioProbe) -> None:
    with running(probe, wait_for_cancelling) as program:
        seen = program.settled("waiter")
        wait = seen.task("waiter").wait
    assert wait is not None
    assert (wait.operation, seen.needs("waiter"), wait.deadline_ns) == ("wait_for.cancel", ["task one"], None)
    assert seen.task("one").attributes["peeps.task.cancel_requests"] == 1


@pytest.mark.parametrize("anonymous", [False, True])
def test_wait_for(probe: AsyncioProbe, loop_kind: str, anonymous: bool) -> None:
    """Until 3.11 it runs what it waits for in a task of its own, since 3.12 in the waiter's."""
    case = wait_for_anonymous if anonymous else wait_for
    with running(probe, case, loop_kind) as program:
        seen = program.settled("waiter")
        wait = seen.task("waiter").wait
        assert wait is not None
        assert wait.deadline_ns is not None
        if OLD_WAIT_FOR:
            (inner,) = seen.needs("waiter")
            assert wait.operation == "wait_for"
            waiter = program.settled(inner.removeprefix("task ")).task(inner.removeprefix("task "))
            assert waiter.name.startswith("Event.wait (Task-")
            if loop_kind == "asyncio":  # uvloop's `create_task` is C, and `ensure_future` calls it directly
                assert waiter.source == place(case)
                assert waiter.attributes["peeps.task.parent"] == seen.task("waiter").id
        else:
            assert wait.operation == "event.wait"
            assert seen.needs("waiter") == (["event "] if anonymous else ["event ready"])
        assert wait.source == place(case)


def test_the_stack_is_the_chain_of_awaits(probe: AsyncioProbe, loop_kind: str) -> None:
    with running(probe, async_generator, loop_kind) as program:
        stack = program.settled("waiter").task("waiter").stack
    file, _, line = place(async_generator).rpartition(":")
    assert stack[:2] == (
        Frame("async_generator.<locals>.waiter", file, int(line) + 4, ""),
        Frame("async_generator.<locals>.numbers", file, int(line), ""),
    )
    assert stack[2]._replace(line=None) == Frame("Event.wait", asyncio.locks.__file__, None, "Python")
    assert len(stack) == 3


def test_a_running_task_waits_for_nothing(probe: AsyncioProbe, loop_kind: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    async def blocking() -> None:
        entered.set()
        leave.wait(30)

    async def main() -> None:
        started(blocking(), "blocking")
        started(forever(), "never begun")

    with running(probe, main, loop_kind) as program:
        assert entered.wait(30)
        seen = program.look()
        leave.set()
    assert (seen.task("blocking").state, seen.task("blocking").wait) == ("running", None)
    assert (seen.task("never begun").state, seen.task("never begun").wait) == ("runnable", None)


def test_a_woken_task_is_runnable_before_the_loop_comes_to_it(probe: AsyncioProbe, loop_kind: str) -> None:
    entered, leave = threading.Event(), threading.Event()
    result: list[asyncio.Future[None]] = []

    async def waiting() -> None:
        result.append(asyncio.get_running_loop().create_future())
        await result[0]

    def give_and_block() -> None:
        result[0].set_result(None)
        entered.set()
        leave.wait(30)

    async def main() -> None:
        started(waiting())

    with running(probe, main, loop_kind) as program:
        assert program.settled("waiter").task("waiter").state == "waiting"
        program.loop.call_soon_threadsafe(give_and_block)
        assert entered.wait(30)
        node = program.look().task("waiter")
        leave.set()
    assert (node.state, node.wait) == ("runnable", None)


def test_steps_move_with_progress_and_not_without(probe: AsyncioProbe, loop_kind: str) -> None:
    go_on: list[asyncio.Event] = []

    async def stepping() -> None:
        while True:
            go_on[0].clear()
            await go_on[0].wait()

    async def main() -> None:
        go_on.append(asyncio.Event())
        started(stepping())
        started(forever(), "idle")

    with running(probe, main, loop_kind) as program:
        first = program.settled("waiter", "idle")
        for _ in range(3):
            again = program.look()
            # The same objects: the snapshot tells changes by identity.
            assert again.task("waiter") is first.task("waiter")
            assert again.task("idle") is first.task("idle")
        steps = [first.task("waiter").steps or 0]
        for _ in range(3):
            program.call(go_on[0].set)
            steps.append(program.settled("waiter").task("waiter").steps or 0)
        assert 0 not in steps
        assert steps == sorted(set(steps))
        assert program.look().task("idle") is first.task("idle")


def test_a_wait_that_is_not_recorded_is_bounded_by_looks(probe: AsyncioProbe) -> None:
    with running(probe, future) as program:
        first = program.settled("waiter").task("waiter").wait
        second = program.look().task("waiter").wait
    assert first is not None
    assert second is not None
    assert (first.exact, first.since_ns) == (False, second.since_ns)
