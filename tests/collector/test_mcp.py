# SPDX-License-Identifier: Apache-2.0
"""`peeps mcp`, asked with the client of the official package: an agent that has only the tools names the line."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attach.attach_story import CAN_ATTACH, running
from tests.collector.collector_support import Running
from tests.support.network import free_port
from tests.support.processes import end, environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mcp import Client  # over half a second to import: only where its tests run

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mcp") is None, reason="needs the package mcp")

STUCK = """
import asyncio

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        print("soon", flush=True)
        async with second:
            pass

async def main():
    left, right = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(transfer(left, right), transfer(right, left))

asyncio.run(main())
"""

Ask = Callable[["Client"], Awaitable[None]]


@pytest.fixture(scope="module")
def served(shared: Running) -> Iterator[str]:
    """The address of one that serves by HTTP."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "peeps_collector", "mcp", "--http", address],
        env=environment(PEEPS_API=shared.api),
        stderr=subprocess.DEVNULL,
    )

    def listens() -> bool:
        assert process.poll() is None
        host, _, port = address.partition(":")
        with socket.socket() as tried:
            return tried.connect_ex((host, int(port))) == 0

    try:
        eventually(listens)
        yield f"http://{address}/mcp"
    finally:
        end(process)


@pytest.fixture
def by_http(served: str, with_a_deadlock: Running) -> str:
    """The same, and what it is asked about."""
    assert with_a_deadlock
    return served


def over_http(address: str, ask: Ask) -> None:
    from mcp import Client

    async def asked() -> None:
        async with Client(address) as client:
            await ask(client)

    asyncio.run(asyncio.wait_for(asked(), 60))


def over_stdio(collector: Running, ask: Ask) -> None:
    from mcp import Client, StdioServerParameters

    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "peeps_collector", "mcp"],
        env=environment(PEEPS_API=collector.api),
    )

    async def asked() -> None:
        async with Client(parameters) as client:
            await ask(client)

    asyncio.run(asyncio.wait_for(asked(), 60))


async def answer(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


def test_an_agent_finds_the_line(with_a_deadlock: Running) -> None:
    async def ask(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"why", "waits_of", "processes", "diff", "source_of", "sql", "attach"}
        assert all(tool.description and tool.output_schema for tool in tools.values())
        verdict = await answer(client, "why")
        (finding,) = verdict["findings"]
        assert (verdict["stuck"], finding["level"], finding["kind"]) == (True, "PROVEN", "deadlock")
        assert verdict["sentence"] == finding["sentence"]
        path, _, line = finding["open"].rpartition(":")
        assert path.endswith("app.py")
        assert int(line) in (31, 47)
        source = await answer(client, "source_of", name=finding["id"])
        assert source["open"] == finding["open"]

    over_stdio(with_a_deadlock, ask)


def test_a_wait_is_followed_to_its_ring(by_http: str) -> None:
    async def ask(client: Client) -> None:
        chain = await answer(client, "waits_of", name="worker-a")
        assert (chain["node"]["name"], chain["node"]["doing"], chain["ring"]) == ("worker-a", "lock.acquire", True)
        assert any(step.startswith("worker-a waits for Lock ") for step in chain["waits"])
        assert any(step.partition(" is held by ")[2].startswith("worker-b") for step in chain["waits"])
        (process,) = (await answer(client, "processes"))["processes"]
        assert (process["service"], process["pid"], process["state"]) == ("shop", 4711, "live")

    over_http(by_http, ask)


def test_who_has_not_moved_is_told(by_http: str) -> None:
    async def ask(client: Client) -> None:
        async def both_stand() -> bool:
            told = await answer(client, "diff", before="-1s")
            stood = {one["name"]: one for one in told["unmoved"]}
            if not {"worker-a", "worker-b"} <= stood.keys():  # they have been known for less than a second
                return False
            assert (told["moved"], told["ended"]) == ([], [])
            assert stood["worker-a"]["doing"] == "lock.acquire"
            assert stood["worker-a"]["open"].rpartition(":")[2] in ("31", "47")
            return True

        while not await both_stand():
            await asyncio.sleep(0.2)
        wrong = await client.call_tool("diff", {"before": "yesterday"})
        assert wrong.is_error
        assert "yesterday" in str(wrong.content)

    over_http(by_http, ask)


@CAN_ATTACH
def test_a_process_that_does_not_report_is_asked(tmp_path: Path) -> None:
    """No collector is needed, and none is there."""
    from mcp import Client, StdioServerParameters

    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "peeps_collector", "mcp"],
        env=environment(PEEPS_API=f"127.0.0.1:{free_port()}"),
    )

    async def ask(pid: int) -> None:
        async with Client(parameters) as client:
            verdict = await answer(client, "attach", pid=pid)
            (finding,) = verdict["findings"]
            assert (verdict["stuck"], finding["level"], finding["kind"]) == (True, "PROVEN", "deadlock")
            assert finding["open"] == f"{tmp_path}/shop.py:8"
            assert verdict["waits"][0]["name"] == "main (Task-1)"
            assert (verdict["left_alone"], verdict["unsure"], verdict["more_findings"]) == ([], [], 0)
            nobody = await client.call_tool("attach", {"match": "no-such-program"})
            assert nobody.is_error
            assert "in its command line; there are: " in str(nobody.content)

    with running(tmp_path, STUCK) as program:
        asyncio.run(asyncio.wait_for(ask(program.pid), 120))


def test_what_cannot_be_answered_is_an_error_that_helps(by_http: str) -> None:
    async def ask(client: Client) -> None:
        unknown = await client.call_tool("waits_of", {"name": "nobody"})
        assert unknown.is_error
        assert "nothing is called 'nobody'; what waits now: " in str(unknown.content)
        writing = await client.call_tool("sql", {"statement": "DROP TABLE nodes"})
        assert writing.is_error
        rows = await answer(client, "sql", statement="SELECT 1 AS one")
        assert rows == {"columns": ["one"], "rows": [[1]], "truncated": False}

    over_http(by_http, ask)


def test_it_listens_on_this_machine_alone(with_a_deadlock: Running) -> None:
    refused = with_a_deadlock.peeps("mcp", "--http", "0.0.0.0:9140")
    assert refused.returncode == 2
    assert "must be an address of this machine" in refused.stderr
