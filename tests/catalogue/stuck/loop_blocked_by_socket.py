# SPDX-License-Identifier: Apache-2.0
"""A blocking driver in a coroutine: it reads from a socket, and the other side is silent."""

import asyncio
import socket


def query(connection: socket.socket) -> bytes:
    connection.sendall(b"SELECT 1\n")
    return connection.recv(1024)  # <- blocks


async def report() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    connection = socket.create_connection(listener.getsockname())
    await asyncio.sleep(0.2)
    print(query(connection))


async def main() -> None:
    await asyncio.create_task(report(), name="report")


asyncio.run(main())
