# SPDX-License-Identifier: Apache-2.0
"""Sync endpoints on three worker threads with twelve clients: most requests wait for a thread, and get one."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    current_default_thread_limiter().total_tokens = 3
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def order() -> str:
    time.sleep(0.05)
    return "ordered"


async def customer(port: int) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve(), name="server")
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await asyncio.gather(serving, *(customer(port) for _ in range(12)))


asyncio.run(main())
