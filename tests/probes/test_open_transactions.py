# SPDX-License-Identifier: Apache-2.0
"""Who has a transaction open while somebody's statement may wait for its locks, with real libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from peeps_otel import semconv
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.open_transactions import locks
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes import program as tasks
from tests.probes.pool_libraries import asyncpg
from tests.probes.program import Seen
from tests.support.databases import postgres

Runs = Callable[[str], Awaitable[object]]
Then = Callable[[Runs, Runs], Awaitable[None]]
Story = Callable[[int, Then], Coroutine[Any, Any, None]]

_MADE = "drop table if exists orders; create table orders (id int); insert into orders values (1)"
_CHANGES = "update orders set id = 2"


@pytest.fixture(scope="module")
def port() -> Generator[int]:
    with postgres() as found:
        if found is None:
            pytest.skip("no postgres")
        yield found


async def _by_asyncpg(port: int, then: Then) -> None:
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    await first.execute(_MADE)
    async with first.transaction():
        await then(first.execute, second.execute)


async def _by_psycopg(port: int, then: Then) -> None:
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    first = await psycopg.AsyncConnection.connect(url)
    second = await psycopg.AsyncConnection.connect(url)
    for one in _MADE.split(";"):
        await first.execute(one.encode())
    await first.commit()

    async def by_first(query: str) -> object:
        return await first.execute(query.encode())

    async def by_second(query: str) -> object:
        return await second.execute(query.encode())

    await then(by_first, by_second)


async def _by_sqlalchemy(port: int, then: Then) -> None:
    engine = create_async_engine(f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres")
    async with engine.begin() as made:
        for one in _MADE.split(";"):
            await made.execute(text(one))
    async with engine.connect() as first, engine.connect() as second:

        async def by_first(query: str) -> object:
            return await first.execute(text(query))

        async def by_second(query: str) -> object:
            return await second.execute(text(query))

        await then(by_first, by_second)


def _locks(seen: Seen) -> dict[str, list[str]]:
    """By name of each database, who has its transactions in hand."""
    nodes = seen.nodes
    return {
        node.name: sorted(nodes[edge.dst].name for edge in seen.edges if edge.src == node.id and edge.kind == "held_by")
        for node in seen.nodes.values()
        if semconv.DATABASE_TRANSACTIONS in node.attributes
    }


def _asks_at(seen: Seen, name: str) -> str:
    found = (node for node in seen.nodes.values() if node.name == name)
    return str(next((node.attributes.get(semconv.TASK_STATEMENT_AT, "") for node in found), ""))


@pytest.mark.parametrize("story", [_by_asyncpg, _by_psycopg, _by_sqlalchemy])
def test_of_two_connections_the_idle_one_has_it(port: int, story: Story) -> None:
    async def child(runs: Runs) -> None:
        await runs(_CHANGES)

    async def then(by_first: Runs, by_second: Runs) -> None:
        await by_first(_CHANGES)
        await asyncio.create_task(child(by_second), name="child")

    async def main() -> None:
        tasks.started(story(port, then), "parent")

    with tasks.running(AsyncioProbe(Recorder(1 << 62)), main) as program:
        name = f"127.0.0.1:{port}/postgres"
        program.until(lambda seen: _asks_at(seen, "child") == name)  # psycopg looks round: now and then it does not
        program.until(lambda seen: _locks(seen) == {name: ["parent"]})


@pytest.mark.parametrize("story", [_by_asyncpg, _by_psycopg])
def test_a_connection_that_is_asked_itself_is_none(port: int, story: Story) -> None:
    """The child uses the connection of its parent: nobody has an idle transaction."""

    async def child(runs: Runs) -> None:
        await runs(f"{_CHANGES} + (select 0 from pg_sleep(30))")

    async def then(by_first: Runs, _by_second: Runs) -> None:
        await by_first(_CHANGES)
        await asyncio.create_task(child(by_first), name="child")

    async def main() -> None:
        tasks.started(story(port, then), "parent")

    with tasks.running(AsyncioProbe(Recorder(1 << 62)), main) as program:
        program.until(lambda seen: bool(_asks_at(seen, "child")))
        for _ in range(10):
            assert [one for one in _locks(program.look()).values() if one] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("UPDATE a SET b = 1", True),
        ("  -- why\n select * from a where x for update skip locked", True),
        ("select pg_advisory_lock(1)", True),
        ("with done as (delete from a returning *) select * from done", True),
        ("select updated_at from a", False),
        ("COMMIT", False),
        ("create index concurrently a_b on a (b)", False),  # long by its nature
    ],
)
def test_what_may_wait_for_a_lock(query: str, expected: bool) -> None:
    assert locks(query) is expected
