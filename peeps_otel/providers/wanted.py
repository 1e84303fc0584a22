# SPDX-License-Identifier: Apache-2.0
"""Whether there can be a provider: until then nothing of providers is loaded."""

from __future__ import annotations

import sys

REGISTERED = f"{__package__}.registered"
SHARED_MEMORY = "multiprocessing.shared_memory"
POSTGRESQL_CLIENTS = ("psycopg", "psycopg2", "asyncpg", "pg8000")


def is_wanted() -> bool:
    """Whether one was registered, or the program has imported what a ready-made one is for."""
    return any(name in sys.modules for name in (REGISTERED, SHARED_MEMORY, *POSTGRESQL_CLIENTS))
