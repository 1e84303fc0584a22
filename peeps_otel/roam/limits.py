# SPDX-License-Identifier: Apache-2.0
"""How much one side takes from the other: what a Hello says, and what has no message."""

from __future__ import annotations

from dataclasses import dataclass

METADATA_ENTRIES = 128
METADATA_KEY = 256
METADATA_VALUE = 16 * 1024
METADATA_TOTAL = 64 * 1024
"""Of one message, in bytes where it is not entries."""
CHANNELS_MOST = 1024
"""In one message, and open on one connection at a time."""
CONNECTIONS_MOST = 256
"""Virtual ones that are open on one link at a time."""
_U32 = (1 << 32) - 1
_PER_ENTRY = 2 + 1 + 3 + 10
_FIELDS = 128
_METADATA_FRAME = METADATA_TOTAL + METADATA_ENTRIES * _PER_ENTRY + _FIELDS
HELLO_FRAME = _METADATA_FRAME


@dataclass(frozen=True, slots=True)
class Limits:
    """What a Hello announces. Both sides keep to the smaller of the two numbers.

    `max_payload_size`: bytes of a request, a response or a channel's element. `initial_channel_credit`: bytes that a
    channel's sender may send unasked. `max_concurrent_requests`: in flight in one direction on one connection.
    """

    max_payload_size: int = 1 << 20
    initial_channel_credit: int = 64 * 1024
    max_concurrent_requests: int = 64

    def __post_init__(self) -> None:
        for value in (self.max_payload_size, self.initial_channel_credit, self.max_concurrent_requests):
            if not 0 <= value <= _U32:
                raise ValueError(f"a limit of {value} is no u32")

    def smaller(self, other: Limits) -> Limits:
        """What holds for both."""
        return Limits(
            min(self.max_payload_size, other.max_payload_size),
            min(self.initial_channel_credit, other.initial_channel_credit),
            min(self.max_concurrent_requests, other.max_concurrent_requests),
        )

    @property
    def frame(self) -> int:
        """The most bytes that an allowed message can have."""
        return self.max_payload_size + _METADATA_FRAME + CHANNELS_MOST * 10
