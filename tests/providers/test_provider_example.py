# SPDX-License-Identifier: Apache-2.0
"""The walk-through of docs/providers.md, run."""

from __future__ import annotations

import asyncio
import gc
import re
from pathlib import Path
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import NodeKind
from peeps_otel.providers.registered import living
from tests.providers.provider_world import Look, a_world, rested

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def _client() -> Any:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.S)[0]
    names: dict[str, Any] = {"__name__": "numbered"}
    exec(compile(code, "numbered.py", "exec"), names)
    return names["Client"]


def test_a_client_that_reports_its_calls() -> None:
    async def main() -> tuple[Look, bytes]:
        gate = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number, _, _ = (await reader.readline()).partition(b" ")
            await gate.wait()
            writer.write(number + b" 42\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = _client()(*await asyncio.open_connection("127.0.0.1", port))
        call = asyncio.create_task(client.call("Sum"), name="order")
        await asyncio.sleep(0.05)
        with a_world() as world:
            look = world.look()
            gate.set()
            answer = await call
            assert rested(world, lambda look: not look.of(NodeKind.REQUEST)).faults == []
        client._writer.close()
        server.close()
        assert [node.attributes[semconv.CONNECTION_PEER] for node in look.of(NodeKind.CONNECTION)] == [
            f"127.0.0.1:{port}"
        ]
        return look, answer

    look, answer = asyncio.run(main())
    assert answer == b"42\n"
    assert look.faults == []
    (request,) = look.of(NodeKind.REQUEST)
    assert (request.name, request.attributes[semconv.PROVIDER_NAME]) == ("Sum", "numbered")
    assert [edge.dst for edge in look.edges(look.task("order").id)] == [request.id]
    gc.collect()
    assert living() == []
