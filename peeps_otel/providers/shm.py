# SPDX-License-Identifier: Apache-2.0
"""What the owner of a shared memory reports: segments, who is attached, slots and queues.

Times, texts and who waits: as in `rpc`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .rpc import Value, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of memory that processes share. `name`: its path or name, unique within the report. Sizes in bytes.
    `goodbye`: its owner has left it."""

    name: str
    size: int | None = None
    used: int | None = None
    most_peers: int | None = None
    owner: str | None = None
    goodbye: bool | None = None
    created_ns: int | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is attached to a segment. `id`: unique within it. `heartbeat_ns`: when it last gave a sign of life. `ring_…`:
    the bytes that fit into the ring of each direction, and those in it. `waiting`: who waits for room in the ring to
    this peer."""

    id: str
    segment: str
    name: str | None = None
    pid: int | None = None
    state: str | None = None
    epoch: int | None = None
    heartbeat_ns: int | None = None
    ring_out_capacity: int | None = None
    ring_out_used: int | None = None
    ring_in_capacity: int | None = None
    ring_in_used: int | None = None
    pending_slots: int | None = None
    calls_sent: int | None = None
    calls_received: int | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    waiting: Sequence[Worker] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of one size in a segment. `waiting`: who waits for a free one."""

    size: int
    segment: str
    total: int | None = None
    free: int | None = None
    waiting: Sequence[Worker] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue in, or in front of, a segment. `waiting`: who waits to put into it; `users`: who takes from it."""

    name: str
    segment: str | None = None
    length: int | None = None
    capacity: int | None = None
    waiting: Sequence[Worker] = ()
    users: Sequence[Worker] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShmReport:
    """All that there is at one instant."""

    segments: Sequence[Segment] = ()
    peers: Sequence[Peer] = ()
    slots: Sequence[Slots] = ()
    queues: Sequence[Queue] = ()
