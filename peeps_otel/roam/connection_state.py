# SPDX-License-Identifier: Apache-2.0
"""What one connection of a link knows: the requests in flight in both directions, and the channels.

No bytes and no waiting here; `LinkState` calls it for each message. Raises `ProtocolViolation` for what the peer may
not do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from . import limits, rules
from .events import ChannelEnded
from .limits import Limits
from .rules import ProtocolViolation

_REMEMBERED = 4096


class Direction(Enum):
    """From here. UNBOUND: of a request that came; its handler says."""

    UNBOUND = "unbound"
    SENDS = "sends"
    RECEIVES = "receives"


@dataclass(slots=True)
class ChannelState:
    """One open channel. `credit`: bytes that its sender may still send. `consumed`: bytes taken off since the last
    grant."""

    id: int
    request_id: int
    direction: Direction
    credit: int
    consumed: int = 0
    items: int = 0
    bytes: int = 0


class ConnectionState:
    """For `LinkState`. `full`: credit is counted."""

    def __init__(self, conn_id: int, agreed: Limits, full: bool) -> None:
        self.id = conn_id
        self.limits = agreed
        self.full = full
        self.asked: dict[int, tuple[int, ...]] = {}
        """Requests of ours that have no response, with their channels."""
        self.answering: dict[int, tuple[int, ...]] = {}
        """Requests of the peer that we have not answered."""
        self.channels: dict[int, ChannelState] = {}
        self._over: OrderedDict[int, bool] = OrderedDict()

    # --- requests -----------------------------------------------------------------------------------------------------

    def request_came(self, request_id: int, channels: tuple[int, ...]) -> None:
        if request_id in self.answering:
            raise ProtocolViolation(rules.DUPLICATE_REQUEST, f"request {request_id}")
        if len(self.answering) >= self.limits.max_concurrent_requests:
            raise ProtocolViolation(rules.CONCURRENT_OVERRUN, f"{len(self.answering)} in flight")
        if len(self.channels) + len(channels) > limits.CHANNELS_MOST:
            raise ProtocolViolation(rules.DECODE_ERROR, f"more than {limits.CHANNELS_MOST} open channels")
        for channel_id in channels:
            if channel_id == 0:
                raise ProtocolViolation(rules.CHANNEL_ZERO)
            if channel_id in self.channels or channel_id in self._over:
                raise ProtocolViolation(rules.CHANNEL_REUSED, f"channel {channel_id}")
            self.open(channel_id, request_id, Direction.UNBOUND)
        self.answering[request_id] = channels

    def response_came(self, request_id: int, failed: bool) -> Iterator[ChannelEnded]:
        """`failed`: the handler never ran to its end, so nobody reads what we send."""
        for channel_id in self.asked.pop(request_id):
            channel = self.channels.get(channel_id)
            if channel is not None and (failed or channel.direction is Direction.RECEIVES):
                self._forget(channel_id, ignore=failed)
                yield ChannelEnded(self.id, channel_id, reset=failed)

    def answered(self, request_id: int) -> Iterator[tuple[int, bool]]:
        """Before a response of ours: which channels are to be told to end, and whether by Reset."""
        for channel_id in self.answering.pop(request_id):
            channel = self.channels.get(channel_id)
            if channel is None:
                continue
            if channel.direction is Direction.SENDS:
                self._forget(channel_id, ignore=False)
                yield channel_id, False
            else:
                self._forget(channel_id, ignore=True)
                if self.full and channel.direction is Direction.RECEIVES:
                    yield channel_id, True

    # --- channels -----------------------------------------------------------------------------------------------------

    def open(self, channel_id: int, request_id: int, direction: Direction) -> None:
        self.channels[channel_id] = ChannelState(channel_id, request_id, direction, self.limits.initial_channel_credit)

    def data_came(self, channel_id: int, size: int) -> bool:
        """Whether anybody is to have it."""
        if size > self.limits.max_payload_size:
            raise ProtocolViolation(rules.DATA_SIZE, f"{size} bytes")
        channel = self._known(channel_id)
        if channel is None:
            if self._over[channel_id]:
                return False
            raise ProtocolViolation(rules.DATA_AFTER_CLOSE, f"channel {channel_id}")
        if channel.direction is Direction.SENDS:
            raise ProtocolViolation(rules.CHANNEL_UNKNOWN, f"data on channel {channel_id}, which is the other way")
        if self.full:
            if size > channel.credit:
                raise ProtocolViolation(rules.CREDIT_OVERRUN, f"{size} bytes, credit for {channel.credit}")
            channel.credit -= size
        channel.items += 1
        channel.bytes += size
        return True

    def end_came(self, channel_id: int, reset: bool) -> bool:
        """Close or Reset; whether it is news."""
        channel = self._known(channel_id)
        if channel is None:
            self._over[channel_id] |= reset
            return False
        self._forget(channel_id, ignore=reset)
        return True

    def credit_came(self, channel_id: int, size: int) -> bool:
        """Whether a sender of ours may go on by it."""
        channel = self._known(channel_id)
        if channel is None:
            return False
        if channel.direction is Direction.RECEIVES:
            raise ProtocolViolation(rules.CHANNEL_UNKNOWN, f"credit for channel {channel_id}, which is the other way")
        if self.full:
            channel.credit += size
        return self.full

    def consumed(self, channel_id: int, size: int) -> int:
        """Bytes to grant now that an element was taken off; 0: none."""
        channel = self.channels.get(channel_id)
        if channel is None or not self.full:
            return 0
        channel.consumed += size
        if 2 * channel.consumed < self.limits.initial_channel_credit:
            return 0
        granted, channel.consumed = channel.consumed, 0
        channel.credit += granted
        return granted

    def end(self, channel_id: int, ignore: bool) -> bool:
        """We end it; whether it was open. `ignore`: what still comes on it is nothing wrong."""
        if channel_id not in self.channels:
            return False
        self._forget(channel_id, ignore)
        return True

    def _known(self, channel_id: int) -> ChannelState | None:
        """None: it was there. Raises where it never was."""
        if channel_id == 0:
            raise ProtocolViolation(rules.CHANNEL_ZERO)
        channel = self.channels.get(channel_id)
        if channel is None and channel_id not in self._over:
            raise ProtocolViolation(rules.CHANNEL_UNKNOWN, f"channel {channel_id}")
        return channel

    def _forget(self, channel_id: int, ignore: bool) -> None:
        del self.channels[channel_id]
        self._over[channel_id] = ignore
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
