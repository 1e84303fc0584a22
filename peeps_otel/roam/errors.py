# SPDX-License-Identifier: Apache-2.0
"""What calls and channels raise. All are `RoamError`s; what the peer sent is in none of their texts but the reasons."""

from __future__ import annotations

from typing import Any


class RoamError(Exception):
    """Any of them."""


class StateError(RoamError, RuntimeError):
    """This side asked for what cannot be done now: the link has ended, the channel is closed."""


class LinkClosed(RoamError, ConnectionError):
    """The link or the connection ended before the answer came. `reason`: the peer's, or the rule that was broken."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "the link was closed")
        self.reason = reason


class ConnectionRefused(RoamError, ConnectionError):
    """The peer takes no further connection. `reason`: the peer's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UserError(RoamError):
    """The method's own error. A handler raises it, the caller gets it. `value`: of the method's `error` type."""

    def __init__(self, value: Any = None) -> None:
        super().__init__(type(value).__name__)
        self.value = value


class UnknownMethod(RoamError):
    """The peer has no method of that id: another name, or other types."""


class InvalidPayload(RoamError):
    """The peer could not read the arguments; or we could not read its answer."""


class CallCancelled(RoamError):
    """The peer broke the call off: because it was asked to, or because its handler failed."""


class ChannelClosed(RoamError):
    """No more on this channel. `reset`: it was broken off by the other side or by the end of the call."""

    def __init__(self, reset: bool = False) -> None:
        super().__init__("the channel was broken off" if reset else "the channel is closed")
        self.reset = reset
