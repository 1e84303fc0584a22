# SPDX-License-Identifier: Apache-2.0
"""Twenty tasks share a client of three connections, without a timeout: most wait for the pool, and all move on."""

import asyncio

import httpx


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()


async def poll(client: httpx.AsyncClient, url: str) -> None:
    while True:
        (await client.get(url)).raise_for_status()


async def main(client: httpx.AsyncClient) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*(poll(client, url) for _ in range(20)))


# Made outside of the loop, which it would block for a while: it imports and reads much.
asyncio.run(main(httpx.AsyncClient(limits=httpx.Limits(max_connections=3), timeout=None, verify=False)))
