# SPDX-License-Identifier: Apache-2.0
"""The locks of a real PostgreSQL: who waits for one, and which session has it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # asyncpg has no types
import psycopg
import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, NodeKind
from peeps_otel.probes.internals import end_names
from peeps_otel.providers.postgresql import PostgresLocks
from tests.providers.provider_world import a_world, rested
from tests.support.accounts import accounts
from tests.support.waiting import eventually

UPDATE = "UPDATE accounts SET balance = balance + 1 WHERE id = 1"


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    with accounts() as address:
        yield address


@pytest.fixture
def importer(address: str) -> Generator[psycopg.Connection[Any]]:
    """Has the row, and waits for its client."""
    with psycopg.connect(address, application_name="importer") as connection:
        connection.execute(UPDATE)
        yield connection
        connection.rollback()


def in_a_thread(address: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(UPDATE)


def in_a_task(address: str) -> None:
    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(address) as connection:
            await connection.execute(UPDATE)

    asyncio.run(main())


def by_asyncpg(address: str) -> None:
    async def main() -> None:
        connection = await cast("Any", asyncpg).connect(address)
        await connection.execute(UPDATE)
        await connection.close()

    asyncio.run(main())


@pytest.mark.parametrize("client", [in_a_thread, in_a_task, by_asyncpg])
def test_who_waits_for_a_row_is_led_to_the_session_that_has_it(
    address: str, importer: psycopg.Connection[Any], client: Callable[[str], None]
) -> None:
    waiter = threading.Thread(target=client, args=(address,), name="booking")
    with a_world() as world, closing(PostgresLocks(lambda: psycopg.connect(address))):
        waiter.start()
        look = rested(world, lambda look: any(_waits_for_a_lock(node) for node in look.observation.nodes.values()))
        waiting = next(node for node in look.observation.nodes.values() if _waits_for_a_lock(node))
        assert waiting.kind is (NodeKind.THREAD if client is in_a_thread else NodeKind.TASK)
        (need,) = [edge for edge in look.edges(waiting.id) if edge.kind is EdgeKind.NEEDS]
        lock = look.observation.nodes[need.dst]
        assert (lock.kind, lock.name) == (NodeKind.LOCK, "a row of accounts")
        (held,) = look.edges(lock.id)
        session = look.observation.nodes[held.dst]
        pid = importer.info.backend_pid
        assert session.name == f"importer (backend pid {pid}, idle in transaction)"
        ours = end_names.of_descriptors([importer.fileno()])[importer.fileno()]
        named = (session.attributes[semconv.IO_THERE], session.attributes[semconv.IO_HERE])
        assert named == (ours.here, ours.there)

        def told() -> list[str]:
            world.asker._due_ns.clear()  # pyright: ignore[reportPrivateUsage]  # as if time had passed
            world._diagnoser = Diagnoser()  # pyright: ignore[reportPrivateUsage]  # as if time had passed
            return [f"{one.level} {one.title}" for one in world.look_late(40) if one.kind == "held_across_wait"]

        (said,) = eventually(told)
        assert said.startswith("SUSPECT ")
        assert said.endswith(
            f" waits for Lock a row of accounts, held by Session importer (backend pid {pid}, idle in transaction)"
        )
        importer.rollback()
        waiter.join()
        rested(world, lambda look: not look.of(NodeKind.LOCK))


def _waits_for_a_lock(node: Any) -> bool:
    return node.wait is not None and node.wait.operation == "database.lock"


def test_one_whose_connection_breaks_is_a_fault_and_makes_another(address: str) -> None:
    made: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        made.append(psycopg.connect(address))
        return made[-1]

    with a_world() as world, closing(PostgresLocks(connect, "orders")):
        rested(world, lambda _: bool(made))
        made[0].close()
        look = rested(world, lambda look: bool(look.faults))
        assert look.faults == ["orders: raised OperationalError"]
        rested(world, lambda look: not look.faults)
        assert len(made) == 2
