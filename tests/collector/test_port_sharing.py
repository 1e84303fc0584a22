# SPDX-License-Identifier: Apache-2.0
"""Two protocols on one port: who is joined to whom, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from peeps_collector.receive.port_sharing import SharedPort

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def _talk(directory: Path, pieces: list[bytes], speaks_first: bool) -> bytes:
    """What a client reads that sends `pieces`. Each endpoint answers its name and what it was sent."""
    servers: list[asyncio.Server] = []

    async def endpoint(name: str) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if speaks_first:
                writer.write(b"hello ")
            writer.write(name.encode() + b":" + await reader.read())
            writer.close()

        path = str(directory / name)
        servers.append(await asyncio.start_unix_server(handle, path))
        return path

    port = SharedPort(await endpoint("grpc"), await endpoint("http"))
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    address = sock.getsockname()
    await port.listen(sock)
    reader, writer = await asyncio.open_connection(*address)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 20)
    async with asyncio.timeout(20):
        while port.connections:  # both sides have ended: it must not stay open
            await asyncio.sleep(0.005)
    writer.close()
    await port.stop()
    for server in servers:
        server.close()
    return answer


@pytest.mark.parametrize("speaks_first", [False, True])
@pytest.mark.parametrize(
    ("pieces", "endpoint"),
    [
        ([PREFACE + b"rest"], b"grpc"),
        ([PREFACE[i : i + 1] for i in range(len(PREFACE))], b"grpc"),
        ([b"POST /v1/logs HTTP/1.1\r\n\r\n"], b"http"),
        ([b"P", b"UT / HTTP/1.1\r\n\r\n"], b"http"),
        ([b"PRI * HTTP/1.1\r\n\r\n"], b"http"),
        ([PREFACE, bytes(3_000_000)], b"grpc"),
        ([b"\x16\x03\x01"], b"http"),
    ],
    ids=["grpc", "byte by byte", "http", "put", "not the preface", "large", "tls"],
)
def test_the_first_bytes_decide_and_none_is_lost(
    tmp_path: Path, pieces: list[bytes], endpoint: bytes, speaks_first: bool
) -> None:
    answer = asyncio.run(_talk(tmp_path, pieces, speaks_first))
    assert answer == (b"hello " if speaks_first else b"") + endpoint + b":" + b"".join(pieces)
