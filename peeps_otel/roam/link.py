# SPDX-License-Identifier: Apache-2.0
"""A link that runs: the state of one, a transport, and the task that reads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from . import metadata, wire_keys
from .connection import Connection
from .errors import ConnectionRefused, LinkClosed, StateError
from .events import (
    ChannelEnded,
    ConnectionAccepted,
    ConnectionEnded,
    ConnectionRejected,
    ConnectionWanted,
    CreditCame,
    Event,
    LinkEnded,
    Opened,
    Responded,
)
from .inbox import Inbox
from .limits import Limits
from .link_state import LinkState
from .messages import ROOT, Cancel, Data, Request
from .metadata import Entry, Metadata
from .rules import ProtocolViolation
from .services import Service
from .transports import Transport

OnConnection = Callable[[Metadata], "Service | None"]
"""Asked for each virtual connection that the peer wants: what it may call there; None: it is refused."""
_HELLO_S = 10.0
_BUFFERED_MOST = 1 << 20
_UNREAD_MOST = 4 << 20
_EMPTY = Service()
_logger = logging.getLogger("peeps_otel.roam")


class Link:
    """Of one loop. Made by `connect_tcp`, `serve_tcp` and their like, which open it.

    `service`: what the peer may call. `name`: ours, for the peer's people. `response_timeout_s`: a request that has no
    response by then ends the link, as the reference does after 60 s; None, unlike there: requests may take for ever.
    `full_credit`: whether to keep account of channels' credit where the peer does too.
    """

    def __init__(
        self,
        transport: Transport,
        initiator: bool,
        service: Service | None = None,
        *,
        name: str = "",
        limits: Limits | None = None,
        full_credit: bool = True,
        on_connection: OnConnection | None = None,
        response_timeout_s: float | None = None,
    ) -> None:
        said = [Entry(wire_keys.NAME, name)] if name else []
        self.correlation = uuid4().hex
        said.append(Entry(wire_keys.CONNECTION_CORRELATION, self.correlation))
        self.state = LinkState(initiator, limits, tuple(said), full_credit)
        self.transport = transport
        self.name, self.peer_name = name, ""
        self.response_timeout_s = response_timeout_s
        self.connections: dict[int, Connection] = {}
        self.opened_ns = time.time_ns()
        self.bytes_in = self.bytes_out = 0
        self.last_in_ns: int | None = None
        self.last_out_ns: int | None = None
        self.paused = False
        """What has come and is not read by its channels' receivers is too much: nothing is read from the transport."""
        self.when_closed: Callable[[], object] = lambda: None
        self._service = service or _EMPTY
        self._on_connection = on_connection
        self._opened = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self._unread = 0
        self._connecting: dict[int, tuple[asyncio.Future[Connection], Service]] = {}
        self.credit_waiters: dict[tuple[int, int], list[tuple[asyncio.Future[None], asyncio.Task[Any] | None]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reader: asyncio.Task[None] | None = None

    @property
    def root(self) -> Connection:
        """The connection that is there from the beginning."""
        return self.connections[ROOT]

    async def open(self) -> None:
        """Exchanges the Hellos. Raises `LinkClosed` where that takes more than 10 s or fails."""
        self.state.start()
        self.flush()
        self._reader = asyncio.get_running_loop().create_task(self._read(), name=f"roam link to {self.transport.peer}")
        try:
            async with asyncio.timeout(_HELLO_S):
                await asyncio.shield(self._opened)
        except TimeoutError:
            await self.close("no Hello within 10 s")
            raise LinkClosed("no Hello within 10 s") from None
        except BaseException:
            await self.close()
            raise

    async def call(self, method: Any, *arguments: Any, metadata: Metadata = ()) -> Any:
        """On the root connection; see `Connection.call`."""
        self.raise_if_ended()
        return await self.root.call(method, *arguments, metadata=metadata)

    async def connect(self, service: Service | None = None, said: Metadata = ()) -> Connection:
        """A further, virtual connection. Raises `ConnectionRefused` where the peer does not want one."""
        self.raise_if_ended()
        future: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        request_id = self.state.connect(said)
        self._connecting[request_id] = (future, service or _EMPTY)
        await self.flush_and_drain()
        return await future

    async def close(self, reason: str = "") -> None:
        """Says Goodbye and ends everything. More than once if you like."""
        self.state.goodbye(ROOT, reason)
        self.flush()
        self._end_all(reason)
        if self._reader is None:
            await self._close_transport()
        elif asyncio.current_task() is not self._reader:
            self._stop_reading()
            await self._closed.wait()

    async def wait_closed(self) -> None:
        """Until it has ended, by whomever."""
        await self._closed.wait()

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    # --- for its connections and channels -----------------------------------------------------------------------------

    def raise_if_ended(self) -> None:
        if self.state.ended is not None:
            raise LinkClosed(self.state.ended.reason)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task that lives as long as it runs."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def flush(self) -> None:
        data = self.state.take()
        if data:
            self.bytes_out += len(data)
            self.last_out_ns = time.time_ns()
            self.transport.write(data)

    async def flush_and_drain(self) -> None:
        self.flush()
        if self.state.ended is None:
            try:
                await self.transport.drain()
            except OSError as error:
                raise LinkClosed(f"the transport has ended: {type(error).__name__}") from error

    def break_off(self, violation: ProtocolViolation) -> None:
        """The peer broke a rule that is not the state's to see."""
        if self.state.ended is None:
            ended = self.state.break_off(violation)
            self.flush()
            self._end_all(ended.reason)
            self._stop_reading()

    async def wait_for_credit(self, conn_id: int, channel_id: int) -> None:
        """Until some came or the channel has ended."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self.credit_waiters.setdefault((conn_id, channel_id), [])
        waiter = (future, asyncio.current_task())
        waiters.append(waiter)
        try:
            await future
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    def credit_came(self, conn_id: int, channel_id: int) -> None:
        for future, _ in self.credit_waiters.pop((conn_id, channel_id), []):
            if not future.done():
                future.set_result(None)

    def consumed(self, conn_id: int, channel_id: int, inbox: Inbox, size: int) -> None:
        """An element was taken from an inbox."""
        if self.is_counted(conn_id, channel_id, inbox):
            self._less_unread(size + 4)
        self.state.consumed(conn_id, channel_id, size)
        self.flush()

    def connection_ended(self, conn_id: int, reason: str) -> None:
        connection = self.connections.pop(conn_id, None)
        if connection is not None:
            self._less_unread(sum(inbox.size for inbox in connection.inboxes.values()))
            connection.end(reason)
            for key in [key for key in self.credit_waiters if key[0] == conn_id]:
                self.credit_came(*key)

    def dropped(self, inbox: Inbox) -> None:
        """What was in it is read by nobody any more, or no more can come."""
        self._less_unread(inbox.size)

    def is_counted(self, conn_id: int, channel_id: int, inbox: Inbox) -> bool:
        """Whether what is in it counts as unread."""
        connection = self.connections.get(conn_id)
        return connection is not None and connection.inboxes.get(channel_id) is inbox

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while self.state.ended is None:
                try:
                    data = await self.transport.read()
                except OSError:
                    data = b""
                self._take_in(data)
                self.flush()
                if self.transport.buffered > _BUFFERED_MOST:
                    with contextlib.suppress(OSError):
                        await self.transport.drain()
                await self._until_room()
        except asyncio.CancelledError:
            if self.state.ended is None:  # by somebody who knows nothing of links
                self.state.goodbye(ROOT)
                self.flush()
        finally:
            ended = self.state.ended
            self._end_all("" if ended is None else ended.reason)
            await self._close_transport()

    def _take_in(self, data: bytes) -> None:
        if data:
            self.bytes_in += len(data)
            self.last_in_ns = time.time_ns()
        for event in self.state.receive(data) if data else self.state.eof():
            if type(event) is Data:
                self._data(event)
            elif type(event) is Request:
                self.connections[event.conn_id].request_came(event)
            elif type(event) is Responded:
                self.connections[event.conn_id].calls.answered(event.request_id, event.payload)
            elif type(event) is Cancel:
                self.connections[event.conn_id].cancel_came(event)
            elif type(event) is CreditCame:
                self.credit_came(event.conn_id, event.channel_id)
            elif type(event) is ChannelEnded:
                self._channel_ended(event)
            else:
                self._of_link(event)

    def _of_link(self, event: Event) -> None:
        if type(event) is Opened:
            self._open_root(event)
        elif type(event) is ConnectionWanted:
            self._wanted(event)
        elif type(event) is ConnectionAccepted:
            future, service = self._connecting.pop(event.request_id)
            connection = self.connections[event.conn_id] = Connection(self, event.conn_id, service, event.metadata)
            if not future.done():
                future.set_result(connection)
            else:  # whoever asked has gone
                self.state.goodbye(event.conn_id)
                self.connection_ended(event.conn_id, "")
        elif type(event) is ConnectionRejected:
            future, _ = self._connecting.pop(event.request_id)
            if not future.done():
                future.set_exception(ConnectionRefused(event.reason))
        elif type(event) is ConnectionEnded:
            self.connection_ended(event.conn_id, event.reason)
        elif type(event) is LinkEnded:
            self._end_all(event.reason)

    def _open_root(self, event: Opened) -> None:
        self.peer_name = metadata.text_of(event.metadata, wire_keys.NAME)
        theirs = metadata.text_of(event.metadata, wire_keys.CONNECTION_CORRELATION)
        if not self.state.initiator and theirs:
            self.correlation = theirs
        self.connections[ROOT] = Connection(self, ROOT, self._service, event.metadata)
        if not self._opened.done():
            self._opened.set_result(None)

    def _wanted(self, event: ConnectionWanted) -> None:
        try:
            service = None if self._on_connection is None else self._on_connection(event.metadata)
        except Exception:
            _logger.exception("it cannot be told whether a connection is wanted")
            service = None
        with contextlib.suppress(StateError):  # a Goodbye may have come with it
            if service is None:
                self.state.reject(event.request_id)
                return
            conn_id = self.state.accept(event.request_id)
            self.connections[conn_id] = Connection(self, conn_id, service, event.metadata)

    def _data(self, event: Data) -> None:
        inbox = self.connections[event.conn_id].inboxes.get(event.channel_id)
        if inbox is not None and inbox.ended is None:
            inbox.put(event.payload)
            self._unread += len(event.payload) + 4

    def _channel_ended(self, event: ChannelEnded) -> None:
        connection = self.connections[event.conn_id]
        inbox = connection.inboxes.get(event.channel_id)
        if inbox is not None:
            if not any(event.channel_id in one.channels for one in connection.calls.handling.values()):
                del connection.inboxes[event.channel_id]
                self.dropped(inbox)
            elif event.reset:
                self.dropped(inbox)
            inbox.end(event.reset)
        self.credit_came(event.conn_id, event.channel_id)

    async def _until_room(self) -> None:
        """With credit, as much may be unread as was granted; without, a slow receiver stops the link."""
        while self.state.ended is None and self._unread > self._unread_most():
            self.paused = True
            self._room.clear()
            await self._room.wait()
        self.paused = False

    def _unread_most(self) -> int:
        if not self.state.full:
            return _UNREAD_MOST
        open_channels = sum(len(one.channels) for one in self.state.connections.values())
        return _UNREAD_MOST + 5 * self.state.agreed.initial_channel_credit * open_channels

    def _less_unread(self, size: int) -> None:
        self._unread = max(0, self._unread - size)
        self._room.set()

    def _end_all(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(LinkClosed(reason or "the link ended before the Hello"))
            self._opened.exception()
        for future, _ in self._connecting.values():
            if not future.done():
                future.set_exception(LinkClosed(reason))
                future.exception()
        self._connecting.clear()
        for conn_id in list(self.connections):
            if conn_id != ROOT:
                self.connection_ended(conn_id, reason)
        root = self.connections.get(ROOT)
        if root is not None:
            root.end(reason)
        for key in list(self.credit_waiters):
            self.credit_came(*key)
        self._room.set()

    def _stop_reading(self) -> None:
        """Not while it closes the transport already: that is to be done to its end."""
        if self._reader is not None and not self._closing:
            self._reader.cancel()

    async def _close_transport(self) -> None:
        self._closing = True
        try:
            await self.transport.close()
        finally:
            self._closed.set()
            self.when_closed()
