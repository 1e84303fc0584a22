# SPDX-License-Identifier: Apache-2.0
"""A server is told to stop while somebody listens to an event stream, to which nothing comes any more."""

import asyncio
from typing import Any

import uvicorn

news: asyncio.Queue[bytes] = asyncio.Queue()


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("stream")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: hello\n\n", "more_body": True})
    while True:
        body = await news.get()  # <- streams
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    serve = asyncio.create_task(server.serve(), name="serve")
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    writer.write(b"GET / HTTP/1.1\r\nHost: news\r\n\r\n")
    await reader.readuntil(b"hello")
    server.should_exit = True
    await serve


asyncio.run(main())
