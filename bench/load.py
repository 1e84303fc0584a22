# SPDX-License-Identifier: Apache-2.0
"""Loads a server: `python -m bench.load PORT PROCESS_ID CONNECTIONS WARM_UP_SECONDS SECONDS`.

Over kept-alive connections, each with one request under way. The server's processor time is read from outside, so that
it is that of all its threads and of the processes it started.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import cast

from .loops import loop_factory
from .report_line import tell
from .request_work import BODY
from .steady import cpu_ns

_ANSWER_WITHIN_NS = 30_000_000_000


class Client(asyncio.Protocol):
    """Sends the next request when the answer to the last is there."""

    _REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

    def __init__(self) -> None:
        self.answers = 0
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance
        self._transport.write(self._REQUEST)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n" + BODY):
            if not self._received.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server answers {self._received[:80]!r}")
            self._received = b""
            self.answers += 1
            assert self._transport is not None
            self._transport.write(self._REQUEST)


async def load(port: int, process: int, connections: int, warm_up: float, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for _ in range(connections)]
    return await measured(process, lambda: sum(client.answers for client in clients), warm_up, seconds)


async def measured(process: int, answers: Callable[[], int], warm_up: float, seconds: float) -> dict[str, float]:
    """What the server spends on a request while it is loaded; `answers`: so many so far."""

    def now() -> tuple[int, int, int]:
        return cpu_ns(process), answers(), time.monotonic_ns()

    await asyncio.sleep(warm_up)
    cpu_before, answers_before, before = now()
    await asyncio.sleep(seconds)
    cpu_after, answers_after, after = now()
    while answers_after == answers_before and after - before < _ANSWER_WITHIN_NS:  # the machine is very busy
        await asyncio.sleep(0.5)
        cpu_after, answers_after, after = now()
    count = answers_after - answers_before
    if not count:
        raise SystemExit("no answers")
    return {"cpu_us": (cpu_after - cpu_before) / count / 1e3, "per_second": count / (after - before) * 1e9}


def main(port: str, process: str, connections: str, warm_up: str, seconds: str) -> None:
    with asyncio.Runner(loop_factory=loop_factory("fastest")) as runner:
        tell(runner.run(load(int(port), int(process), int(connections), float(warm_up), float(seconds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
