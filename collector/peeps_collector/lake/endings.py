# SPDX-License-Identifier: Apache-2.0
"""A collector that ended without a word left nodes, processes and findings open in the lake: they are ended there, as
store/file.py does it in its file. What another collector has taken over meanwhile has a newer word, and stays."""

from __future__ import annotations

import duckdb

from ..store.schema import EDGE_CHANGE, FINDING, PROCESS, Table

_FOREIGN = "(state = 'foreign' AND process IN (SELECT process FROM snapshot WHERE shard = $shard))"
_LAST_WORD = """(SELECT greatest(coalesce((SELECT max(time_ns) FROM snapshot WHERE shard = $shard), 0),
  (SELECT max(time_ns) FROM {table} WHERE shard = $shard)) + 1)"""
_LAST_SEEN = """greatest(last_seen_ns, coalesce((SELECT max(greatest(s.received_ns, s.time_ns)) + 1 FROM snapshot AS s
  WHERE s.shard = $shard AND list_contains(finding.processes, s.process)), last_seen_ns))"""


def end_what_was_open(connection: duckdb.DuckDBPyConnection, shard: str, batch: int, written_ns: int) -> None:
    """In the transaction that is open. A second time it does nothing. Raises duckdb.Error."""
    origin = {"shard": "$shard", "batch": "$batch", "written_ns": "$written_ns"}
    resolved = origin | {"state": "'resolved'", "last_seen_ns": _LAST_SEEN}
    statements = [
        _again(PROCESS, "every_process", origin | {"state": "'gone'"}, f"state IN ('live', 'silent') OR {_FOREIGN}"),
        _again(FINDING, "every_finding", resolved, "state = 'open'"),
        f"""INSERT INTO node_change (time_ns, process, node, op, shard, batch, written_ns)
            SELECT {_LAST_WORD.format(table="node_change")}, process, node, 'lost', $shard, $batch, $written_ns
            FROM (SELECT process, node, arg_max(op, rowid) AS op FROM node_change WHERE shard = $shard GROUP BY ALL)
            WHERE op = 'upsert'""",
        _edges(origin | {"time_ns": _LAST_WORD.format(table="edge_change"), "op": "'lost'"}),
    ]
    for statement in statements:
        connection.execute(statement, {"shard": shard, "batch": batch, "written_ns": written_ns})


def _again(table: Table, stored: str, changed: dict[str, str], where: str) -> str:
    """A newer row of those that this collector has written last."""
    names = [*table.columns, "shard", "batch", "written_ns"]
    values = ", ".join(changed.get(name, name) for name in names)
    rows = f"SELECT {values} FROM {table.name} WHERE shard = $shard AND ({where})"
    return f"INSERT INTO {stored} ({', '.join(names)}) {rows}"


def _edges(changed: dict[str, str]) -> str:
    names = [*EDGE_CHANGE.columns, "shard", "batch", "written_ns"]
    values = ", ".join(changed.get(name, name) for name in names)
    return f"""INSERT INTO {EDGE_CHANGE.name} ({", ".join(names)}) SELECT {values}
      FROM (SELECT *, row_number() OVER (PARTITION BY process, kind, src, dst ORDER BY rowid DESC) AS place
            FROM {EDGE_CHANGE.name} WHERE shard = $shard) WHERE place = 1 AND op = 'add'"""
