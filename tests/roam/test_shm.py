# SPDX-License-Identifier: Apache-2.0
"""A shared-memory hub as its file shows it. The files are made here, from the specification's tables."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_otel import semconv
from peeps_otel.model import NodeKind
from peeps_otel.providers import Peer, ShmReport, Slots
from peeps_otel.roam import shm_layout
from peeps_otel.roam.shm_layout import Frame, SegmentError
from peeps_otel.roam.shm_view import read_segment, watch_segment
from tests.providers.provider_world import a_world, rested
from tests.support.examples import examples

GUESTS, RING, CHANNELS = 3, 256, 4
POOL = 128 + GUESTS * 64
CLASSES = ((64, 4), (1024, 2))
AREAS = POOL + 128 + 64 + 4 * 64 + 64 + 2 * 1024
AREA = 2 * (128 + RING) + CHANNELS * 16


def put(data: bytearray, at: int, form: str, *values: int) -> None:
    struct.pack_into(f"<{form}", data, at, *values)


def a_segment() -> bytearray:
    """An idle hub: nobody is attached, all slots are free."""
    data = bytearray(AREAS + GUESTS * AREA)
    data[:8] = b"RAPAHUB\x01"
    put(data, 8, "2IQ", 2, 128, len(data))
    put(data, 24, "4I", 4096, 65536, GUESTS, RING)
    put(data, 40, "2Q4I", 128, 0, 0, 0, CHANNELS, 0)
    put(data, 72, "3Q", 0, POOL, len(data))
    for guest in range(GUESTS):
        area = AREAS + guest * AREA
        put(data, 128 + guest * 64 + 32, "3Q", area, 0, area + 2 * (128 + RING))
        for ring in (area, area + 128 + RING):
            put(data, ring + 8, "I", RING)
    for number, (size, count) in enumerate(CLASSES):
        put(data, POOL + number * 64, "4I", size, count, 1, 0)
    return data


def attach(data: bytearray, peer: int, state: int = 1, epoch: int = 1, heartbeat: int = 0) -> int:
    """Where its area is."""
    entry = 128 + (peer - 1) * 64
    put(data, entry, "2I", state, epoch)
    put(data, entry + 24, "Q", heartbeat)
    return AREAS + (peer - 1) * AREA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub"


def read(path: Path, data: bytes | bytearray) -> ShmReport:
    path.write_bytes(data)
    return read_segment(str(path))


def test_an_idle_hub(path: Path) -> None:
    found = read(path, a_segment())
    (segment,) = found.segments
    assert (segment.name, segment.size, segment.most_peers, segment.goodbye) == (
        str(path),
        AREAS + GUESTS * AREA,
        3,
        False,
    )
    assert segment.attributes == {
        "max_payload_size": 4096,
        "initial_credit": 65536,
        "max_channels": 4,
        "inline_threshold": 256,
    }
    assert found.peers == []
    assert found.slots == [
        Slots(size=64, segment=str(path), total=4, free=4),
        Slots(size=1024, segment=str(path), total=2, free=2),
    ]


def test_a_guest_with_messages_in_both_rings_channels_and_slots(path: Path) -> None:
    data = a_segment()
    area = attach(data, 2, epoch=7)
    put(data, area, "3I", 60, 0, RING)
    put(data, area + 64, "I", 24)
    put(data, area + 128 + 24, "I2B2xIQI2B2x2I", 36, 1, 1, 9, 0xABCD, 500, 1, 0, 1, 5)
    to_guest = area + 128 + RING
    put(data, to_guest, "3I", 20, 240, RING)
    put(data, to_guest + 64, "I", 200)
    put(data, to_guest + 128 + 200, "I2B2xIQI", 28, 2, 0, 9, 0, 3)
    put(data, area + 2 * (128 + RING) + 16, "2I", 1, 65536)
    put(data, POOL + 128, "4I", 1, 2, 2, 0)
    put(data, POOL + 128 + 16, "4I", 1, 1, 0, 0)
    put(data, 68, "I", 1)
    found = read(path, data)
    assert found.peers == [
        Peer(
            id="2",
            segment=str(path),
            state="attached",
            epoch=7,
            ring_out_capacity=RING,
            ring_out_used=60,
            ring_in_capacity=RING,
            ring_in_used=36,
            pending_slots=1,
            attributes={
                "channels": 1,
                "next_to_host": "Request 9, 500 bytes",
                "next_to_guest": "Response 9, 3 bytes",
            },
        )
    ]
    assert [one.free for one in found.slots] == [2, 2]
    assert found.segments[0].goodbye is True


@pytest.mark.parametrize(("state", "word"), [(1, "attached"), (2, "goodbye"), (3, "reserved"), (9, "9")])
def test_states_of_peers(path: Path, state: int, word: str) -> None:
    data = a_segment()
    attach(data, 1, state)
    assert [peer.state for peer in read(path, data).peers] == [word]


def test_a_heartbeat_by_either_clock_or_none(path: Path) -> None:
    before_ns = time.time_ns()
    data = a_segment()
    attach(data, 1, heartbeat=before_ns)
    attach(data, 2, heartbeat=time.monotonic_ns() - 1_000_000_000)
    attach(data, 3)
    wall, monotonic, never = read(path, data).peers
    assert wall.heartbeat_ns == before_ns
    assert monotonic.heartbeat_ns is not None
    assert -60_000_000_000 < monotonic.heartbeat_ns - before_ns < 60_000_000_000
    assert never.heartbeat_ns is None


def test_a_class_that_has_grown(path: Path) -> None:
    data = a_segment()
    extent = len(data)
    data += bytearray(64 + 4 * 16 + 4 * 64)
    put(data, POOL + 8, "I", 2)
    put(data, POOL + 40, "Q", extent)
    put(data, extent + 64 + 16, "4I", 1, 1, 3, 0)
    small, _ = read(path, data).slots
    assert (small.total, small.free) == (8, 7)


def test_numbers_that_do_not_fit_are_left_out(path: Path) -> None:
    data = a_segment()
    area = attach(data, 1)
    put(data, area, "I", 4_000_000_000)
    put(data, 128 + 48, "Q", 1 << 60)
    put(data, POOL, "I", 640)
    found = read(path, data)
    (peer,) = found.peers
    assert (peer.ring_in_used, peer.ring_in_capacity, peer.pending_slots) == (None, None, None)
    assert "channels" not in peer.attributes
    assert found.slots == []
    assert found.segments[0].attributes["slot_classes"] == "not recognised"


@pytest.mark.parametrize(
    "data", [b"", b"RAPAHUB\x01", b"x" * 200, bytes(a_segment()[:8]) + struct.pack("<2I", 1, 128) + bytes(200)]
)
def test_what_is_no_hub(path: Path, data: bytes) -> None:
    with pytest.raises(SegmentError):
        read(path, data)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.tuples(st.integers(8, AREAS + AREA), st.binary(min_size=1, max_size=16)), max_size=10), st.integers()
)
def test_any_numbers_in_a_segment(changes: list[tuple[int, bytes]], cut: int) -> None:
    data = a_segment()
    attach(data, 1)
    for at, some in changes:
        data[at : at + len(some)] = some
    whole = bytes(data[: cut % (len(data) + 1)])

    def take(offset: int, count: int) -> bytes:
        return whole[offset : offset + count] if offset + count <= len(whole) else b""

    try:
        header = shm_layout.read_header(take)
    except SegmentError:
        return
    for entry in shm_layout.read_peers(take, header):
        shm_layout.read_rings(take, header, entry)
        shm_layout.read_next_frame(take, header, entry, True)
        shm_layout.count_channels(take, header, entry)
    for one in shm_layout.read_slot_classes(take, header, AREAS):
        assert one.free is None or 0 <= one.free <= one.total


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        ("1c000000" + "04000000" + "05000000" + "00" * 8 + "03000000" + "61626300", Frame(28, "Data", 5, 0, 3)),
        (
            "24000000" + "02010000" + "07000000" + "00" * 8 + "00100000" + "01020000" + "2a000000" + "07000000",
            Frame(36, "Response", 7, 0, 4096, (1, 2, 42, 7)),
        ),
    ],
)
def test_frames(data: str, frame: Frame) -> None:
    assert shm_layout.parse_frame(bytes.fromhex(data)) == frame


@pytest.mark.parametrize(
    "data",
    [
        "",
        "18000000",
        "18000000" + "0b" + "00" * 19,
        "18000000" + "04" + "00" * 15 + "01000000",
        "19000000" + "04" + "00" * 19,
    ],
)
def test_no_frames(data: str) -> None:
    with pytest.raises(SegmentError):
        shm_layout.parse_frame(bytes.fromhex(data))


def test_a_watched_hub_is_in_the_picture_and_its_end_is_a_fault(path: Path) -> None:
    data = a_segment()
    attach(data, 1)
    path.write_bytes(data)
    with a_world() as world, watch_segment(str(path)):
        look = world.look()
        parts = {node.attributes[semconv.SHM_PART]: node.name for node in look.of(NodeKind.SHM)}
        assert parts == {"segment": str(path), "peer": "peer 1"}
        assert look.faults == []
        path.unlink()
        faults = rested(world, lambda look: bool(look.faults)).faults
        assert [fault.partition(":")[0] for fault in faults] == ["roam shm"]


@pytest.mark.skipif("ROAM_VECTORS" not in os.environ, reason="ROAM_VECTORS names no folder of the reference's vectors")
def test_the_reference_has_the_same_frames() -> None:
    folder = Path(os.environ["ROAM_VECTORS"]) / "shm"
    inline = shm_layout.parse_frame((folder / "frame_inline.bin").read_bytes())
    assert inline == Frame(36, "Request", 99, 66, 9)
    by_slot = shm_layout.parse_frame((folder / "frame_slot_ref.bin").read_bytes())
    assert by_slot == Frame(36, "Data", 7, 0, 8192, (2, 1, 42, 7))
