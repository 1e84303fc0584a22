# SPDX-License-Identifier: Apache-2.0
"""How a Roam shared-memory hub lies in its file: segment version 2. Only reading, and only what is asked for.

The file belongs to processes that go on meanwhile, so what is read of it may be of different moments, and any number in
it may be nonsense: nothing is followed that leads out of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""Offset and size; fewer bytes where the file ends before."""

MAGIC = b"RAPAHUB\x01"
VERSION = 2
PEER_STATES = ("empty", "attached", "goodbye", "reserved")
MESSAGES = (
    "",
    "Request",
    "Response",
    "Cancel",
    "Data",
    "Close",
    "Reset",
    "Goodbye",
    "Connect",
    "Accept",
    "Reject",
)
SLOTS_COUNTED_MOST = 65_536
_HEADER = struct.Struct("<8s2IQ4I2Q4I3Q32x")
_PEER = struct.Struct("<2I16x4Q8x")
_RING = struct.Struct("<3I52xI60x")
_CHANNEL = struct.Struct("<2I8x")
_CLASS = struct.Struct("<3I4x3Q2Q8x")
_SLOT = struct.Struct("<4I")
_FRAME = struct.Struct("<I2B2xIQI")
_SLOT_REF = struct.Struct("<2B2x2I")
_EXTENT_HEADER = 64
_PEERS_MOST, _CLASSES_MOST, _EXTENTS_MOST = 255, 16, 3
_CHANNELS_MOST = 65_536
_ACTIVE, _FREE = 1, 0


class SegmentError(ValueError):
    """It is no segment that is understood here, and why."""


class Header(NamedTuple):
    """Sizes in bytes; offsets from the beginning of the file; `heartbeat_interval` in ns, 0: none is asked for."""

    total_size: int
    max_payload_size: int
    initial_credit: int
    max_guests: int
    ring_capacity: int
    peer_table: int
    inline_threshold: int
    max_channels: int
    host_goodbye: int
    heartbeat_interval: int
    slot_pool: int
    current_size: int


class PeerEntry(NamedTuple):
    """`id`: from 1. `heartbeat`: as the peer wrote it, 0: never."""

    id: int
    state: int
    epoch: int
    heartbeat: int
    rings: int
    channel_table: int


class Ring(NamedTuple):
    """`read`: where the next unread byte is; `used`: unread bytes, None where the numbers do not fit each other."""

    capacity: int
    read: int
    used: int | None


class SlotClass(NamedTuple):
    """`free`: None where they are too many to count. `owned`: those that are not free, by the peer that took them; 0:
    the host."""

    size: int
    total: int
    free: int | None
    owned: dict[int, int]


class Frame(NamedTuple):
    """One message in a ring. `slot`: class, extent, index and generation, where the payload lies in the slot pool."""

    total: int
    message: str
    id: int
    method_id: int
    payload_size: int
    slot: tuple[int, int, int, int] | None = None


def read_header(read: Read) -> Header:
    """Raises `SegmentError`."""
    data = read(0, _HEADER.size)
    if len(data) < _HEADER.size or not data.startswith(MAGIC):
        raise SegmentError("it does not begin like a Roam hub")
    _, version, size, *numbers = _HEADER.unpack(data)
    if version != VERSION or size != _HEADER.size:
        raise SegmentError(f"segment version {version} with a header of {size} bytes, {VERSION} and 128 are known")
    total, payload, credit, guests, ring, peers, _, _, inline, channels, goodbye, beat, pool, current = numbers
    if guests > _PEERS_MOST:
        raise SegmentError(f"{guests} guests, at most {_PEERS_MOST} can be")
    return Header(total, payload, credit, guests, ring, peers, inline or 256, channels, goodbye, beat, pool, current)


