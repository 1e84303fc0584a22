# SPDX-License-Identifier: Apache-2.0
"""What the owner of a message protocol reports: connections, the requests in flight on them, and their channels.

All times are integers, Unix epoch nanoseconds. Whatever is not known is None and absent from the picture, never 0.
Texts are cut at 200 characters. Whoever waits or works is an `asyncio.Task` or the `threading.get_ident()` of a thread;
a record is dropped after it was read, so naming a task keeps none alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Value: TypeAlias = "str | int | bool | Sensitive"
Worker: TypeAlias = Any
"""An `asyncio.Task`, or the ident of a thread."""
Span: TypeAlias = "tuple[Any, ...]"
"""A `SpanContext` of OpenTelemetry, or any tuple that begins with trace id and span id as integers."""


class Sensitive:
    """Stands for a value that must not leave the process: `(withheld)` is shown, and the value is never read."""

    __slots__ = ("value",)

    def __init__(self, value: object = None) -> None:
        self.value = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A request that is over. `direction`: out for one that was sent from here."""

    method: str
    direction: Literal["out", "in"]
    duration_ns: int
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection. `id`: unique within the report. `correlation`: the same at both ends, where the protocol has
    such a thing. `limits`: what was negotiated. `pending_out`, `pending_in`: requests that await an answer of the peer,
    and of us; `queued`: messages that have not been handed to the transport. `recent`: the last that are over (16 are
    shown). `health`: counters of the driver that tell where a request got lost."""

    id: str
    local: str | None = None
    peer: str | None = None
    transport: str | None = None
    state: str | None = None
    correlation: str | None = None
    opened_ns: int | None = None
    closed_ns: int | None = None
    limits: Mapping[str, Value] = field(default_factory=dict[str, Value])
    frames_sent: int | None = None
    frames_received: int | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    last_sent_ns: int | None = None
    last_received_ns: int | None = None
    pending_out: int | None = None
    pending_in: int | None = None
    queued: int | None = None
    completed: int | None = None
    recent: Sequence[Completion] = ()
    health: Mapping[str, Value] = field(default_factory=dict[str, Value])
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in flight. `direction`: out for one that was sent from here. `id`: unique within connection and
    direction. `state`: queued, sent, handling, responding, cancelling, or a word of the protocol's own. `task`: who
    waits for the answer (out), who runs the handler (in). `span`: of the CLIENT or SERVER span, if there is one: then
    the two are one node. `caller`: of an incoming one, the context that came with it; `correlation`: where the two
    ends know each other by something else. `deadline_ns`: when the call gives up by itself; without it, it is taken
    for one that may wait for ever. `source`: `path:line`."""

    id: str
    method: str
    direction: Literal["out", "in"]
    connection: str | None = None
    state: str | None = None
    started_ns: int | None = None
    handled_ns: int | None = None
    deadline_ns: int | None = None
    arguments: str | Sensitive | None = None
    task: Worker | None = None
    source: str | None = None
    span: Span | None = None
    caller: Span | None = None
    correlation: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One end of a stream of items. `direction`: out where the items are sent from here. `id`: unique within connection
    and direction. `request`: the id of the request that it belongs to. `credit`: what the sender may still send, in the
    unit of `capacity`. `items`, `bytes`: that have passed. `waiting`: who waits here, for credit (out) or for an item
    (in). `users`: who else has this end in hand and would read or write. `closed_by`: who closed it, of one that is
    closed and told of all the same. `correlation`: the same at both ends."""

    id: str
    direction: Literal["out", "in"]
    name: str | None = None
    connection: str | None = None
    request: str | None = None
    state: str | None = None
    opened_ns: int | None = None
    credit: int | None = None
    capacity: int | None = None
    queued: int | None = None
    items: int | None = None
    bytes: int | None = None
    waiting: Sequence[Worker] = ()
    users: Sequence[Worker] = ()
    closed_by: Worker | None = None
    correlation: str | None = None
    source: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcReport:
    """All that there is at one instant."""

    connections: Sequence[Connection] = ()
    requests: Sequence[Request] = ()
    channels: Sequence[Channel] = ()
