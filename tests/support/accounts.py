# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL with one account in it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.databases import postgres


@contextmanager
def accounts() -> Generator[str]:
    """The address. Skips the test where PostgreSQL is not installed."""
    with postgres() as port:
        if port is None:
            pytest.skip("PostgreSQL is not installed")
        address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
            connection.execute("INSERT INTO accounts VALUES (1, 0)")
        yield address
