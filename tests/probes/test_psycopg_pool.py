# SPDX-License-Identifier: Apache-2.0
"""A pool of psycopg counts the connections that it could not make yet: they are in nobody's hands."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg_pool

from peeps_otel.probes.psycopg_pool.library import PSYCOPG_POOL
from tests.support.network import free_port
from tests.support.waiting import eventually


def _state(pool: Any) -> tuple[int | None, int | None]:
    (kind,) = PSYCOPG_POOL.support().pools
    state = kind.read(pool)
    return state.capacity, state.in_use


def _nowhere() -> str:
    return f"host=127.0.0.1 port={free_port()} user=nobody"


def _all_failed(pool: Any) -> bool:
    return pool.get_stats().get("connections_errors", 0) >= 4


def test_how_many_are_in_use_is_not_told_while_the_server_does_not_answer() -> None:
    pool = psycopg_pool.ConnectionPool(_nowhere(), min_size=4, max_size=4, open=True)
    try:
        eventually(lambda: _all_failed(pool))
        eventually(lambda: _state(pool) == (4, None))
    finally:
        pool.close(0)


def test_nor_is_it_of_a_pool_for_tasks() -> None:
    async def main() -> tuple[int | None, int | None]:
        pool = psycopg_pool.AsyncConnectionPool(_nowhere(), min_size=4, max_size=4, open=False)
        await pool.open()
        try:
            while not _all_failed(pool):
                await asyncio.sleep(0.01)
            return _state(pool)
        finally:
            await pool.close(0)

    assert asyncio.run(main()) == (4, None)


def test_one_without_a_connection_has_none_in_use() -> None:
    pool = psycopg_pool.ConnectionPool(_nowhere(), min_size=0, max_size=4, open=True)
    try:
        assert _state(pool) == (4, 0)
    finally:
        pool.close(0)