def read_peers(read: Read, header: Header) -> list[PeerEntry]:
    """All entries of the table, the empty ones too."""
    data = read(header.peer_table, _PEER.size * header.max_guests)
    found: list[PeerEntry] = []
    for number, entry in enumerate(_PEER.iter_unpack(data[: len(data) // _PEER.size * _PEER.size]), 1):
        state, epoch, heartbeat, rings, _, channels = entry
        found.append(PeerEntry(number, state, epoch, heartbeat, rings, channels))
    return found


def read_rings(read: Read, header: Header, peer: PeerEntry) -> tuple[Ring | None, Ring | None]:
    """From the guest to the host, and from the host to the guest."""
    second = peer.rings + _RING.size + header.ring_capacity
    return _read_ring(read, header, peer.rings), _read_ring(read, header, second)


def _read_ring(read: Read, header: Header, at: int) -> Ring | None:
    data = read(at, _RING.size)
    if not at or len(data) < _RING.size:
        return None
    write, watermark, capacity, begin = _RING.unpack(data)
    if capacity != header.ring_capacity or max(write, watermark, begin) > capacity:
        return None
    used = write - begin if not watermark else max(0, watermark - begin) + write
    return Ring(capacity, begin, used if 0 <= used <= capacity else None)


def read_next_frame(read: Read, header: Header, peer: PeerEntry, to_guest: bool) -> Frame | None:
    """The message that is next to be read of a ring; None where there is none, or it makes no sense."""
    ring = read_rings(read, header, peer)[to_guest]
    if ring is None or not ring.used or ring.used < _FRAME.size:
        return None
    begin = peer.rings + _RING.size + (_RING.size + header.ring_capacity if to_guest else 0)
    try:
        return parse_frame(read(begin + ring.read, min(_FRAME.size + _SLOT_REF.size, ring.capacity - ring.read)))
    except SegmentError:
        return None


def parse_frame(data: bytes) -> Frame:
    """The head of a frame; its inline payload is not needed. Raises `SegmentError`."""
    if len(data) < _FRAME.size:
        raise SegmentError("a frame that is cut off")
    total, kind, flags, number, method_id, size = _FRAME.unpack_from(data)
    if not 0 < kind < len(MESSAGES):
        raise SegmentError(f"message {kind}")
    by_slot = bool(flags & 1)
    least = _FRAME.size + (_SLOT_REF.size if by_slot else size)
    if total < least or total % 4 or (by_slot and len(data) < least):
        raise SegmentError(f"a frame of {total} bytes, at least {least} are needed")
    slot = _SLOT_REF.unpack_from(data, _FRAME.size) if by_slot else None
    return Frame(total, MESSAGES[kind], number, method_id, size, slot)


def count_channels(read: Read, header: Header, peer: PeerEntry) -> int | None:
    """Those in use of a peer's table."""
    if not peer.channel_table or header.max_channels > _CHANNELS_MOST:
        return None
    data = read(peer.channel_table, _CHANNEL.size * header.max_channels)
    if len(data) < _CHANNEL.size * header.max_channels:
        return None
    return sum(state == _ACTIVE for state, _ in _CHANNEL.iter_unpack(data))


def read_slot_classes(read: Read, header: Header, pool_end: int) -> list[SlotClass]:
    """How many classes there are is written nowhere: as many as fill the pool to where the guests' areas begin. None
    where no number does."""
    classes: list[tuple[int, ...]] = []
    for number in range(_CLASSES_MOST):
        data = read(header.slot_pool + number * _CLASS.size, _CLASS.size)
        if len(data) < _CLASS.size:
            return []
        size, count, extents, *offsets = _CLASS.unpack(data)
        if not size or not count or not 0 < extents <= _EXTENTS_MOST:
            return []
        classes.append((size, count, extents, *offsets))
        *places, end = _places(header.slot_pool, classes)
        if end == pool_end:
            return [_slot_class(read, one, place) for one, place in zip(classes, places, strict=True)]
    return []


def _places(pool: int, classes: list[tuple[int, ...]]) -> Iterator[int]:
    """Where the metadata of each class is, and last where the pool ends."""
    at = pool + len(classes) * _CLASS.size
    for size, count, *_ in classes:
        at = _aligned(at, 16)
        yield at
        at = _aligned(at + count * _SLOT.size, 64) + count * size
    yield _aligned(at, 64)


def _slot_class(read: Read, numbers: tuple[int, ...], first: int) -> SlotClass:
    size, count, extents, _, _, _, *offsets = numbers
    total = count * extents
    if total > SLOTS_COUNTED_MOST:
        return SlotClass(size, total, None, {})
    free, owned = 0, dict[int, int]()
    for at in [first, *(offset + _EXTENT_HEADER for offset in offsets[: max(0, extents - 1)])]:
        data = read(at, count * _SLOT.size)
        if len(data) < count * _SLOT.size:
            return SlotClass(size, total, None, {})
        for _, state, owner, _ in _SLOT.iter_unpack(data):
            if state == _FREE:
                free += 1
            else:
                owned[owner] = owned.get(owner, 0) + 1
    return SlotClass(size, total, free, owned)


def _aligned(value: int, to: int) -> int:
    return -(-value // to) * to
