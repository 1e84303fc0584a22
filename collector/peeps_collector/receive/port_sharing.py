# SPDX-License-Identifier: Apache-2.0
"""OTLP/gRPC and OTLP/HTTP on one port.

Why: `PEEPS_COLLECTOR_ENDPOINT` of a watched program is one address, and the program must be able to push to it with
whatever exporter it has. The HTTP exporter needs nothing compiled; the gRPC one is what many programs already have. It
also makes the commonest mistake with OTLP, gRPC to 4318 or HTTP to 4317, work.

How: an HTTP/2 connection with prior knowledge, which is what gRPC uses, begins with the fixed preface
`PRI * HTTP/2.0`, and no HTTP/1 method is called PRI. The first bytes decide: an HTTP/1 connection is handed to a
protocol of this process; one of gRPC is joined to an internal endpoint (a Unix socket in a private directory), and
from then on bytes are copied both ways, with the flow control of each side stopping the other. gRPC keeps what it
receives to itself until a message is whole, so its bytes are counted here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import cast

from .request import Budget

_PREFACE = b"PRI * HTTP/2.0"
_DECIDE_SECONDS = 10.0
_UNFINISHED_SECONDS = 120.0
_FRAMING_BYTES = 4096  # around a message, at most; and what HTTP/2 sends without one

Endpoint = str | tuple[str, int]
"""A Unix socket's path, or host and port where the platform has none."""


class _Side(asyncio.Protocol):
    """One of the two ends of a joined connection; `peer` is the other transport."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        peer = self.peer
        if peer is None or peer.transport is None or peer.ended:
            return False  # nothing more can come from either side: both are closed
        if not peer.transport.can_write_eof():  # TLS ends in both directions at once
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True  # the other direction may still have an answer to carry

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()
        self.peer = None

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()


class _Front(_Side):
    """The side of the client: waits for the first bytes, then hands the connection on, or joins it to gRPC.

    `unfinished`: bytes passed on to gRPC of messages that are not whole yet.
    """

    def __init__(self, port: SharedPort) -> None:
        super().__init__()
        self._port = port
        self._first = bytearray()
        self._joining: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.unfinished = 0
        self.whole_s = 0.0
        self.name = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._port.connections) >= self._port.most:
            transport.close()
            return
        self._port.connections.add(self)
        self._deadline = asyncio.get_running_loop().call_later(_DECIDE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            if self._count(len(data)):
                super().data_received(data)
            return
        self._first += data
        known = min(len(self._first), len(_PREFACE))
        if self._joining is None and (known == len(_PREFACE) or not _PREFACE.startswith(self._first[:known])):
            grpc = self._first.startswith(_PREFACE)
            if self.transport is None:
                return
            if not grpc and not isinstance(self._port.http, (str, tuple)):
                self._hand_on(self.transport, self._port.http())
                return
            self.transport.pause_reading()
            self._joining = asyncio.get_running_loop().create_task(self._join(grpc))

    def eof_received(self) -> bool:
        if self.peer is not None:
            return super().eof_received()
        self.ended = self._joining is not None
        return self.ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.forget(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._joining is not None:
            self._joining.cancel()
        super().connection_lost(exc)

    def whole(self, size: int) -> None:
        """A message of `size` bytes, decompressed, has been received in full."""
        left = max(0, self.unfinished - size - size // 64 - _FRAMING_BYTES)
        self._port.budget.give(self.unfinished - left)
        self.unfinished = left
        self.whole_s = asyncio.get_running_loop().time()

    def is_over(self, now_s: float) -> bool:
        return self.unfinished > _FRAMING_BYTES and now_s - self.whole_s > _UNFINISHED_SECONDS

    def _count(self, size: int) -> bool:
        """False where there is no room; the connection is then gone."""
        if self.unfinished <= _FRAMING_BYTES:
            self.whole_s = asyncio.get_running_loop().time()  # here something begins
        if not self._port.budget.take(size, self.unfinished):
            if self.transport is not None:
                self.transport.abort()  # for the sender: UNAVAILABLE, come again
            return False
        self.unfinished += size
        return True

    def _hand_on(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        self._port.forget(self)
        if self._deadline is not None:
            self._deadline.cancel()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(bytes(self._first))

    async def _join(self, grpc: bool) -> None:
        back = _Side()
        back.peer = self  # before it is connected: a gRPC server speaks first
        endpoint = self._port.grpc if grpc else self._port.http
        loop = asyncio.get_running_loop()
        try:
            if isinstance(endpoint, str):
                await loop.create_unix_connection(lambda: back, sock=await self._port.named_socket(self, endpoint))
            else:
                await loop.create_connection(lambda: back, *cast("tuple[str, int]", endpoint))
        except OSError:
            if self.transport is not None:
                self.transport.close()
            return
        if self._deadline is not None:
            self._deadline.cancel()
        if self.transport is None or back.transport is None or self.transport.is_closing():
            if back.transport is not None:
                back.transport.close()
            return
        self.peer = back
        self._count(len(self._first))
        back.transport.write(bytes(self._first))
        self._first.clear()
        if self.ended:
            back.transport.write_eof()
        self.transport.resume_reading()


class SharedPort:
    """Listening sockets that accept both protocols. All methods on the event loop.

    `http`: an endpoint, or what makes the protocol of a connection. `most`: connections that are not handed on.
    """

    def __init__(
        self,
        grpc: Endpoint,
        http: Endpoint | Callable[[], asyncio.Protocol],
        budget: Budget | None = None,
        most: int = 200,
    ) -> None:
        self.grpc = grpc
        self.http = http
        self.budget = budget or Budget(1 << 30)
        self.most = most
        self.connections: set[_Front] = set()
        self._named: dict[str, _Front] = {}
        self._numbers = count(1)
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Takes over a bound socket."""
        loop = asyncio.get_running_loop()
        limit_s = None if tls is None else _DECIDE_SECONDS
        server = await loop.create_server(
            lambda: _Front(self), sock=sock, backlog=1024, ssl=tls, ssl_handshake_timeout=limit_s
        )
        self._servers.append(server)

    async def named_socket(self, front: _Front, path: str) -> socket.socket:
        """A Unix socket connected to `path`, under a name by which the server knows the connection. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        name = Path(f"{path}.{next(self._numbers)}")
        try:
            sock.bind(str(name))
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, path)
        except BaseException:
            sock.close()
            raise
        finally:
            with contextlib.suppress(OSError):
                name.unlink()  # noqa: ASYNC240  the name of a socket that was just made: nothing to wait for
        front.name = f"unix:{name}"
        self._named[front.name] = front
        return sock

    def received(self, peer: str, size: int) -> None:
        """gRPC has a whole message of the connection that it calls `peer`."""
        front = self._named.get(peer)
        if front is not None:
            front.whole(size)

    def forget(self, front: _Front) -> None:
        self.connections.discard(front)
        self._named.pop(front.name, None)
        self.budget.give(front.unfinished)
        front.unfinished = 0

    def sweep(self, now_s: float) -> None:
        """Ends connections with a message that does not come to its end. To be called now and then."""
        for front in list(self.connections):
            if front.is_over(now_s) and front.transport is not None:
                front.transport.abort()

    async def stop(self) -> None:
        """Stops listening and closes what is open."""
        for server in self._servers:
            server.close()
        for front in list(self.connections):
            if front.transport is not None:
                front.transport.close()
        self._servers.clear()
