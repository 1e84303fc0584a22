# SPDX-License-Identifier: Apache-2.0
"""Of the rows that a head makes those that nobody else does."""

from __future__ import annotations

from peeps_otel.model import EdgeKind

from ..store.buffer import RowBuffer
from ..store.schema import EDGE_CHANGE, FINDING, FINDING_EVENT, Row
from ..store.table_rows import Rows, TableRows

_KIND = list(EDGE_CHANGE.columns).index("kind")


class HeadRows(RowBuffer):
    """Keeps what the others cannot know: all else they write themselves."""

    def add_request(self, tables: Rows, request: int = 0) -> None:
        kept = {name: rows for name, rows in tables.items() if name in (FINDING.name, FINDING_EVENT.name)}
        edges = tables.get(EDGE_CHANGE.name)
        if edges is not None and (calls := [row for row in edges.tuples if _is_call(row)]):
            kept[EDGE_CHANGE.name] = TableRows()
            kept[EDGE_CHANGE.name].add(calls)
        super().add_request(kept, request)


def _is_call(row: Row) -> bool:
    return row[_KIND] == EdgeKind.RPC_LINK
