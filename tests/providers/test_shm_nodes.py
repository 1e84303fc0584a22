# SPDX-License-Identifier: Apache-2.0
"""What is reported of a shared memory: its parts as nodes, and who waits for a slot, a ring or a queue."""

from __future__ import annotations

import asyncio

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, FindingKind, Level, NodeKind
from peeps_otel.providers import Peer, Queue, Segment, ShmReport, Slots
from tests.providers.provider_world import Look, World, a_world, provided

T0 = 1_795_000_000_000_000_000


async def _waits() -> None:
    await asyncio.get_running_loop().create_future()


def _look(late_s: float = 0.0) -> tuple[Look, list[tuple[FindingKind, Level]]]:
    """One task waits for a slot, one for room in the ring to a peer, one to put into a queue."""

    async def main() -> tuple[Look, list[tuple[FindingKind, Level]]]:
        tasks = [asyncio.create_task(_waits(), name=name) for name in ("slot", "ring", "queue")]

        def report() -> ShmReport:
            return ShmReport(
                segments=[Segment(name="/hub", size=1 << 20, most_peers=8, owner="hub", goodbye=False, created_ns=T0)],
                peers=[
                    Peer(id="2", segment="/hub", name="node", pid=17, state="attached", heartbeat_ns=T0),
                    Peer(id="3", segment="/hub", ring_out_capacity=64, ring_out_used=64, waiting=[tasks[1]]),
                ],
                slots=[Slots(size=4096, segment="/hub", total=4, free=0, waiting=(tasks[0],))],
                queues=[Queue(name="jobs", segment="/hub", length=2, capacity=2, waiting=[tasks[2]])],
            )

        await asyncio.sleep(0.05)
        with a_world() as world, provided(report, kind="shm", name="hub"):
            found = world.look(), _told(world, late_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    return asyncio.run(main())


def _told(world: World, late_s: float) -> list[tuple[FindingKind, Level]]:
    return sorted((one.kind, one.level) for one in world.look_late(late_s)) if late_s else []


def test_its_parts_are_nodes() -> None:
    look, _ = _look()
    hub = {semconv.PROVIDER_NAME: "hub"}
    told = {node.name: (node.state, node.attributes) for node in look.of(NodeKind.SHM)}
    assert told == {
        "/hub": (
            None,
            hub
            | {
                semconv.SHM_PART: "segment",
                semconv.SHM_SIZE: 1 << 20,
                semconv.SHM_PEERS_MOST: 8,
                semconv.SHM_OWNER: "hub",
                semconv.SHM_GOODBYE: False,
            },
        ),
        "node": (
            "attached",
            hub
            | {
                semconv.SHM_PART: "peer",
                semconv.SHM_SEGMENT: "/hub",
                semconv.SHM_PEER: "2",
                semconv.SHM_PEER_PID: 17,
                semconv.SHM_HEARTBEAT_AT: T0,
            },
        ),
        "peer 3": (
            None,
            hub
            | {
                semconv.SHM_PART: "peer",
                semconv.SHM_SEGMENT: "/hub",
                semconv.SHM_PEER: "3",
                semconv.SHM_RING_OUT_CAPACITY: 64,
                semconv.SHM_RING_OUT_USED: 64,
            },
        ),
    }
    segment = next(node for node in look.of(NodeKind.SHM) if node.name == "/hub")
    assert segment.created_at == T0
    parts = [node for node in look.observation.nodes.values() if node.attributes.get(semconv.SHM_SEGMENT) == "/hub"]
    assert len(parts) == 5
    on_segment = {node.name for node in parts if segment.id in {edge.dst for edge in look.edges(node.id)}}
    assert on_segment == {"node", "peer 3", "slots of 4096 bytes in /hub", "jobs"}


def test_who_waits_for_a_part_needs_it() -> None:
    look, _ = _look()
    needed = {
        name: [look.observation.nodes[edge.dst].name for edge in look.edges(look.task(name).id) if _needs(edge.kind)]
        for name in ("slot", "ring", "queue")
    }
    assert needed == {"slot": ["slots of 4096 bytes in /hub"], "ring": ["ring to peer 3"], "queue": ["jobs"]}
    waits = [look.task(name).wait for name in ("slot", "ring", "queue")]
    assert [None if wait is None else wait.operation for wait in waits] == [
        "semaphore.acquire",
        "channel.send",
        "channel.send",
    ]


def _needs(kind: EdgeKind) -> bool:
    return kind is EdgeKind.NEEDS


def test_what_has_run_out_for_long_is_suspect_and_no_more() -> None:
    _, told = _look(late_s=60.0)
    # Ring and queue are alike: one finding of two.
    assert told == [(FindingKind.CHANNEL_FULL, Level.SUSPECT), (FindingKind.SEMAPHORE_STARVED, Level.SUSPECT)]
