# SPDX-License-Identifier: Apache-2.0
"""A handler on an event loop asks that loop's own server by a blocking call."""

from __future__ import annotations

import asyncio
import threading
import urllib.request


def fetch(url: str) -> None:
    urllib.request.urlopen(url).close()  # <- login asks


async def main() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1]
        if path == b"/login":
            fetch(f"{url}/token")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    threading.Thread(target=fetch, args=(f"{url}/login",), name="user", daemon=True).start()
    async with server:
        await server.serve_forever()


asyncio.run(main())
