# SPDX-License-Identifier: Apache-2.0
"""What happened on a link, as `LinkState` tells it: the messages that are for the program, and the ends of things.

Requests, cancellations and data are the messages themselves.
"""

from __future__ import annotations

from typing import NamedTuple

from .limits import Limits
from .messages import Cancel, Data, Request
from .metadata import Metadata


class Opened(NamedTuple):
    """Both Hellos are here. `limits`: what holds for both; `full_credit`: both sides keep account of credit."""

    limits: Limits
    metadata: Metadata
    full_credit: bool


class Responded(NamedTuple):
    """To a request of ours. `conn_id`: of the request, whatever the peer wrote."""

    conn_id: int
    request_id: int
    metadata: Metadata
    payload: bytes


class ChannelEnded(NamedTuple):
    """No data follows. `reset`: it was broken off; what has not been read is void."""

    conn_id: int
    channel_id: int
    reset: bool = False


class CreditCame(NamedTuple):
    """A sender of ours may go on."""

    conn_id: int
    channel_id: int


class ConnectionWanted(NamedTuple):
    """To be answered by `accept` or `reject`."""

    request_id: int
    metadata: Metadata


class ConnectionAccepted(NamedTuple):
    request_id: int
    conn_id: int
    metadata: Metadata


class ConnectionRejected(NamedTuple):
    request_id: int
    reason: str
    metadata: Metadata


class ConnectionEnded(NamedTuple):
    """A virtual one, with all its requests and channels."""

    conn_id: int
    reason: str


class LinkEnded(NamedTuple):
    """`rule`: by which we ended it; empty where the peer did, or nobody broke one. `reason`: the same, with words."""

    reason: str
    rule: str = ""
    by_peer: bool = False


Event = (
    Opened
    | Request
    | Responded
    | Cancel
    | Data
    | ChannelEnded
    | CreditCame
    | ConnectionWanted
    | ConnectionAccepted
    | ConnectionRejected
    | ConnectionEnded
    | LinkEnded
)
