# SPDX-License-Identifier: Apache-2.0
"""What a connection and its channels need of the link that carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from .inbox import Inbox
from .link_state import LinkState
from .rules import ProtocolViolation
from .transports import Transport


class Carrier(Protocol):
    """Of one loop. A `Link` is one. `peer_name`: what the peer calls itself; `correlation`: what both ends call the
    link; `response_timeout_s`: see `Link`."""

    state: LinkState
    transport: Transport
    peer_name: str
    correlation: str
    response_timeout_s: float | None

    def raise_if_ended(self) -> None: ...

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task that lives as long as it runs."""
        ...

    def flush(self) -> None: ...

    async def flush_and_drain(self) -> None: ...

    def break_off(self, violation: ProtocolViolation) -> None:
        """The peer broke a rule that is not the state's to see."""
        ...

    async def wait_for_credit(self, conn_id: int, channel_id: int) -> None:
        """Until some came or the channel has ended."""
        ...

    def credit_came(self, conn_id: int, channel_id: int) -> None: ...

    def consumed(self, conn_id: int, channel_id: int, inbox: Inbox, size: int) -> None:
        """An element was taken from an inbox."""
        ...

    def is_counted(self, conn_id: int, channel_id: int, inbox: Inbox) -> bool:
        """Whether what is in it counts as unread."""
        ...

    def dropped(self, inbox: Inbox) -> None:
        """What was in it is read by nobody any more, or no more can come."""
        ...

    def connection_ended(self, conn_id: int, reason: str) -> None: ...

    async def close(self, reason: str = "") -> None: ...
