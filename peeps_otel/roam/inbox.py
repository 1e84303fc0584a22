# SPDX-License-Identifier: Apache-2.0
"""The elements of one channel that have come and have not been read, one after the other in one piece of memory."""

from __future__ import annotations

import asyncio
import struct
from collections import deque

from .errors import ChannelClosed

_LENGTH = struct.Struct("<I")


class Inbox:
    """Of one loop. `size`: bytes kept, with four for each element. `ended`: no more comes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.tasks: list[asyncio.Task[object]] = []
        """Who waits for an element."""
        self.items = 0
        self.ended: ChannelClosed | None = None

    @property
    def size(self) -> int:
        return len(self._data) - self._at

    def put(self, payload: bytes) -> None:
        self._data += _LENGTH.pack(len(payload))
        self._data += payload
        self.items += 1
        self._wake()

    def end(self, reset: bool) -> None:
        """`reset`: what has not been read is void."""
        if self.ended is None:
            self.ended = ChannelClosed(reset)
        if reset:
            self.clear()
        while self._waiters:
            self._wake()

    def clear(self) -> None:
        self._data.clear()
        self._at = self.items = 0

    async def get(self) -> bytes:
        """The next one. Raises `ChannelClosed` after the last."""
        while not self.items:
            if self.ended is not None:
                raise ChannelClosed(self.ended.reset)
            await self.wait()
        (size,) = _LENGTH.unpack_from(self._data, self._at)
        begin = self._at + _LENGTH.size
        self._at = begin + size
        self.items -= 1
        payload = bytes(memoryview(self._data)[begin : self._at])
        if 2 * self._at >= len(self._data):
            del self._data[: self._at]
            self._at = 0
        if self.items:
            self._wake()
        return payload

    async def wait(self) -> None:
        """Until there may be one."""
        future = asyncio.get_running_loop().create_future()
        task = asyncio.current_task()
        self._waiters.append(future)
        if task is not None:
            self.tasks.append(task)
        try:
            await future
        except BaseException:
            if future in self._waiters:
                self._waiters.remove(future)
            elif self.items:
                self._wake()
            raise
        finally:
            if task is not None:
                self.tasks.remove(task)

    def _wake(self) -> None:
        while self._waiters:
            future = self._waiters.popleft()
            if not future.done():
                future.set_result(None)
                return
