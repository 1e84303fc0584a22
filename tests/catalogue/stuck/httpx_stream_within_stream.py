# SPDX-License-Identifier: Apache-2.0
"""Each of two reports streams a list and asks for every entry of it by the same client, which has two connections."""

import asyncio

import httpx


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        await writer.drain()


async def entry(client: httpx.AsyncClient, url: str) -> int:
    return (await client.get(url)).status_code  # <- asks for an entry


async def report(client: httpx.AsyncClient, url: str, both: asyncio.Barrier) -> None:
    async with client.stream("GET", url) as listing:  # <- streams the list
        await both.wait()
        async for part in listing.aiter_bytes(1000):
            await entry(client, f"{url}/{len(part)}")


async def main(client: httpx.AsyncClient) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    both = asyncio.Barrier(2)
    await asyncio.gather(
        *(asyncio.create_task(report(client, url, both), name=f"report-{number}") for number in range(2))
    )


# Made outside of the loop, which it would block for a while: it imports and reads much.
asyncio.run(main(httpx.AsyncClient(limits=httpx.Limits(max_connections=2), timeout=None, verify=False)))
