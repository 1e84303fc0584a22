# SPDX-License-Identifier: Apache-2.0
"""What of the live graph goes into the database: each change, or what the quota of its process allows (lag.py)."""

from __future__ import annotations

from ..quotas import Account, Quotas
from ..store.buffer import RowBuffer
from ..store.schema import SNAPSHOT, Row
from ..store.table_rows import add_rows
from .changes import Changes
from .lag import Lag
from .process import Process


class History:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self, rows: RowBuffer, quotas: Quotas) -> None:
        self._rows = rows
        self._quotas = quotas

    def write(self, process: Process, changes: Changes, row: Row, size: int) -> None:
        """What a snapshot has changed, once the process is as it says. `row`: of the table `snapshot`; `size`: its
        bytes."""
        key, lag = process.info.id, process.lag
        if lag is not None:
            if self._quotas.refusal(key, Account.GRAPH) is not None:
                return
            changes = lag.paid(key, process.entries, changes.time_ns)
            if not lag.owed:
                process.lag = None
        tables = changes.tables()
        add_rows(tables, SNAPSHOT.name, [row])
        self._rows.add_request(tables)
        over = self._quotas.spend(key, Account.GRAPH, sum(map(len, tables.values())), size)
        if over is not None and process.lag is None:
            process.lag = Lag(over.reason)

    def end(self, process: Process, time_ns: int) -> None:
        """All its nodes are gone."""
        key, entries, lag = process.info.id, process.entries, process.lag or Lag("")
        process.lag = None
        lag.note(list(entries), entries)
        self._rows.add_request(lag.paid(key, {}, time_ns, most=lag.owed).tables())
