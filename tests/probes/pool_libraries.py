# SPDX-License-Identifier: Apache-2.0
"""The pools of real libraries, each with a way to take a connection for a block and one to take it and forget it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import asyncpg as asyncpg_module  # pyright: ignore[reportMissingTypeStubs]  # asyncpg has no types
import psycopg_pool
import redis.asyncio
import sqlalchemy
import sqlalchemy.ext.asyncio

asyncpg: Any = asyncpg_module


@dataclass(frozen=True)
class Threaded:
    """A pool for threads. `block`: has a connection, which has been used once. `give_back`: from any thread."""

    give_back: Callable[[Any], object]
    block: Callable[[], AbstractContextManager[Any]]
    take: Callable[[], Any]
    close: Callable[[], object]


@dataclass(frozen=True)
class Asynchronous:
    """The same for tasks, made on their loop."""

    block: Callable[[], AbstractAsyncContextManager[Any]]
    take: Callable[[], Any]
    close: Callable[[], Awaitable[object]]
    """Waits for no connection that is still taken."""
    close_when_free: Callable[[], Awaitable[object]] | None = None


def sqlalchemy_threads(_port: int | None, folder: Path, size: int, wait_s: float) -> Threaded:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{folder}/threads.db", pool_size=size, max_overflow=0, pool_timeout=wait_s
    )

    @contextmanager
    def block() -> Generator[Any]:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
            yield connection

    return Threaded(lambda connection: connection.close(), block, engine.connect, engine.dispose)


def sqlalchemy_sessions(_port: int | None, folder: Path, size: int, wait_s: float) -> Threaded:
    """A session takes its connection with its first statement."""
    from sqlalchemy.orm import Session

    engine = sqlalchemy.create_engine(
        f"sqlite:///{folder}/sessions.db", pool_size=size, max_overflow=0, pool_timeout=wait_s
    )

    @contextmanager
    def block() -> Generator[Any]:
        with Session(engine) as session:
            session.execute(sqlalchemy.text("select 1"))
            yield session

    return Threaded(lambda connection: connection.close(), block, engine.connect, engine.dispose)


def psycopg_threads(port: int | None, _folder: Path, size: int, wait_s: float) -> Threaded:
    pool = psycopg_pool.ConnectionPool(
        f"postgresql://postgres@127.0.0.1:{port}/postgres", min_size=size, max_size=size, timeout=wait_s, open=True
    )
    pool.wait(60)
    return Threaded(pool.putconn, pool.connection, pool.getconn, lambda: pool.close(0))


def _without_command(get_connection: Callable[..., Any]) -> Callable[..., Any]:
    """Before redis 5.3 it asks for the name of a command, of which it makes no use."""
    named = signature(get_connection).parameters["command_name"].default is Parameter.empty
    return partial(get_connection, "PING") if named else get_connection


def redis_threads(port: int | None, _folder: Path, size: int, wait_s: float) -> Threaded:
    pool: Any = redis.BlockingConnectionPool(port=port or 0, max_connections=size, timeout=int(wait_s))
    get_connection = _without_command(pool.get_connection)

    @contextmanager
    def block() -> Generator[Any]:
        connection = get_connection()
        try:
            yield connection
        finally:
            pool.release(connection)

    return Threaded(pool.release, block, get_connection, pool.disconnect)


async def sqlalchemy_tasks(_port: int | None, folder: Path, size: int, wait_s: float) -> Asynchronous:
    engine = sqlalchemy.ext.asyncio.create_async_engine(
        f"sqlite+aiosqlite:///{folder}/tasks.db", pool_size=size, max_overflow=0, pool_timeout=wait_s
    )

    @asynccontextmanager
    async def block() -> AsyncGenerator[Any]:
        async with engine.connect() as connection:
            await connection.execute(sqlalchemy.text("select 1"))
            yield connection

    async def take() -> Any:
        return await engine.connect()

    return Asynchronous(block, take, engine.dispose)


async def sqlalchemy_async_sessions(_port: int | None, folder: Path, size: int, wait_s: float) -> Asynchronous:
    engine = sqlalchemy.ext.asyncio.create_async_engine(
        f"sqlite+aiosqlite:///{folder}/async-sessions.db", pool_size=size, max_overflow=0, pool_timeout=wait_s
    )

    @asynccontextmanager
    async def block() -> AsyncGenerator[Any]:
        async with sqlalchemy.ext.asyncio.AsyncSession(engine) as session:
            await session.execute(sqlalchemy.text("select 1"))
            yield session

    async def take() -> Any:
        return await engine.connect()

    return Asynchronous(block, take, engine.dispose)


async def psycopg_tasks(port: int | None, _folder: Path, size: int, wait_s: float) -> Asynchronous:
    pool = psycopg_pool.AsyncConnectionPool(
        f"postgresql://postgres@127.0.0.1:{port}/postgres", min_size=size, max_size=size, timeout=wait_s, open=False
    )
    await pool.open(wait=True, timeout=60)
    return Asynchronous(pool.connection, pool.getconn, lambda: pool.close(0))


async def asyncpg_tasks(port: int | None, _folder: Path, size: int, _wait_s: float) -> Asynchronous:
    pool: Any = await asyncpg.create_pool(
        f"postgresql://postgres@127.0.0.1:{port}/postgres", min_size=size, max_size=size
    )
    return Asynchronous(pool.acquire, pool.acquire, partial(_terminate, pool), pool.close)


async def asyncpg_tasks_in_time(port: int | None, _folder: Path, size: int, wait_s: float) -> Asynchronous:
    pool: Any = await asyncpg.create_pool(
        f"postgresql://postgres@127.0.0.1:{port}/postgres", min_size=size, max_size=size
    )
    return Asynchronous(lambda: pool.acquire(timeout=wait_s), pool.acquire, partial(_terminate, pool))


async def _terminate(pool: Any) -> None:
    pool.terminate()


async def redis_tasks(port: int | None, _folder: Path, size: int, wait_s: float) -> Asynchronous:
    pool: Any = redis.asyncio.BlockingConnectionPool(port=port or 0, max_connections=size, timeout=wait_s)
    get_connection = _without_command(pool.get_connection)

    @asynccontextmanager
    async def block() -> AsyncGenerator[Any]:
        connection = await get_connection()
        try:
            yield connection
        finally:
            await pool.release(connection)

    return Asynchronous(block, get_connection, pool.disconnect)


THREADED: dict[str, tuple[Callable[..., Threaded], str]] = {
    "sqlalchemy": (sqlalchemy_threads, ""),
    "sqlalchemy session": (sqlalchemy_sessions, ""),
    "psycopg": (psycopg_threads, "postgres"),
    "redis": (redis_threads, "redis"),
}
"""With the server that each needs."""
ASYNCHRONOUS: dict[str, tuple[Callable[..., Any], str]] = {
    "sqlalchemy": (sqlalchemy_tasks, ""),
    "sqlalchemy session": (sqlalchemy_async_sessions, ""),
    "psycopg": (psycopg_tasks, "postgres"),
    "asyncpg": (asyncpg_tasks, "postgres"),
    "asyncpg in time": (asyncpg_tasks_in_time, "postgres"),
    "redis": (redis_tasks, "redis"),
}
