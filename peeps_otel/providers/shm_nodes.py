# SPDX-License-Identifier: Apache-2.0
"""Segments, peers, slots and queues of a shared memory that were reported, as nodes and edges of the wait graph.

A slot class is a `semaphore` and a ring or queue a `tx`, for that is what they are to who waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, NodeKind
from .picture import Around, Canvas, as_json
from .rpc_nodes import SEND
from .shm import Peer, Queue, Segment, ShmReport, Slots

_ACQUIRE = "semaphore.acquire"
_Attributes = dict[str, AttributeValue | None]


def draw(report: ShmReport, canvas: Canvas, around: Around) -> None:
    """Adds all of it to the canvas."""
    segments = {one.name: _segment(one, canvas, around) for one in report.segments}
    for peer in report.peers:
        _peer(peer, canvas, around, segments)
    for slots in report.slots:
        _slots(slots, canvas, around, segments)
    for queue in report.queues:
        _queue(queue, canvas, around, segments)


def _segment(one: Segment, canvas: Canvas, around: Around) -> str:
    attributes: _Attributes = {
        semconv.SHM_PART: "segment",
        semconv.SHM_SIZE: one.size,
        semconv.SHM_USED: one.used,
        semconv.SHM_PEERS_MOST: one.most_peers,
        semconv.SHM_OWNER: one.owner,
        semconv.SHM_GOODBYE: one.goodbye,
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    return canvas.put(NodeKind.SHM, (one.name,), one.name, attributes, created_ns=one.created_ns or around.now_ns)


def _peer(one: Peer, canvas: Canvas, around: Around, segments: Mapping[str, str]) -> None:
    name = one.name or f"peer {one.id}"
    attributes: _Attributes = {
        semconv.SHM_PART: "peer",
        semconv.SHM_SEGMENT: one.segment,
        semconv.SHM_PEER: one.id,
        semconv.SHM_PEER_PID: one.pid,
        semconv.SHM_EPOCH: one.epoch,
        semconv.SHM_HEARTBEAT_AT: one.heartbeat_ns,
        semconv.SHM_RING_OUT_CAPACITY: one.ring_out_capacity,
        semconv.SHM_RING_OUT_USED: one.ring_out_used,
        semconv.SHM_RING_IN_CAPACITY: one.ring_in_capacity,
        semconv.SHM_RING_IN_USED: one.ring_in_used,
        semconv.SHM_PENDING_SLOTS: one.pending_slots,
        semconv.SHM_CALLS_SENT: one.calls_sent,
        semconv.SHM_CALLS_RECEIVED: one.calls_received,
        semconv.SHM_BYTES_SENT: one.bytes_sent,
        semconv.SHM_BYTES_RECEIVED: one.bytes_received,
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    peer = canvas.put(NodeKind.SHM, (one.segment, one.id), name, attributes, created_ns=around.now_ns, state=one.state)
    canvas.draw(peer, _in(peer, one.segment, segments))
    waiting = around.ids(one.waiting)
    if waiting or one.ring_out_capacity is not None:
        ring: _Attributes = {
            semconv.CHANNEL_TYPE: "ring",
            semconv.SHM_SEGMENT: one.segment,
            semconv.SHM_PEER: one.id,
            semconv.CHANNEL_WAITERS: len(waiting),
        }
        # In bytes, and who waits may need more of them than are free: no length that would say there is room.
        tx = canvas.put(NodeKind.TX, ("ring", one.segment, one.id), f"ring to {name}", ring, created_ns=around.now_ns)
        canvas.draw(tx, [Edge(EdgeKind.TOUCHES, tx, peer, confidence=Confidence.INFERRED)])
        canvas.wait(waiting, tx, SEND)


def _slots(one: Slots, canvas: Canvas, around: Around, segments: Mapping[str, str]) -> None:
    waiting = around.ids(one.waiting)
    attributes: _Attributes = {
        semconv.SHM_PART: "slots",
        semconv.SHM_SEGMENT: one.segment,
        semconv.SHM_SLOT_SIZE: one.size,
        semconv.SEMAPHORE_PERMITS: one.total,
        semconv.SEMAPHORE_AVAILABLE: one.free,
        semconv.RESOURCE_TYPE: "slots",
        semconv.RESOURCE_WAITERS: len(waiting),
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    node_id = canvas.put(
        NodeKind.SEMAPHORE,
        (one.segment, one.size),
        f"slots of {one.size} bytes in {one.segment}",
        attributes,
        created_ns=around.now_ns,
    )
    canvas.draw(node_id, _in(node_id, one.segment, segments))
    canvas.wait(waiting, node_id, _ACQUIRE)


def _queue(one: Queue, canvas: Canvas, around: Around, segments: Mapping[str, str]) -> None:
    waiting = around.ids(one.waiting)
    attributes: _Attributes = {
        semconv.SHM_PART: "queue",
        semconv.SHM_SEGMENT: one.segment,
        semconv.CHANNEL_TYPE: "queue",
        semconv.CHANNEL_LENGTH: one.length,
        semconv.CHANNEL_CAPACITY: one.capacity,
        semconv.CHANNEL_WAITERS: len(waiting),
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    node_id = canvas.put(NodeKind.TX, ("queue", one.segment, one.name), one.name, attributes, created_ns=around.now_ns)
    canvas.draw(node_id, _in(node_id, one.segment, segments))
    canvas.wait(waiting, node_id, SEND)
    canvas.use(around.ids(one.users), node_id)


def _in(node_id: str, segment: str | None, segments: Mapping[str, Any]) -> list[Edge]:
    known = segments.get(segment or "")
    return [] if known is None else [Edge(EdgeKind.TOUCHES, node_id, known, confidence=Confidence.INFERRED)]
