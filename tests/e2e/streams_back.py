# SPDX-License-Identifier: Apache-2.0
"""Two services that read each other's streams, each with the lock in hand that its own stream needs:
`streams_back.py PORT OTHER`. The headers have come, so no span of a client is open; uvloop keeps connections in C."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from listens import until_it_listens

books = asyncio.Lock()
app = FastAPI()


async def lines() -> AsyncGenerator[bytes]:
    yield b"head\n"
    async with books:
        yield b"row\n"


async def rows() -> StreamingResponse:
    return StreamingResponse(lines())


app.get("/rows")(rows)


async def update(other: int) -> None:
    async with books:
        await asyncio.sleep(2)  # until the other one has got there too
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", f"http://127.0.0.1:{other}/rows") as response,
        ):
            async for _line in response.aiter_lines():
                pass


async def main(port: int, other: int) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await until_it_listens(other)
    print("streams_back: at work", flush=True)
    await asyncio.create_task(update(other), name="update")
    await serving


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
