# SPDX-License-Identifier: Apache-2.0
"""A Roam shared-memory hub, looked at from outside: a registered provider that reads its file and takes no part.

The file is opened anew for each look, read and closed. It is never mapped: reading a mapped file that somebody shortens
would end this process.
"""

from __future__ import annotations

import os
import stat
import time

from ..providers import Peer, ProviderHandle, Segment, ShmReport, Slots
from ..providers.registered import register
from ..providers.rpc import Value
from . import shm_layout
from .shm_layout import Header, PeerEntry, Read, SegmentError, SlotClass

_DAY_NS = 86_400 * 1_000_000_000
_EMPTY = 0


def watch_segment(path: str) -> ProviderHandle:
    """Reports of the hub whose segment is the file at `path`, until the handle is closed. Any thread. A file that is
    not there or is no hub is a provider fault at each look, not an error here."""
    return register("roam shm", "shm", lambda: read_segment(path), depth=2)


def read_segment(path: str) -> ShmReport:
    """What the file says now. Raises OSError where it cannot be read, `SegmentError` where it is no hub."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SegmentError("no regular file")
        size = os.fstat(descriptor).st_size

        def read(offset: int, count: int) -> bytes:
            return os.pread(descriptor, count, offset) if offset + count <= size else b""

        return _report(path, read)
    finally:
        os.close(descriptor)


def _report(path: str, read: Read) -> ShmReport:
    header = shm_layout.read_header(read)
    table = shm_layout.read_peers(read, header)
    areas = min((entry.rings for entry in table if entry.rings), default=0)
    classes = shm_layout.read_slot_classes(read, header, areas) if header.slot_pool and areas else []
    attributes: dict[str, Value] = {
        "max_payload_size": header.max_payload_size,
        "initial_credit": header.initial_credit,
        "max_channels": header.max_channels,
        "inline_threshold": header.inline_threshold,
    }
    if not classes:
        attributes["slot_classes"] = "not recognised"
    segment = Segment(
        name=path,
        size=header.current_size or header.total_size,
        most_peers=header.max_guests,
        owner="host",
        goodbye=header.host_goodbye != 0,
        attributes=attributes,
    )
    peers = [_peer(path, read, header, entry, classes) for entry in table if entry.state != _EMPTY]
    slots = [Slots(size=one.size, segment=path, total=one.total, free=one.free) for one in classes]
    return ShmReport(segments=[segment], peers=peers, slots=slots)


def _peer(path: str, read: Read, header: Header, entry: PeerEntry, classes: list[SlotClass]) -> Peer:
    to_host, to_guest = shm_layout.read_rings(read, header, entry)
    attributes: dict[str, Value] = {}
    channels = shm_layout.count_channels(read, header, entry)
    if channels is not None:
        attributes["channels"] = channels
    for name, guest in (("next_to_host", False), ("next_to_guest", True)):
        frame = shm_layout.read_next_frame(read, header, entry, guest)
        if frame is not None:
            attributes[name] = f"{frame.message} {frame.id}, {frame.payload_size} bytes"
    known = all(one.free is not None for one in classes) and bool(classes)
    states = shm_layout.PEER_STATES
    return Peer(
        id=str(entry.id),
        segment=path,
        state=states[entry.state] if entry.state < len(states) else str(entry.state),
        epoch=entry.epoch,
        heartbeat_ns=_as_wall_clock(entry.heartbeat),
        ring_out_capacity=None if to_guest is None else to_guest.capacity,
        ring_out_used=None if to_guest is None else to_guest.used,
        ring_in_capacity=None if to_host is None else to_host.capacity,
        ring_in_used=None if to_host is None else to_host.used,
        pending_slots=sum(one.owned.get(entry.id, 0) for one in classes) if known else None,
        attributes=attributes,
    )


def _as_wall_clock(heartbeat: int) -> int | None:
    """The specification wants the monotonic clock and the reference writes the other one; a heartbeat that fits neither
    is none. 0 was never written."""
    now_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
    if not heartbeat:
        return None
    if abs(now_ns - heartbeat) < _DAY_NS:
        return heartbeat
    return now_ns - (monotonic_ns - heartbeat) if heartbeat <= monotonic_ns else None
