# SPDX-License-Identifier: Apache-2.0
"""A server that was told to stop waits for a handler that still has something to do."""

import asyncio
from typing import Any

import uvicorn


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(100):
        await send({"type": "http.response.body", "body": b"a part\n", "more_body": True})
        await asyncio.sleep(1)


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    serve = asyncio.create_task(server.serve(), name="serve")
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    writer.write(b"GET / HTTP/1.1\r\nHost: parts\r\n\r\n")
    await reader.readuntil(b"part")
    server.should_exit = True
    while await reader.read(1000):
        pass
    await serve


asyncio.run(main())
