# SPDX-License-Identifier: Apache-2.0
"""Links over TCP, over a Unix socket and within a process: opening one, and serving those who open one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from .diagnostics import follow
from .errors import RoamError
from .link import Link
from .services import Service
from .transports import StreamTransport, Transport, memory_pair


async def connect_tcp(host: str, port: int, service: Service | None = None, **options: Any) -> Link:
    """A link to a server. `service`: what the server may call back; `options`: those of `Link`. Raises OSError where
    nobody listens, `LinkClosed` where the Hellos do not meet. A context manager closes it."""
    reader, writer = await asyncio.open_connection(host, port)
    return await _open(StreamTransport("tcp", reader, writer), True, service, options)


async def connect_unix(path: str, service: Service | None = None, **options: Any) -> Link:
    """The same over a Unix socket."""
    reader, writer = await asyncio.open_unix_connection(path)
    return await _open(StreamTransport("unix", reader, writer), True, service, options)


async def connect_in_process(
    service: Service | None = None, own_service: Service | None = None, **options: Any
) -> tuple[Link, Link]:
    """Both ends of a link within this loop: the one that calls `service`, and the one that offers it."""
    one, other = memory_pair()
    first, second = await asyncio.gather(
        _open(one, True, own_service, dict(options)), _open(other, False, service, dict(options))
    )
    return first, second


class Server:
    """Listens, and has a link to each peer. `links`: those that are open, or about to be; `port`: of TCP."""

    def __init__(self, service: Service, options: dict[str, Any]) -> None:
        self._service = service
        self._options = options
        self._listening: asyncio.Server | None = None
        self.links: set[Link] = set()
        self.port = 0

    def listens(self, listening: asyncio.Server) -> None:
        self._listening = listening
        address: Any = listening.sockets[0].getsockname()
        self.port = 0 if isinstance(address, (str, bytes)) else int(address[1])

    async def serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One peer, until it has gone."""
        link = Link(StreamTransport(name, reader, writer), False, self._service, **self._options)
        self.links.add(link)
        follow(link)
        try:
            with contextlib.suppress(RoamError, OSError):
                await link.open()
                await link.wait_closed()
        finally:
            self.links.discard(link)

    async def close(self) -> None:
        """Takes no more, and says Goodbye to those that are there."""
        if self._listening is not None:
            self._listening.close()
        await asyncio.gather(*(link.close() for link in list(self.links)))
        if self._listening is not None:
            await self._listening.wait_closed()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


async def serve_tcp(service: Service, host: str, port: int, **options: Any) -> Server:
    """A server that listens. `port` 0: any, see `Server.port`. `options`: those of `Link`."""
    server = Server(service, options)

    async def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.serve("tcp", reader, writer)

    server.listens(await asyncio.start_server(came, host, port))
    return server


async def serve_unix(service: Service, path: str, **options: Any) -> Server:
    """The same on a Unix socket at `path`."""
    server = Server(service, options)

    async def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.serve("unix", reader, writer)

    server.listens(await asyncio.start_unix_server(came, path))
    return server


async def _open(transport: Transport, initiator: bool, service: Service | None, options: dict[str, Any]) -> Link:
    link = Link(transport, initiator, service, **options)
    follow(link)
    await link.open()
    return link
