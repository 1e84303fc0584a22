# SPDX-License-Identifier: Apache-2.0
"""What a database says of its locks: who waits for one, and which sessions have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One of the database's sessions. `client`: `host:port` of its socket at the client; None where the server does
    not tell (a Unix socket). `state`: the server's own word; `is_idle`: it waits for its client. `since_ns`: since
    when its transaction is open."""

    id: str
    client: str | None
    application: str
    state: str
    is_idle: bool
    since_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWait:
    """A session of this process that waits for a lock. `fd`: of its socket here."""

    session: str
    fd: int
    lock: str
    since_ns: int
    holders: Sequence[Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReport:
    """All that there is at one instant. `server`: `host:port` as its clients know it."""

    server: str
    waits: Sequence[LockWait] = ()
