# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL on this host, by the titles of its processes: nobody gives us a connection."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator

import psycopg
import pytest

from peeps_otel.providers.database import DatabaseReport
from peeps_otel.providers.postgresql_titles import Titles
from tests.support.accounts import accounts
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

UPDATE = "UPDATE accounts SET balance = balance + 1 WHERE id = 1"


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    with accounts() as address:
        yield address


def test_who_waits_and_who_may_have_it(address: str) -> None:
    with psycopg.connect(address) as importer, psycopg.connect(address) as waiter, psycopg.connect(address) as idle:
        idle.execute("SELECT 1")
        idle.rollback()
        importer.execute(UPDATE)
        thread = threading.Thread(target=waiter.execute, args=(UPDATE,))
        thread.start()
        found = eventually(lambda: _now().waits)
        assert [(one.session, one.fd) for one in found] == [(str(waiter.info.backend_pid), waiter.fileno())]
        holders = [(one.id, one.state, one.is_idle) for one in found[0].holders]
        assert holders == [(str(importer.info.backend_pid), "idle in transaction", True)]
        assert found[0].lock.startswith("a lock in ")
        importer.rollback()
        thread.join()
        waiter.rollback()
        assert _now().waits == ()


def test_a_long_statement_waits_for_nobody(address: str) -> None:
    with psycopg.connect(address) as importer, psycopg.connect(address) as busy:
        importer.execute(UPDATE)
        thread = threading.Thread(target=busy.execute, args=("SELECT pg_sleep(0.5)",))
        thread.start()
        assert _now().waits == ()
        thread.join()


def _now() -> DatabaseReport:
    return Titles().ask()
