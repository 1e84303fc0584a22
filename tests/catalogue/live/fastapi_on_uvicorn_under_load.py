# SPDX-License-Identifier: Apache-2.0
"""FastAPI on uvicorn: async and threaded endpoints, a dependency with a shared pool, and a busy aiohttp client."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

import uvicorn
from aiohttp import ClientSession
from fastapi import Depends, FastAPI

app = FastAPI()
pool = asyncio.Semaphore(4)


async def connection() -> AsyncIterator[int]:
    async with pool:
        yield 1


@app.get("/orders")
async def orders(database: Annotated[int, Depends(connection)]) -> dict[str, int]:
    await asyncio.sleep(0.005)
    return {"orders": database}


@app.get("/invoice")
def invoice() -> dict[str, str]:
    time.sleep(0.01)
    return {"invoice": "paid"}


async def browse(session: ClientSession, url: str) -> None:
    while True:
        async with session.get(url) as answer:
            await answer.json()


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning"))
    serving = asyncio.create_task(server.serve(), name="server")
    while not server.started:
        await asyncio.sleep(0.05)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with ClientSession() as session:
        paths = ["/orders", "/invoice"] * 6
        await asyncio.gather(serving, *(browse(session, url + path) for path in paths))


asyncio.run(main())
