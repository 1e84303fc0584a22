# SPDX-License-Identifier: Apache-2.0
"""The two ends of a channel in the program's hands: one sends elements, one receives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from . import rules, schema
from .carrier import Carrier
from .errors import ChannelClosed, StateError
from .inbox import Inbox
from .postcard import DecodeError
from .rules import ProtocolViolation
from .schema import Schema


class _End:
    """`id`: 0 until the request that it belongs to has been sent."""

    def __init__(self, link: Carrier, conn_id: int, element: Schema) -> None:
        self._link = link
        self._conn_id = conn_id
        self._element = element
        self._begun = asyncio.Event()
        self._failed = False
        self.id = 0

    def begin(self, channel_id: int) -> None:
        """The request is sent, or came."""
        self.id = channel_id
        self._begun.set()

    def fail(self) -> None:
        """The request was never sent."""
        self._failed = True
        self._begun.set()

    async def _ready(self) -> None:
        if not self._begun.is_set():
            await self._begun.wait()
        if self._failed:
            raise ChannelClosed(reset=True)


class Sender(_End):
    """Sends elements. Of one loop; several tasks may send, one after the other."""

    async def send(self, value: Any) -> None:
        """Waits for credit, where both sides keep account of it, and for room in the transport. Raises ValueError for
        what is not of the channel's type or too large, `ChannelClosed`, or `LinkClosed`."""
        payload = schema.encode(self._element, value)
        await self._ready()
        while not self._may_send(len(payload)):
            await self._link.wait_for_credit(self._conn_id, self.id)
        self._link.state.data(self._conn_id, self.id, payload)
        await self._link.flush_and_drain()

    def close(self) -> None:
        """That was all."""
        self._end(reset=False)

    def reset(self) -> None:
        """Breaks it off: what has not been read is void."""
        self._end(reset=True)

    def _end(self, reset: bool) -> None:
        if not self._begun.is_set():
            self.fail()
            return
        self._link.state.end_channel(self._conn_id, self.id, reset)
        self._link.credit_came(self._conn_id, self.id)
        self._link.flush()

    def _may_send(self, size: int) -> bool:
        try:
            return self._link.state.may_send(self._conn_id, self.id, size)
        except StateError as error:
            self._link.raise_if_ended()
            raise ChannelClosed(reset=True) from error


class Receiver(_End):
    """Receives elements: `receive`, or `async for`. Of one loop."""

    def __init__(self, link: Carrier, conn_id: int, element: Schema) -> None:
        super().__init__(link, conn_id, element)
        self.inbox = Inbox()

    async def receive(self) -> Any:
        """The next element. Raises `ChannelClosed` after the last."""
        await self._ready()
        payload = await self.inbox.get()
        self._link.consumed(self._conn_id, self.id, self.inbox, len(payload))
        try:
            return schema.decode(self._element, payload)
        except DecodeError as error:
            self._link.break_off(ProtocolViolation(rules.DATA_INVALID, str(error)))
            raise ChannelClosed(reset=True) from error

    def reset(self) -> None:
        """Wants no more."""
        if self._link.is_counted(self._conn_id, self.id, self.inbox):
            self._link.dropped(self.inbox)
        self.inbox.end(reset=True)
        self._link.state.end_channel(self._conn_id, self.id, reset=True)
        self._link.flush()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                value = await self.receive()
            except ChannelClosed as error:
                if error.reset:
                    raise
                return
            yield value
