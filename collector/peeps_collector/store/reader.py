# SPDX-License-Identifier: Apache-2.0
"""Reading the database file beside the writer: short cursors of the one database, each in a read-only transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from peeps_otel.model import Frame
from peeps_otel.model.jsonable import frame_to_json

from .arrow import Result, batches_of
from .database import Database
from .kept_past import KeptPast
from .statement import limited

_HISTORY = 200


class Reader:
    """Thread-safe. For statements of our own; those of strangers are run by sql_processes.py."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.standing = KeptPast()

    def rows(self, sql: str, parameters: list[Any], limit: int, limit_bytes: int, seconds: float) -> list[list[Any]]:
        """Of one statement of ours. Raises StatementFailed."""
        with self._database.reading() as cursor, limited(cursor, seconds):
            return Result(batches_of(cursor.sql(sql, params=parameters)), limit, limit_bytes).rows()

    def few(self, sql: str, *given: Any) -> Sequence[Sequence[Any]]:
        """Of a short statement of ours."""
        with self._database.reading() as cursor:
            return cursor.execute(sql, given).fetchall()

    def node_history(self, node: str) -> list[dict[str, Any]]:
        """The changes of a node, newest first, at most 200."""
        rows = self.few(
            "SELECT time_ns, op, state, wait_operation FROM node_change WHERE node = $1 "
            f"ORDER BY time_ns DESC, rowid DESC LIMIT {_HISTORY}",
            node,
        )
        return [
            {"time_ns": time_ns, "change": "state" if op == "upsert" else op, "state": state, "operation": operation}
            for time_ns, op, state, operation in rows
        ]

    def ended_node(self, node: str) -> dict[str, Any] | None:
        """A node that is not alive any more, as JSON of docs/api.md with state `gone`."""
        found = self.few("SELECT process, kind, name, created_at, source, confidence FROM node WHERE node = $1", node)
        if not found:
            return None
        last = self.few(
            "SELECT providers, steps, stack::VARCHAR, attributes::VARCHAR FROM node_change "
            "WHERE node = $1 AND op <> 'lost' ORDER BY time_ns DESC, rowid DESC LIMIT 1",
            node,
        )
        process, kind, name, created_at, source, confidence = found[0]
        providers, steps, stack, attributes = last[0] if last else (None, None, None, None)
        frames: list[list[Any]] = orjson.loads(stack) if stack else []
        return {
            "id": node,
            "kind": kind,
            "name": name,
            "process": process,
            "created_at": created_at,
            "source": source,
            "confidence": confidence,
            "state": "gone",
            "providers": providers,
            "wait": None,
            "stack": [frame_to_json(Frame(*frame)) for frame in frames],
            "steps": steps,
            "attributes": orjson.loads(attributes) if attributes else {},
        }
