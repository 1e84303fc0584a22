# SPDX-License-Identifier: Apache-2.0
"""What the links of this process have in flight, as a registered provider: connections, requests, channels, credit.

Called on a thread of the watcher, so it copies what it reads. Values of metadata and arguments are in none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from threading import RLock
from weakref import ref

from ..providers import Channel, Completion, ProviderHandle, RpcReport
from ..providers import Connection as ConnectionRecord
from ..providers import Request as RequestRecord
from ..providers.registered import register
from .calls import Handling, Sent
from .connection import Connection
from .connection_state import ChannelState, Direction
from .link import Link
from .methods import Method

_links: dict[int, ref[Link]] = {}
_numbers = count(1)
_handles: dict[int, ProviderHandle] = {}
"""By process, for a forked child must register again; at most one."""
_changing = RLock()


def follow(link: Link) -> None:
    """It is reported until it has ended or is gone. The provider is registered while there is a link. Any thread."""
    number, process = next(_numbers), os.getpid()
    with _changing:
        _links[number] = ref(link, lambda _: _forget(number))
        if process not in _handles:
            _handles.clear()
            _handles[process] = register("roam", "rpc", report)
    link.when_closed = lambda: _forget(number)


def _forget(number: int) -> None:
    with _changing:
        _links.pop(number, None)
        if not _links:
            for handle in _handles.values():
                handle.close()
            _handles.clear()


def report() -> RpcReport:
    """All that there is now."""
    connections: list[ConnectionRecord] = []
    requests: list[RequestRecord] = []
    channels: list[Channel] = []
    for number, reference in list(_links.items()):
        link = reference()
        if link is None or link.state.ended is not None:
            continue
        for connection in list(link.connections.values()):
            name = f"{number}.{connection.id}"
            connections.append(_connection(link, connection, name))
            requests += _requests(connection, name)
            channels += _channels(link, connection, name)
    return RpcReport(connections=connections, requests=requests, channels=channels)


def _connection(link: Link, connection: Connection, name: str) -> ConnectionRecord:
    calls, agreed = connection.calls, link.state.agreed
    permits = calls.permits
    return ConnectionRecord(
        id=name,
        local=link.name or link.transport.local or None,
        peer=link.peer_name or link.transport.peer or None,
        transport=link.transport.name,
        state="reading paused" if link.paused else "open",
        correlation=f"{link.correlation}/{connection.id}",
        opened_ns=link.opened_ns,
        limits={
            "max_payload_size": agreed.max_payload_size,
            "initial_channel_credit": agreed.initial_channel_credit,
            "max_concurrent_requests": agreed.max_concurrent_requests,
            "credit": "full" if link.state.full else "not tracked by peer",
        },
        frames_sent=link.state.frames_out,
        frames_received=link.state.frames_in,
        bytes_sent=link.bytes_out,
        bytes_received=link.bytes_in,
        last_sent_ns=link.last_out_ns,
        last_received_ns=link.last_in_ns,
        pending_out=len(calls.sent),
        pending_in=len(calls.handling),
        completed=calls.completed,
        recent=[
            Completion(
                method=over.method,
                direction="out" if over.out else "in",
                duration_ns=over.duration_ns,
                ended_ns=over.ended_ns,
            )
            for over in list(calls.recent)
        ],
        health={"bytes_not_sent": link.transport.buffered, "all_permits_taken": permits is None or permits.locked()},
    )


def _requests(connection: Connection, name: str) -> Iterator[RequestRecord]:
    for request_id, sent in list(connection.calls.sent.items()):
        yield _request(connection, name, request_id, sent.method, sent)
    for request_id, handling in list(connection.calls.handling.items()):
        yield _request(connection, name, request_id, handling.method, handling)


def _request(connection: Connection, name: str, request_id: int, method: Method, one: Sent | Handling) -> RequestRecord:
    ours = isinstance(one, Sent)
    side = "i" if connection.link.state.initiator is ours else "a"  # who asked: both sides count from 1
    return RequestRecord(
        id=str(request_id),
        connection=name,
        method=f"{method.service}/{method.name}",
        direction="out" if ours else "in",
        state="cancelling" if one.cancelled else "sent" if ours else "handling",
        started_ns=one.began_ns,
        task=one.task,
        span=one.span,
        correlation=f"{connection.link.correlation}/{connection.id}/{side}/{request_id}",
    )


def _channels(link: Link, connection: Connection, name: str) -> Iterator[Channel]:
    state = link.state.connections.get(connection.id)
    if state is None:
        return
    for channel in list(state.channels.values()):
        if channel.direction is not Direction.UNBOUND:
            yield _channel(link, connection, name, channel)


def _channel(link: Link, connection: Connection, name: str, channel: ChannelState) -> Channel:
    out = channel.direction is Direction.SENDS
    inbox = None if out else connection.inboxes.get(channel.id)
    if out:
        waiting = [task for _, task in list(link.credit_waiters.get((connection.id, channel.id), ()))]
    else:
        waiting = [] if inbox is None else list(inbox.tasks)
    return Channel(
        id=str(channel.id),
        direction="out" if out else "in",
        connection=name,
        request=str(channel.request_id),
        state="open",
        credit=channel.credit if link.state.full else None,
        capacity=link.state.agreed.initial_channel_credit if link.state.full else None,
        queued=None if inbox is None else inbox.items,
        items=channel.items,
        bytes=channel.bytes,
        waiting=[task for task in waiting if task is not None],
        correlation=f"{link.correlation}/{connection.id}/{channel.id}",
        attributes={} if link.state.full else {"credit": "not tracked by peer"},
    )
