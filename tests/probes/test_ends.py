# SPDX-License-Identifier: Apache-2.0
"""The two ends of connections and pipes within this host: their names, what stands there, and who is asked for one."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from asyncio import transports
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node
from peeps_otel.model.end_digest import end_digest
from peeps_otel.probes.ends import Ends
from peeps_otel.probes.heap import question
from peeps_otel.probes.heap.answer import BlockedThread
from peeps_otel.probes.heap.ender import Strength, Thing
from peeps_otel.probes.heap.wakers import OF_AN_END
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.internals import end_names
from peeps_otel.probes.probe import Observation
from tests.probes.program import SECOND
from tests.probes.threads_world import Seen, world
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked as Linux answers")


@contextmanager
def tcp(server: str = "127.0.0.1", client: str = "127.0.0.1") -> Generator[tuple[Any, Any]]:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.create_server((server, 0), family=family, dualstack_ipv6=server == "::") as listening:
        near = socket.create_connection((client, listening.getsockname()[1]))
        far, _ = listening.accept()
        with near, far:
            yield near, far


@contextmanager
def dual_stack() -> Generator[tuple[Any, Any]]:
    with tcp("::") as both:
        yield both


@contextmanager
def unix() -> Generator[tuple[Any, Any]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@contextmanager
def pipe() -> Generator[tuple[Any, Any]]:
    near, far = os.pipe()
    with os.fdopen(near, "rb") as reads, os.fdopen(far, "wb") as writes:
        yield reads, writes


@pytest.mark.parametrize("connected", [tcp, dual_stack, unix, pipe])
def test_each_end_is_called_what_the_other_calls_it(connected: Callable[[], Any]) -> None:
    with connected() as (near, far):
        names = end_names.of_descriptors([near.fileno(), far.fileno()])
        here, there = names[near.fileno()], names[far.fileno()]
        assert (here.here, here.there) == (there.there, there.here)
        assert here.here != here.there
        assert end_names.own_ends()[end_digest(here.here)] == (near.fileno(), here)


def test_the_addresses_alone_tell_the_same_names() -> None:
    with tcp() as (near, far):
        (host, port), (_, own) = near.getpeername(), near.getsockname()
        told = end_names.of_connection(near.fileno(), f"127.0.0.1:{own}", host, port)
        assert told == end_names.of_descriptors([near.fileno()])[near.fileno()]
        mapped = end_names.of_connection(far.fileno(), f"[::ffff:127.0.0.1]:{port}", "::ffff:127.0.0.1", own)
        assert mapped == end_names.of_descriptors([far.fileno()])[far.fileno()]


def test_what_has_no_other_end_on_this_host_has_no_names() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, open(os.devnull, "rb") as file:
        assert end_names.of_descriptors([listening.fileno(), file.fileno(), 9999]) == {}
    assert end_names.is_within("10.0.0.1", "10.0.0.1")
    assert not end_names.is_within("10.0.0.1", "10.0.0.2")


def _keep(_end: Any, over: Any) -> None:
    over.wait()


def test_a_child_that_has_an_end_too_is_known() -> None:
    context = multiprocessing.get_context("fork")
    with unix() as (near, _):
        over = context.Event()
        child = context.Process(target=_keep, args=(near, over))
        child.start()
        names = end_names.of_descriptors([near.fileno()])[near.fileno()]
        assert child.pid in eventually(lambda: end_names.also_open_in(names))
        over.set()
        child.join()
        assert child.pid not in end_names.also_open_in(names)


def test_a_child_that_reads_from_a_pipe_has_not_the_end_that_is_written_to() -> None:
    with pipe() as (reads, writes):
        child = subprocess.Popen(["cat"], stdin=reads, stdout=subprocess.DEVNULL)
        names = end_names.of_descriptors([reads.fileno(), writes.fileno()])
        eventually(lambda: end_names.also_open_in(names[reads.fileno()]) == [child.pid])
        assert end_names.also_open_in(names[writes.fileno()]) == []
    child.wait()


# --- who waits --------------------------------------------------------------------------------------------------------


def _looks(ends: Ends, waits: bool, *at_s: int) -> Observation:
    seen = Observation()
    for second in at_s:
        seen = Observation(edges={"task:a": (Edge(EdgeKind.NEEDS, "task:a", "io:x"),) if waits else ()})
        ends.look(seen, second * SECOND)
    ends.show(seen, "thread:{}".format)
    return seen


def test_of_a_wait_that_has_lasted_for_seconds_the_ends_are_told() -> None:
    with tcp() as (near, far):
        ends = Ends(NodeIds())
        ends.waited_for(near, "io:x")
        _looks(ends, True, 100, 102)
        assert ends.of(near) == {}
        _looks(ends, True, 103)
        names = end_names.of_descriptors([near.fileno()])[near.fileno()]
        told = {semconv.IO_HERE: names.here, semconv.IO_THERE: names.there}
        assert ends.of(near) == told | {semconv.IO_UNREAD: 0}
        far.sendall(b"four")
        _looks(ends, True, 104)
        assert ends.of(near) == told | {semconv.IO_UNREAD: 4}
        _looks(ends, False, 105)
        assert ends.of(near) == {}


class _Transport(transports.BaseTransport):
    def __init__(self, fd: int, extra: dict[str, tuple[str, int]]) -> None:
        super().__init__(extra)
        self._sock_fd = fd


def test_a_connection_to_another_host_is_not_looked_at() -> None:
    with tcp() as (near, _):
        addresses = {"peername": ("10.0.0.2", 80), "sockname": ("10.0.0.1", 4000)}
        ends, elsewhere = Ends(NodeIds()), _Transport(near.fileno(), addresses)
        ends.waited_for(elsewhere, "io:x")
        _looks(ends, True, 100, 104)
        assert ends.of(elsewhere) == {}


def test_who_asks_for_an_end_is_shown_it_as_long_as_he_asks_and_it_is_open() -> None:
    near, far = socket.socketpair()
    with far:
        ends = Ends(NodeIds())
        names = end_names.of_descriptors([near.fileno()])[near.fileno()]
        ends.ask(end_digest(names.here))
        ends.ask("0" * 16)
        (node,) = _looks(ends, False, 100).nodes.values()
        assert node.attributes == {
            semconv.RESOURCE_TYPE: "socket.socket",
            semconv.IO_FD: near.fileno(),
            semconv.IO_HERE: names.here,
            semconv.IO_THERE: names.there,
            semconv.IO_IS_FAR: True,
            semconv.IO_IN_FLIGHT: 0,
        }
        assert ends.descriptors() == {node.id: near.fileno()}
        assert _looks(ends, False, 101).nodes == {node.id: node}
        assert _looks(ends, False, 300).nodes == {}
        ends.ask(end_digest(names.here))
        assert len(_looks(ends, False, 400).nodes) == 1
        near.close()
        assert _looks(ends, False, 402).nodes == {}


# --- threads ----------------------------------------------------------------------------------------------------------


def _io(seen: Seen) -> list[Node]:
    return [node for node in seen.nodes.values() if node.kind == "io"]


def test_a_thread_that_reads_from_a_pipe_waits_for_it() -> None:
    with world() as threads, pipe() as (reads, writes):
        threads.start("reader", lambda: reads.read(1))
        threads.cleaning.append(writes.close)
        seen = threads.settled("reader", state="blocked")
        (node,) = _io(seen)
        assert (node.name, node.attributes) == (
            f"fd {reads.fileno()}",
            {semconv.RESOURCE_TYPE: "os.pipe", semconv.IO_FD: reads.fileno()},
        )


def test_a_thread_that_receives_from_another_process_waits_for_the_socket() -> None:
    ours, theirs = multiprocessing.Pipe()
    with world() as threads:
        threads.start("receiver", ours.recv)
        threads.cleaning.append(lambda: theirs.send(1))
        (node,) = _io(threads.settled("receiver", state="blocked"))
        assert (node.attributes[semconv.RESOURCE_TYPE], node.attributes[semconv.IO_FD]) == (
            "socket.socket",
            ours.fileno(),
        )


# --- who has it -------------------------------------------------------------------------------------------------------


def test_the_heap_says_of_a_descriptor_who_could_write_to_it() -> None:
    near, far = socket.socketpair()
    go = threading.Event()

    def answers(connection: socket.socket) -> None:
        go.wait()
        connection.sendall(b"!")

    thread = threading.Thread(target=answers, args=(near,), name="handler")
    thread.start()
    ident = thread.ident
    assert ident is not None
    answer = question.ask([Thing((), "", OF_AN_END, near.fileno())], [BlockedThread(ident, "handler")])
    go.set()
    thread.join()
    with near, far:
        assert answer.not_asked == ""
        (enders,) = answer.enders
        handler = next(one for one in enders if one.key.of == ident)
        assert (handler.strength, handler.name) == (Strength.CODES, "handler")


def test_of_a_descriptor_that_no_object_has_somebody_unknown_may_have_it() -> None:
    reads, writes = os.pipe()
    answer = question.ask([Thing((), "", OF_AN_END, writes)], [])
    os.close(reads)
    os.close(writes)
    assert [one.strength for one in answer.enders[0]] == [Strength.ARMED]
