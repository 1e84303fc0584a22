# SPDX-License-Identifier: Apache-2.0
"""A service for the tests, and both ends of a link over each transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from peeps_otel import roam

ECHO = roam.Method("Shop", "echo", (roam.STRING,), roam.STRING)
DIVIDE = roam.Method("Shop", "divide", (roam.I64, roam.I64), roam.I64, roam.Enum({"DivisionByZero": None}))
SUM = roam.Method("Shop", "sum", (roam.Rx(roam.I32),), roam.I64)
COUNT = roam.Method("Shop", "count", (roam.U32, roam.Tx(roam.U32)))
SHOUT = roam.Method("Shop", "shout", (roam.Rx(roam.STRING), roam.Tx(roam.STRING)))
SLEEP = roam.Method("Shop", "sleep")
FAIL = roam.Method("Shop", "fail")
HOLD = roam.Method("Shop", "hold", (roam.Rx(roam.BYTES),))
ALL = (ECHO, DIVIDE, SUM, COUNT, SHOUT, SLEEP, FAIL, HOLD)


class Shop(roam.Service):
    """`cancelled`: how many sleepers were; `go_on`: lets `hold` read."""

    def __init__(self) -> None:
        super().__init__("shop")
        self.cancelled = 0
        self.go_on = asyncio.Event()
        self.held: list[int] = []
        for method, handler in (
            (ECHO, self.echo),
            (DIVIDE, self.divide),
            (SUM, self.sum),
            (COUNT, self.count),
            (SHOUT, self.shout),
            (SLEEP, self.sleep),
            (FAIL, self.fail),
            (HOLD, self.hold),
        ):
            self.add(method, handler)

    async def echo(self, _context: roam.Context, text: str) -> str:
        return text

    async def divide(self, _context: roam.Context, one: int, other: int) -> int:
        if other == 0:
            raise roam.UserError(roam.Variant("DivisionByZero"))
        return one // other

    async def sum(self, _context: roam.Context, numbers: roam.Receiver) -> int:
        return sum([number async for number in numbers])

    async def count(self, _context: roam.Context, most: int, output: roam.Sender) -> None:
        for number in range(most):
            await output.send(number)

    async def shout(self, _context: roam.Context, words: roam.Receiver, output: roam.Sender) -> None:
        async for word in words:
            await output.send(word.upper())

    async def sleep(self, _context: roam.Context) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def fail(self, _context: roam.Context) -> None:
        raise LookupError("not for the peer")

    async def hold(self, _context: roam.Context, parts: roam.Receiver) -> None:
        await self.go_on.wait()
        async for part in parts:
            self.held.append(len(part))


@asynccontextmanager
async def linked(
    transport: str, directory: Path, theirs: dict[str, Any] | None = None, **ours: Any
) -> AsyncGenerator[tuple[roam.Link, Shop]]:
    """A link to a shop, and the shop. `theirs`: the options of its end."""
    shop = Shop()
    theirs = theirs or {}
    if transport == "memory":
        link, other = await roam.connect_in_process(shop, **(theirs | ours))
        try:
            yield link, shop
        finally:
            await link.close()
            await other.wait_closed()
    elif transport == "tcp":
        async with (
            await roam.serve_tcp(shop, "127.0.0.1", 0, **theirs) as server,
            await roam.connect_tcp("127.0.0.1", server.port, **ours) as link,
        ):
            yield link, shop
    else:
        path = str(directory / "shop")
        async with await roam.serve_unix(shop, path, **theirs), await roam.connect_unix(path, **ours) as link:
            yield link, shop


async def until(condition: Callable[[], Any], what: str) -> None:
    """Within the loop; a generous limit for a busy machine."""
    try:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within 60 s: {what}") from None


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(100):
            await story()

    asyncio.run(limited())
