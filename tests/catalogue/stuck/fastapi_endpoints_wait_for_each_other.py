# SPDX-License-Identifier: Apache-2.0
"""All threads of FastAPI's sync endpoints wait for an approval, and the approval is a sync endpoint too."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

approved = threading.Event()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    current_default_thread_limiter().total_tokens = 2
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/order")
def order() -> str:
    approved.wait()
    return "ordered"


@app.get("/approve")
def approve() -> str:
    approved.set()
    return "approved"


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
    return await reader.read()


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve(), name="server")
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    orders = [asyncio.create_task(get(port, "/order"), name=f"client-{number}") for number in range(2)]
    await asyncio.sleep(0.2)
    orders.append(asyncio.create_task(get(port, "/approve"), name="approver"))
    await asyncio.gather(*orders)
    await serving


asyncio.run(main())
