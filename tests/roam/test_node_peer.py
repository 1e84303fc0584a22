# SPDX-License-Identifier: Apache-2.0
"""The Node.js peer of the examples and we, in all four directions: who calls whom, over TCP and a Unix socket."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from peeps_otel import roam
from tests.roam.roam_support import ECHO, Shop, run

PEER = Path(__file__).parents[2] / "examples" / "roam_node_peer.mjs"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")


async def node(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("node", str(PEER), *arguments, stdout=asyncio.subprocess.PIPE)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_it_calls_us(transport: str, tmp_path: Path) -> None:
    async def story() -> None:
        path = str(tmp_path / "shop")
        served = roam.serve_tcp(Shop(), "127.0.0.1", 0) if transport == "tcp" else roam.serve_unix(Shop(), path)
        async with await served as server:
            where = str(server.port) if transport == "tcp" else path
            answers = [await (await node("call", where, number, "né")).communicate() for number in (str(ECHO.id), "42")]
            assert [answer.decode() for answer, _ in answers] == ["né\n", "error 1\n"]

    run(story)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_we_call_it(transport: str, tmp_path: Path) -> None:
    async def story() -> None:
        peer = await node("serve", *([] if transport == "tcp" else ["--unix", str(tmp_path / "node")]))
        try:
            assert peer.stdout is not None
            where = (await peer.stdout.readline()).decode().strip()
            made = roam.connect_tcp("127.0.0.1", int(where)) if transport == "tcp" else roam.connect_unix(where)
            async with await made as link:
                assert (link.peer_name, link.state.full) == ("node-peer", False)
                texts = [str(number) for number in range(100)]
                assert await asyncio.gather(*(link.call(ECHO, text) for text in texts)) == texts
        finally:
            peer.kill()
            await peer.wait()

    run(story)
