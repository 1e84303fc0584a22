# SPDX-License-Identifier: Apache-2.0
"""OTLP/gRPC and OTLP/HTTP on one port.

Why: `PEEPS_DASHBOARD` of a watched program is one address, and the program must be able to push to it with whatever
exporter it has. The HTTP exporter needs nothing compiled; the gRPC one is what many programs already have. It also
makes the commonest mistake with OTLP, gRPC to 4318 or HTTP to 4317, work.

How: an HTTP/2 connection with prior knowledge, which is what gRPC uses, begins with the fixed preface
`PRI * HTTP/2.0`, and no HTTP/1 method is called PRI. The first bytes decide to which of two internal endpoints
(Unix sockets in a private directory) the connection is joined; from then on bytes are copied both ways, with the
flow control of each side stopping the other.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

_PREFACE = b"PRI * HTTP/2.0"
_DECIDE_SECONDS = 30.0

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
    """The side of the client: waits for the first bytes, then joins the connection to an endpoint."""

    def __init__(self, port: SharedPort) -> None:
        super().__init__()
        self._port = port
        self._first = bytearray()
        self._joining: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._port.connections.add(self)
        self._deadline = asyncio.get_running_loop().call_later(_DECIDE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            super().data_received(data)
            return
        self._first += data
        known = min(len(self._first), len(_PREFACE))
        if self._joining is None and (known == len(_PREFACE) or not _PREFACE.startswith(self._first[:known])):
            grpc = self._first.startswith(_PREFACE)
            if self.transport is not None:
                self.transport.pause_reading()
            self._joining = asyncio.get_running_loop().create_task(self._join(grpc))

    def eof_received(self) -> bool:
        return super().eof_received() if self.peer is not None else False

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._joining is not None:
            self._joining.cancel()
        super().connection_lost(exc)

    async def _join(self, grpc: bool) -> None:
        back = _Side()
        back.peer = self  # before it is connected: a gRPC server speaks first
        endpoint = self._port.grpc if grpc else self._port.http
        loop = asyncio.get_running_loop()
        try:
            if isinstance(endpoint, str):
                await loop.create_unix_connection(lambda: back, endpoint)
            else:
                await loop.create_connection(lambda: back, *endpoint)
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
        back.transport.write(bytes(self._first))
        self._first.clear()
        self.transport.resume_reading()


class SharedPort:
    """Listening sockets that accept both protocols. All methods on the event loop."""

    def __init__(self, grpc: Endpoint, http: Endpoint) -> None:
        self.grpc = grpc
        self.http = http
        self.connections: set[_Front] = set()
        self._servers: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket) -> None:
        """Takes over a bound socket."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: _Front(self), sock=sock, backlog=1024))

    async def stop(self) -> None:
        """Stops listening and closes what is open."""
        for server in self._servers:
            server.close()
        for front in list(self.connections):
            if front.transport is not None:
                front.transport.close()
        self._servers.clear()
