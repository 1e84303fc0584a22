# SPDX-License-Identifier: Apache-2.0
"""The twelve messages and their bytes, written down from the specification."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.roam import limits, messages, rules
from peeps_otel.roam.frames import FrameDecoder, frame
from peeps_otel.roam.messages import Message
from peeps_otel.roam.metadata import SENSITIVE, Entry, check
from peeps_otel.roam.rules import ProtocolViolation

METADATA = (Entry("name", "a"), Entry("k", b"\x01", 3), Entry("n", 300))
METADATA_HEX = "03" + "046e616d65000161" + "00" + "016b010101" + "03" + "016e02ac02" + "00"

VECTORS: list[tuple[Message, str]] = [
    (messages.Hello(1024, 64, 8, METADATA), "0005" + "8008" + "40" + "08" + METADATA_HEX),
    (messages.Hello(1, 2, 3, version=5), "0004010203"),
    (messages.Hello(1, 2, version=1), "00000102"),
    (messages.Connect(7, METADATA), "0107" + METADATA_HEX),
    (messages.Accept(7, 2), "02070200"),
    (messages.Reject(7, "no"), "0307026e6f00"),
    (messages.Goodbye(0, "bye"), "040003627965"),
    (messages.Request(1, 2, 2**63, (), (1, 3), b"\xaa\xbb"), "050102" + "80" * 9 + "01" + "00" + "020103" + "02aabb"),
    (messages.Response(0, 300, METADATA, (), b"\x00"), "0600ac02" + METADATA_HEX + "00" + "0100"),
    (messages.Cancel(0, 9), "070009"),
    (messages.Data(1, 5, b"xyz"), "08010503" + "78797a"),
    (messages.Close(0, 5), "090005"),
    (messages.Reset(0, 5), "0a0005"),
    (messages.Credit(0, 5, 65536), "0b0005808004"),
]


@pytest.mark.parametrize(("message", "expected"), VECTORS)
def test_messages_have_these_bytes(message: Message, expected: str) -> None:
    assert messages.encode(message).hex() == expected
    assert messages.decode(bytes.fromhex(expected)) == message


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("", rules.DECODE_ERROR),
        ("0c", rules.UNKNOWN_VARIANT),
        ("ffffffff7f", rules.DECODE_ERROR),
        ("0006010203", rules.HELLO_VERSION),
        ("0700", rules.DECODE_ERROR),
        ("070001ff", rules.DECODE_ERROR),
        ("0b000580808080" + "80" * 3 + "01", rules.DECODE_ERROR),
        ("0107" + "8101", rules.METADATA_LIMITS),
        ("0107" + "01" + "8102", rules.METADATA_LIMITS),
        ("0107" + "01" + "0161" + "00" + "818001", rules.METADATA_LIMITS),
        ("0107" + "01" + "0161" + "03", rules.DECODE_ERROR),
        ("0501020300" + "818080", rules.DECODE_ERROR),
        ("050102030000" + "ffffffff0f", rules.DECODE_ERROR),
    ],
)
def test_what_is_no_message_breaks_a_rule(data: str, rule: str) -> None:
    with pytest.raises(ProtocolViolation) as raised:
        messages.decode(bytes.fromhex(data))
    assert raised.value.rule == rule


def test_metadata_has_a_limit_in_total() -> None:
    large = tuple(Entry(str(number), "x" * 16_000) for number in range(5))
    with pytest.raises(ValueError, match="80005 bytes"):
        check(large)
    with pytest.raises(ProtocolViolation, match="more than 65536 bytes"):
        messages.decode(messages.encode(messages.Connect(1, large)))
    check(large[:4])


def test_what_is_sensitive_is_not_shown() -> None:
    entries = (Entry("authorization", "Bearer 1234", SENSITIVE), Entry("open", "5678"))
    assert repr(entries) == "(Entry('authorization', …, 1), Entry('open', '5678', 0))"


def test_frames_are_found_wherever_the_stream_is_cut() -> None:
    stream = b"".join(frame(message) for message, _ in VECTORS)
    for step in (1, 2, 3, 7, 64, len(stream)):
        decoder, found = FrameDecoder(), list[Message]()
        for at in range(0, len(stream), step):
            decoder.feed(stream[at : at + step])
            while (raw := decoder.next()) is not None:
                found.append(messages.decode(raw))
        assert found == [message for message, _ in VECTORS]


@pytest.mark.parametrize(
    ("first", "rule"),
    [
        (5, rules.PAYLOAD_LIMIT),
        (6, rules.PAYLOAD_LIMIT),
        (8, rules.DATA_SIZE),
        (4, rules.DECODE_ERROR),
        (77, rules.UNKNOWN_VARIANT),
    ],
)
def test_a_frame_that_is_too_long_is_refused_with_its_first_byte(first: int, rule: str) -> None:
    decoder = FrameDecoder(100)
    decoder.feed((4_000_000_000).to_bytes(4, "little"))
    assert decoder.next() is None
    decoder.feed(bytes((first,)))
    with pytest.raises(ProtocolViolation) as raised:
        decoder.next()
    assert raised.value.rule == rule


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_break_a_rule(data: bytes) -> None:
    for first in range(len(messages.KINDS) + 1):
        try:
            found = messages.decode(bytes((first,)) + data)
        except ProtocolViolation as raised:
            violation = raised
        else:
            assert messages.decode(messages.encode(found)) == found
            continue
        assert violation.rule in rules.ALL


def test_a_list_of_channels_has_a_limit() -> None:
    ids = tuple(range(1, limits.CHANNELS_MOST + 1))
    request = messages.Request(0, 1, 1, (), ids)
    assert messages.decode(messages.encode(request)) == request
    with pytest.raises(ProtocolViolation, match="a list of 1025 items"):
        messages.decode(messages.encode(request._replace(channels=(*ids, 5000))))


@pytest.mark.skipif("ROAM_VECTORS" not in os.environ, reason="ROAM_VECTORS names no folder of the reference's vectors")
def test_the_reference_has_the_same_bytes() -> None:
    files = sorted((Path(os.environ["ROAM_VECTORS"]) / "wire").glob("*.bin"))
    assert files
    for file in files:
        data = file.read_bytes() if file.name.startswith("message") else b"\x00" + file.read_bytes()
        assert messages.encode(messages.decode(data)) == data, file.name
