# SPDX-License-Identifier: Apache-2.0
"""The tables of the lake: those of the file (store/schema.py), of which each row also says who wrote it, and in which
of its batches.

In the lake nothing is overwritten. What the file has one row a key of is a table `every_…` here, and under its own name
a view of the newest row of each key: so a statement for the file is one for the lake.
"""

from __future__ import annotations

from typing import Final

from ..store.schema import FINDING, NODE, PROCESS, RESOURCE, TABLES, Table

ORIGIN: Final = {"shard": "VARCHAR", "batch": "BIGINT", "written_ns": "BIGINT"}
"""`batch`: of the shard, ascending; `written_ns`: when the shard had it in its file."""
KEYS: Final = {PROCESS.name: "process", FINDING.name: "finding", NODE.name: "node", RESOURCE.name: "resource"}


def stored_in(name: str) -> str:
    """The table of the lake that has the rows of a table of the file."""
    return f"every_{name}" if name in KEYS else name


def statements() -> list[str]:
    """What makes them all, where they are not there yet."""
    found: list[str] = []
    for table in TABLES.values():
        columns = ", ".join(f"{name} {kind}" for name, kind in (table.columns | ORIGIN).items())
        found.append(f"CREATE TABLE IF NOT EXISTS {stored_in(table.name)} ({columns})")
    return found + [_view(TABLES[name], key) for name, key in KEYS.items()]


def _view(table: Table, key: str) -> str:
    columns = ", ".join([*table.columns, *ORIGIN])
    return (
        f"CREATE VIEW IF NOT EXISTS {table.name} AS SELECT {columns} FROM {stored_in(table.name)} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY written_ns DESC, batch DESC) = 1"
    )
