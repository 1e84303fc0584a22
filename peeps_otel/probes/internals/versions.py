# SPDX-License-Identifier: Apache-2.0
"""The versions of everything whose private names are relied on: one table.

Elsewhere is what more depends on the patch release: layouts of memory (`frame_memory.py`,
`attach/interpreter_layout.py`), bytecode (`threads/bytecode.py`), two functions of CPython's C interface
(`model/untracked.py`, `interpreter_internals.py`). Each of them looks before it believes. RELEASING.md says what to run
when Python moves.

A new version is checked by running the tests on it, and then named here. A version that is not named still works as
far as its names are found; the coverage of each look says that it was not checked.
"""

from __future__ import annotations

CPYTHON = ("3.11.7", "3.12.1", "3.13.0")
CPYTHON_PARTLY = ("3.14.2",)
"""Without threads and sockets."""
UVLOOP = ("0.21", "0.22", "0.23")
ANYIO = ("4.16",)
TRIO = ("0.35",)
ASGIREF = ("3.12", "3.13")
SQLALCHEMY = ("2.0", "2.1")
PSYCOPG = ("3.3",)
PSYCOPG_POOL = ("3.2", "3.3")
ASYNCPG = ("0.30", "0.32")
REDIS = ("5.2", "8.1")
GEVENT = ("26.9",)
EVENTLET = ("0.41",)
AIOHTTP = ("3.14",)
GRPCIO = ("1.85",)
HTTPCORE = ("1.0",)
HTTPX = ("0.28",)
UVICORN = ("0.54",)
URLLIB3 = ("1.26", "2.8")
REQUESTS = ("2.34",)
JANUS = ("2.0",)
FILELOCK = ("3.20", "4.3")
CELERY = ("5.5", "5.7")
ARQ = ("0.28",)
DRAMATIQ = ("2.2",)
HUEY = ("3.5",)
TORNADO = ("6.5", "6.6")

TABLE = {
    "CPython": CPYTHON,
    "CPython, partly": CPYTHON_PARTLY,
    "uvloop": UVLOOP,
    "AnyIO": ANYIO,
    "Trio": TRIO,
    "asgiref": ASGIREF,
    "SQLAlchemy": SQLALCHEMY,
    "psycopg": PSYCOPG,
    "psycopg_pool": PSYCOPG_POOL,
    "asyncpg": ASYNCPG,
    "redis": REDIS,
    "gevent": GEVENT,
    "eventlet": EVENTLET,
    "aiohttp": AIOHTTP,
    "grpcio": GRPCIO,
    "httpcore": HTTPCORE,
    "httpx": HTTPX,
    "uvicorn": UVICORN,
    "urllib3": URLLIB3,
    "requests": REQUESTS,
    "janus": JANUS,
    "filelock": FILELOCK,
    "celery": CELERY,
    "arq": ARQ,
    "dramatiq": DRAMATIQ,
    "huey": HUEY,
    "tornado": TORNADO,
}


def on(*names: str) -> dict[str, tuple[str, ...]]:
    """What an adapter was checked on, as its `CHECKED_ON`."""
    return {name: TABLE[name] for name in names}


def minor(versions: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """`(3, 11)` of `3.11.7`: what decides how an interpreter is built."""
    return tuple((int(major), int(second)) for major, second, *_ in (version.split(".") for version in versions))
