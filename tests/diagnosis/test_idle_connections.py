# SPDX-License-Identifier: Apache-2.0
"""Two who read from each other over a connection, and who waits for an answer that should have come over it."""

from __future__ import annotations

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, diagnose


def _could_end(world: World, thing: str, *able: str) -> None:
    world.nodes[thing].attributes[semconv.COULD_END_ASKED] = START
    world.edges += [Edge(EdgeKind.COULD_END, thing, one) for one in able]


def _two_ends(world: World, *writers: str) -> None:
    """A device and a listener, each of which reads what the other would write; `writers`: who also could, to the
    device."""
    for name in ("to-device", "to-client"):
        world.resource(NodeKind.IO, name, providers=Providers.OPEN, peeps__resource__type="asyncio.socket")
    world.task("device", "io:to-client", operation="stream.read", since=START - SECOND)
    world.task("listener", "io:to-device", operation="stream.read")
    _could_end(world, "io:to-client", "task:listener", *writers)
    _could_end(world, "io:to-device", "task:device")


def test_two_idle_ends_are_a_ring_of_their_own() -> None:
    world = World()
    _two_ends(world)
    (finding,) = diagnose(world, after=30 * SECOND)
    assert {"task:device", "task:listener"} == {step.waiter for step in finding.evidence}
    assert finding.advice.startswith("Each end reads and waits for the other to write")


def test_an_answer_that_was_lost_is_told_by_who_waits_for_it() -> None:
    world = World()
    _two_ends(world, "task:second")
    reply = world.resource(NodeKind.FUTURE, "reply", providers=Providers.OPEN)
    _could_end(world, reply, "task:listener")
    world.lock("turn", "task:first")
    world.task("first", reply, operation="future")
    world.task("second", "lock:turn")
    (finding,) = diagnose(world, after=30 * SECOND)
    assert finding.title == (
        "device waits for a socket to to-client, which second could write to, which waits for Lock turn, held by "
        "first, which waits for future reply, which only listener could complete, which waits for a socket to "
        "to-device, which only device could write to"
    )
    wait = world.nodes["task:first"].wait
    assert wait is not None
    assert finding.look_at == wait.source
    assert finding.advice == (
        "Nothing is on its way over the connection, and first still waits for an answer: it was never sent, or "
        "listener has passed over it. Complete that wait in every branch, also with an error, and give it a timeout."
    )
