# SPDX-License-Identifier: Apache-2.0
"""One side of a link without any input or output: bytes in, events out, bytes to send.

Whatever comes in, `receive` raises nothing. What the peer may not do ends the link, with a Goodbye that names the rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from . import limits, messages, metadata, rules, wire_keys
from .connection_state import ConnectionState, Direction
from .errors import StateError
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
from .frames import FrameDecoder, frame
from .limits import Limits
from .messages import ROOT, Hello, Message
from .metadata import Entry, Metadata
from .rules import ProtocolViolation

_REASON_MOST = 200
_REMEMBERED = 1024
_FIRST_CONN = 10_000
"""Whoever accepts a connection gives its id, which has to be unique on the link. Two that ask each other at the same
time must not give the same, and nothing says how: others count from 1."""
_RAN = (b"\x00", b"\x01\x00")
"""How the payload of a response begins whose handler ran to its end: a value, or an error of its own."""


class LinkState:
    """`initiator`: this side opened the link. One thread; nothing in it waits.

    `start` first; then `receive` for what comes, `take` for what is to be sent. `full_credit`: this side is ready to
    keep account of credit, which takes both.
    """

    def __init__(
        self, initiator: bool, offered: Limits | None = None, said: Metadata = (), full_credit: bool = True
    ) -> None:
        self.initiator = initiator
        self.offered = offered or Limits()
        self.agreed = self.offered
        self.open = False
        self.ended: LinkEnded | None = None
        self.connections: dict[int, ConnectionState] = {}
        self.full = False
        self.frames_in = self.frames_out = 0
        self._said = (*said, Entry(wire_keys.CREDIT, wire_keys.FULL)) if full_credit else said
        self._full_offered = full_credit
        self._frames = FrameDecoder()
        self._out = bytearray()
        self._next_request = 1
        self._next_channel = 1 if initiator else 2
        self._next_conn = _FIRST_CONN + (1 if initiator else 2)
        self._connecting: set[int] = set()
        self._wanted: set[int] = set()
        self._closed_connections: OrderedDict[int, None] = OrderedDict()

    # --- bytes --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The Hello, which waits for nothing."""
        ours = self.offered
        self._send(Hello(ours.max_payload_size, ours.initial_channel_credit, ours.max_concurrent_requests, self._said))

    def take(self) -> bytes:
        """What is to be sent since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> list[Event]:
        """Any bytes; what they mean. Nothing more once the link has ended."""
        found: list[Event] = []
        if self.ended is not None:
            return found
        self._frames.feed(data)
        try:
            while self.ended is None and (raw := self._frames.next()) is not None:
                self.frames_in += 1
                found.extend(self._handle(messages.decode(raw)))
        except ProtocolViolation as violation:
            if not self.open and violation.rule not in (rules.HELLO_ORDERING, rules.HELLO_VERSION):
                violation = self._before_hello(violation)
            found.append(self.break_off(violation))
        return found

    def eof(self) -> list[Event]:
        """The transport has ended."""
        if self.ended is not None:
            return []
        self.ended = LinkEnded("the transport has ended", by_peer=True)
        return [self.ended]

    def break_off(self, violation: ProtocolViolation) -> LinkEnded:
        """Ends the link for a rule; the Goodbye is to be sent."""
        self._send(messages.Goodbye(ROOT, violation.rule))
        self.ended = LinkEnded(str(violation), violation.rule)
        return self.ended

    def _before_hello(self, violation: ProtocolViolation) -> ProtocolViolation:
        """Whatever else is wrong with a first message that is no Hello: it is none."""
        if violation.rule in (rules.PAYLOAD_LIMIT, rules.DATA_SIZE):
            return ProtocolViolation(rules.HELLO_ORDERING, "no Hello")
        return violation

    def _send(self, message: Message) -> None:
        if self.ended is not None:
            raise StateError(f"the link has ended: {self.ended.reason}")
        self._out += frame(message)
        self.frames_out += 1

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> Iterator[Event]:
        if not self.open:
            if type(message) is not Hello:
                raise ProtocolViolation(rules.HELLO_ORDERING, f"{type(message).__name__} before Hello")
            yield self._opened(message)
        elif type(message) is messages.Goodbye:
            yield from self._goodbye(message)
        elif type(message) is messages.Connect:
            yield from self._connect(message)
        elif type(message) is messages.Accept:
            yield from self._accepted(message)
        elif type(message) is messages.Reject:
            if message.request_id in self._connecting:
                self._connecting.discard(message.request_id)
                yield ConnectionRejected(message.request_id, message.reason[:_REASON_MOST], message.metadata)
        elif type(message) is messages.Response:
            yield from self._response(message)
        elif type(message) is not Hello:  # a second one says nothing: so both other implementations take it
            yield from self._on_connection(message)

    def _opened(self, hello: Hello) -> Opened:
        if hello.version != messages.VERSION:
            raise ProtocolViolation(rules.HELLO_VERSION, f"Hello V{hello.version}, V{messages.VERSION} is spoken here")
        theirs = Limits(hello.max_payload_size, hello.initial_channel_credit, hello.max_concurrent_requests or 0)
        self.agreed = self.offered.smaller(theirs)
        self.full = self._full_offered and metadata.value_of(hello.metadata, wire_keys.CREDIT) == wire_keys.FULL
        self.open = True
        self._frames.limit = self.agreed.frame
        self.connections[ROOT] = ConnectionState(ROOT, self.agreed, self.full)
        return Opened(self.agreed, hello.metadata, self.full)

    def _goodbye(self, message: messages.Goodbye) -> Iterator[Event]:
        reason = message.reason[:_REASON_MOST]
        if message.conn_id == ROOT:
            self.ended = LinkEnded(reason, by_peer=True)
            yield self.ended
        elif message.conn_id in self.connections:
            self._close(message.conn_id)
            yield ConnectionEnded(message.conn_id, reason)

    def _connect(self, message: messages.Connect) -> Iterator[Event]:
        request_id = message.request_id
        if request_id in self._wanted:
            raise ProtocolViolation(rules.DUPLICATE_REQUEST, f"Connect {request_id}")
        if len(self.connections) + len(self._wanted) > limits.CONNECTIONS_MOST:
            self._send(messages.Reject(request_id, "too many connections"))
            return
        self._wanted.add(request_id)
        yield ConnectionWanted(request_id, message.metadata)

    def _accepted(self, message: messages.Accept) -> Iterator[Event]:
        if message.request_id not in self._connecting:
            return
        if message.conn_id == ROOT or message.conn_id in self.connections:
            raise ProtocolViolation(rules.CONN_ALLOCATION, f"connection {message.conn_id}")
        self._connecting.discard(message.request_id)
        self._closed_connections.pop(message.conn_id, None)
        self.connections[message.conn_id] = ConnectionState(message.conn_id, self.agreed, self.full)
        yield ConnectionAccepted(message.request_id, message.conn_id, message.metadata)

    def _response(self, message: messages.Response) -> Iterator[Event]:
        connection = self._connection(message.conn_id)
        if connection is None:
            return
        if len(message.payload) > self.agreed.max_payload_size:
            raise ProtocolViolation(rules.PAYLOAD_LIMIT, f"a response of {len(message.payload)} bytes")
        if message.request_id not in connection.asked and message.conn_id == ROOT:
            # The TypeScript runtime answers on the root what was asked on another. Our ids are the link's, so it is
            # known which one is meant.
            others = (one for one in self.connections.values() if message.request_id in one.asked)
            connection = next(others, connection)
        if message.request_id not in connection.asked:
            raise ProtocolViolation(rules.UNKNOWN_RESPONSE, f"request {message.request_id}")
        failed = not message.payload.startswith(_RAN)
        yield from connection.response_came(message.request_id, failed)
        yield Responded(connection.id, message.request_id, message.metadata, message.payload)

    def _on_connection(self, message: Message) -> Iterator[Event]:
        conn_id: int = getattr(message, "conn_id", ROOT)
        connection = self._connection(conn_id)
        if connection is None:
            return
        if type(message) is messages.Request:
            if len(message.payload) > self.agreed.max_payload_size:
                raise ProtocolViolation(rules.PAYLOAD_LIMIT, f"a request of {len(message.payload)} bytes")
            connection.request_came(message.request_id, message.channels)
            yield message
        elif type(message) is messages.Cancel:
            if message.request_id in connection.answering:
                yield message
        elif type(message) is messages.Data:
            if connection.data_came(message.channel_id, len(message.payload)):
                yield message
        elif type(message) is messages.Credit:
            if connection.credit_came(message.channel_id, message.bytes):
                yield CreditCame(conn_id, message.channel_id)
        elif type(message) is messages.Close or type(message) is messages.Reset:
            reset = type(message) is messages.Reset
            if connection.end_came(message.channel_id, reset):
                yield ChannelEnded(conn_id, message.channel_id, reset)

    def _connection(self, conn_id: int) -> ConnectionState | None:
        """None for one that has been closed: its last messages may be on their way."""
        found = self.connections.get(conn_id)
        if found is None and conn_id not in self._closed_connections:
            raise ProtocolViolation(rules.CONN_ID, f"connection {conn_id}")
        return found

    def _close(self, conn_id: int) -> None:
        del self.connections[conn_id]
        self._closed_connections[conn_id] = None
        if len(self._closed_connections) > _REMEMBERED:
            self._closed_connections.popitem(last=False)

    # --- what this side does ------------------------------------------------------------------------------------------

    def request(
        self, conn_id: int, method_id: int, payload: bytes, said: Metadata, channels: dict[int, Direction]
    ) -> int:
        """The id of the new request. `channels`: in the order of the arguments, with their direction from here; the
        ids from `channel_id`."""
        connection = self._ours(conn_id)
        if len(connection.asked) >= self.agreed.max_concurrent_requests:
            raise StateError(f"{len(connection.asked)} requests are in flight, more are not allowed")
        if len(payload) > self.agreed.max_payload_size:
            raise ValueError(f"{len(payload)} bytes of arguments, {self.agreed.max_payload_size} are allowed")
        metadata.check(said)
        request_id = self._next_request
        self._send(messages.Request(conn_id, request_id, method_id, said, tuple(channels), payload))
        self._next_request += 1
        connection.asked[request_id] = tuple(channels)
        for channel_id, direction in channels.items():
            connection.open(channel_id, request_id, direction)
        return request_id

    def channel_id(self) -> int:
        """A new one; odd for the initiator of the link, even for the other side. None is used twice."""
        self._next_channel += 2
        return self._next_channel - 2

    def respond(self, conn_id: int, request_id: int, payload: bytes, said: Metadata = ()) -> None:
        """Ends what the handler left open, then answers. Raises ValueError for what is too long to be sent."""
        connection = self._ours(conn_id)
        if request_id not in connection.answering:
            raise StateError(f"request {request_id} is not in flight")
        if len(payload) > self.agreed.max_payload_size:
            raise ValueError(f"a response of {len(payload)} bytes, {self.agreed.max_payload_size} are allowed")
        metadata.check(said)
        for channel_id, reset in connection.answered(request_id):
            self._send(messages.Reset(conn_id, channel_id) if reset else messages.Close(conn_id, channel_id))
        self._send(messages.Response(conn_id, request_id, said, (), payload))

    def cancel(self, conn_id: int, request_id: int) -> None:
        """Asks for it: the request stays in flight until its response."""
        if request_id in self._ours(conn_id).asked:
            self._send(messages.Cancel(conn_id, request_id))

    def bind(self, conn_id: int, channel_id: int, direction: Direction) -> None:
        """A handler says which way a channel goes. Nothing where the channel has ended meanwhile."""
        channel = self._ours(conn_id).channels.get(channel_id)
        if channel is not None:
            channel.direction = direction

    def may_send(self, conn_id: int, channel_id: int, size: int) -> bool:
        """False: credit is to be waited for. Raises `StateError` on a channel that has ended, ValueError for an element
        that can never be sent."""
        connection = self._ours(conn_id)
        channel = connection.channels.get(channel_id)
        if channel is None or channel.direction is not Direction.SENDS:
            raise StateError(f"channel {channel_id} is not open for sending")
        most = self.agreed.max_payload_size
        if self.full:
            most = min(most, self.agreed.initial_channel_credit)
        if size > most:
            raise ValueError(f"an element of {size} bytes, {most} are allowed")
        return not self.full or size <= channel.credit

    def data(self, conn_id: int, channel_id: int, payload: bytes) -> None:
        """Raises `StateError` without credit."""
        if not self.may_send(conn_id, channel_id, len(payload)):
            raise StateError(f"no credit on channel {channel_id}")
        channel = self.connections[conn_id].channels[channel_id]
        self._send(messages.Data(conn_id, channel_id, payload))
        channel.credit -= len(payload) if self.full else 0
        channel.items += 1
        channel.bytes += len(payload)

    def consumed(self, conn_id: int, channel_id: int, size: int) -> None:
        """An element was taken off: credit for it is granted, not for each single one."""
        connection = self.connections.get(conn_id)
        granted = 0 if connection is None or self.ended is not None else connection.consumed(channel_id, size)
        if granted:
            self._send(messages.Credit(conn_id, channel_id, granted))

    def end_channel(self, conn_id: int, channel_id: int, reset: bool = False) -> None:
        """Close by its sender, or Reset by either side. Nothing where it has ended."""
        connection = self.connections.get(conn_id)
        if self.ended is None and connection is not None and connection.end(channel_id, ignore=reset):
            self._send(messages.Reset(conn_id, channel_id) if reset else messages.Close(conn_id, channel_id))

    # --- virtual connections ------------------------------------------------------------------------------------------

    def connect(self, said: Metadata = ()) -> int:
        """Asks for a further connection; the id of the asking."""
        self._ours(ROOT)
        metadata.check(said)
        request_id = self._next_request
        self._send(messages.Connect(request_id, said))
        self._next_request += 1
        self._connecting.add(request_id)
        return request_id

    def accept(self, request_id: int, said: Metadata = ()) -> int:
        """The id of the new connection. Ours are odd where this side opened the link, even otherwise, and begin far
        from where others do, so that both may ask at the same time."""
        self._answered_connect(request_id)
        while self._next_conn in self.connections:
            self._next_conn += 2
        conn_id = self._next_conn
        self._next_conn += 2
        self._send(messages.Accept(request_id, conn_id, said))
        self.connections[conn_id] = ConnectionState(conn_id, self.agreed, self.full)
        return conn_id

    def reject(self, request_id: int, reason: str = "not listening", said: Metadata = ()) -> None:
        self._answered_connect(request_id)
        self._send(messages.Reject(request_id, reason, said))

    def goodbye(self, conn_id: int = ROOT, reason: str = "") -> None:
        """Ends a connection; the root with the whole link. Nothing where it has ended."""
        if self.ended is not None or (conn_id != ROOT and conn_id not in self.connections):
            return
        self._send(messages.Goodbye(conn_id, reason))
        if conn_id == ROOT:
            self.ended = LinkEnded(reason)
        else:
            self._close(conn_id)

    def _answered_connect(self, request_id: int) -> None:
        self._ours(ROOT)
        if request_id not in self._wanted:
            raise StateError(f"nobody asked for a connection by {request_id}")
        self._wanted.discard(request_id)

    def _ours(self, conn_id: int) -> ConnectionState:
        if self.ended is not None:
            raise StateError(f"the link has ended: {self.ended.reason}")
        connection = self.connections.get(conn_id)
        if connection is None:
            raise StateError(f"connection {conn_id} is not open" if self.open else "no Hello has come yet")
        return connection
