# SPDX-License-Identifier: Apache-2.0
"""Where the bytes go: an asyncio stream (TCP, Unix socket), or the other end in the same process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Protocol

CHUNK = 64 * 1024
_HIGH_WATER = 256 * 1024
_LINGER_S = 1.0
_LINGER_BYTES = 16 * 1024 * 1024


class Transport(Protocol):
    """Of one loop. `local`, `peer`: addresses for people; `host`, `port`: of the peer, where it has such.
    `buffered`: bytes that were written and have not left."""

    name: str
    local: str
    peer: str
    host: str
    port: int | None

    @property
    def buffered(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Until little is buffered. Raises OSError where nothing can leave any more."""
        ...

    async def read(self) -> bytes:
        """Some bytes; none at the end. Raises OSError."""
        ...

    async def close(self) -> None:
        """Lets what was written leave: whoever is still sending would else not get to read our last words."""
        ...


class StreamTransport:
    """A `Transport` over a reader and a writer of asyncio."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self._reader, self._writer = reader, writer
        self.local, self.peer = _address(writer, "sockname"), _address(writer, "peername")
        self.host = ""
        self.port: int | None = None
        if name == "tcp":
            self.host, self.port = writer.get_extra_info("peername")[:2]

    @property
    def buffered(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    async def read(self) -> bytes:
        return await self._reader.read(CHUNK)

    async def close(self) -> None:
        try:
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                async with asyncio.timeout(_LINGER_S):
                    await self._writer.drain()
                    if self._writer.can_write_eof():
                        self._writer.write_eof()
                    taken = 0
                    while taken < _LINGER_BYTES and (data := await self._reader.read(CHUNK)):
                        taken += len(data)
        finally:
            self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class MemoryTransport:
    """One end of a pair in one process and loop; see `memory_pair`."""

    name = "memory"
    host = ""

    def __init__(self, local: str, peer: str) -> None:
        self.local, self.peer = local, peer
        self.port: int | None = None
        self._other: MemoryTransport = self
        self._here: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def join(self, other: MemoryTransport) -> None:
        self._other = other

    @property
    def buffered(self) -> int:
        return self._other.unread

    @property
    def unread(self) -> int:
        """Bytes that wait to be read at this end."""
        return self._size

    def write(self, data: bytes) -> None:
        self._other.put(data)

    def put(self, data: bytes) -> None:
        """From the other end."""
        if not self._ended and data:
            self._here.append(data)
            self._size += len(data)
            self._came.set()
            if self._size > _HIGH_WATER:
                self._room.clear()

    def end(self) -> None:
        """The other end writes no more."""
        self._ended = True
        self._came.set()

    async def room(self) -> None:
        """Until little is unread at this end."""
        await self._room.wait()

    async def drain(self) -> None:
        await self._other.room()

    async def read(self) -> bytes:
        while not self._here:
            if self._ended:
                return b""
            self._came.clear()
            await self._came.wait()
        data = self._here.popleft()
        self._size -= len(data)
        if self._size <= _HIGH_WATER // 2:
            self._room.set()
        return data

    async def close(self) -> None:
        self._other.end()
        self._ended = True
        self._here.clear()
        self._size = 0
        self._room.set()
        self._came.set()


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """The initiator's end, and the acceptor's."""
    one, other = MemoryTransport("memory:1", "memory:2"), MemoryTransport("memory:2", "memory:1")
    one.join(other)
    other.join(one)
    return one, other


def _address(writer: asyncio.StreamWriter, which: str) -> str:
    found: Any = writer.get_extra_info(which)
    return found if isinstance(found, str) else ":".join(map(str, found[:2])) if found else ""
