# SPDX-License-Identifier: Apache-2.0
"""Bytes that stand still: whoever waits to write is told, with who has the other end; rings of them are deadlocks."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _socket(world: World, name: str, still: bool = True) -> str:
    """A connection at which nothing has moved since START."""
    known = "asyncio._SelectorSocketTransport"
    if not still:
        return world.resource(NodeKind.IO, name, providers=Providers.OPEN, peeps__resource__type=known)
    return world.resource(
        NodeKind.IO,
        name,
        providers=Providers.OPEN,
        peeps__resource__type=known,
        peeps__io__unmoved_since=START,
        peeps__io__unsent=2_000_000,
    )


def test_an_end_that_nobody_here_has() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80"), operation="stream.drain")
    world.task("main", "task:writer", operation="task")
    said = "writer waits to write to a socket to 10.0.0.1:80, but the other end reads nothing"
    assert diagnose(world, after=4 * SECOND) == []
    assert brief(diagnose(world, after=10 * SECOND)) == [("peer_not_reading", "SLOW", said)]
    assert brief(diagnose(world, after=20 * SECOND)) == [("peer_not_reading", "SLOW", said)]
    (finding,) = diagnose(world, after=40 * SECOND)
    assert (finding.kind, finding.level, finding.title) == ("peer_not_reading", "SUSPECT", said)
    assert finding.blocked == ["task:main"]


def test_bytes_that_move_are_nothing() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80", still=False), operation="stream.drain")
    assert diagnose(world, after=100 * SECOND) == []


def test_a_reader_that_is_in_something_else() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80"), operation="stream.drain")
    world.resource(NodeKind.IO, "db", providers=Providers.OPEN)
    world.task("reader", "io:db", operation="stream.read")
    world.touches("task:reader", "io:10.0.0.1:80")
    ((kind, level, title),) = brief(diagnose(world, after=20 * SECOND))
    assert (kind, level) == ("peer_not_reading", "SUSPECT")
    assert title == (
        "writer waits to write to a socket to 10.0.0.1:80, but reader, which has the other end, reads nothing: "
        "it waits for io db at app/work.py:4"
    )


def test_a_reader_that_goes_on_may_only_be_slow() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80"), operation="stream.drain")
    world.task("reader", deadline=START + 61 * SECOND, since=START + 59 * SECOND, operation="sleep")
    world.touches("task:reader", "io:10.0.0.1:80")
    assert [level for _, level, _ in brief(diagnose(world, after=60 * SECOND))] == ["SLOW"]


def test_two_ends_that_both_write() -> None:
    world = World()
    for name, other in (("left", "right"), ("right", "left")):
        world.task(name, _socket(world, f"{other}:1"), operation="stream.drain")
        world.touches(f"task:{other}", f"io:{other}:1")
    (finding,) = diagnose(world, after=10 * SECOND)
    assert (finding.kind, finding.level) == ("deadlock", "LIKELY")
    assert finding.title == (
        "left waits to write to a socket to right:1, whose other end right has, "
        "which waits to write to a socket to left:1, whose other end left has"
    )
    assert finding.advice.startswith("Both ends write, and neither reads")


def test_a_reader_that_waits_for_a_lock_behind_the_writer() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80"), operation="stream.drain")
    world.task("reader", "lock:state")
    world.lock("state", "task:main")
    world.task("main", "task:writer", operation="task")
    world.touches("task:reader", "io:10.0.0.1:80")
    (finding,) = diagnose(world, after=10 * SECOND)
    assert (finding.kind, finding.level) == ("deadlock", "LIKELY")
    assert finding.advice.startswith("Whoever should read waits for the writer")


def test_a_child_that_has_filled_its_pipe() -> None:
    world = World()
    world.resource(
        NodeKind.COMMAND,
        "convert",
        providers=Providers.OPEN,
        peeps__command__pid=4711,
        peeps__command__full_pipe="its stdout",
        peeps__io__unmoved_since=START,
    )
    world.thread("MainThread", "command:convert", operation="process.wait")
    assert brief(diagnose(world, after=20 * SECOND)) == [
        (
            "peer_not_reading",
            "SUSPECT",
            "MainThread waits for the end of convert (pid 4711), which has filled its stdout, and nobody reads that",
        )
    ]


def test_a_lock_that_the_writer_holds_belongs_to_the_same_finding() -> None:
    world = World()
    world.task("writer", _socket(world, "10.0.0.1:80"), operation="stream.drain")
    world.lock("wire", "task:writer")
    world.task("other", "lock:wire")
    (finding,) = diagnose(world, after=20 * SECOND)
    assert (finding.kind, finding.blocked) == ("peer_not_reading", ["task:other"])
