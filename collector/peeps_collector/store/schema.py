# SPDX-License-Identifier: Apache-2.0
"""The tables of the database file. docs/schema.md says the same in words; a test holds one against the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

SCHEMA_VERSION: Final = 2

Row: TypeAlias = tuple[Any, ...]
"""A row in the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: name to DuckDB type. `time`: the column that retention looks at, empty where it has a rule of its own
    (store/retention.py). `long`: columns of long texts that hardly ever are the same twice. Left to itself DuckDB looks
    for those that are: for a span's attributes that takes 0.9 us more, and nearly thrice the room. A file that was made
    without it stays as it is, and is as good."""

    name: str
    columns: dict[str, str]
    time: str = ""
    long: frozenset[str] = frozenset()

    @property
    def create(self) -> str:
        columns = ", ".join(
            f"{name} {kind}{' USING COMPRESSION zstd' if name in self.long else ''}"
            for name, kind in self.columns.items()
        )
        return f"CREATE TABLE {self.name} ({columns})"

    @property
    def missing(self) -> list[str]:
        """Statements that add the columns of later versions."""
        return [f"ALTER TABLE {self.name} ADD COLUMN IF NOT EXISTS {c} {kind}" for c, kind in self.columns.items()]


PROCESS: Final = Table(
    "process",
    {
        "process": "VARCHAR",
        "service": "VARCHAR",
        "pid": "BIGINT",
        "host": "VARCHAR",
        "runtime": "VARCHAR",
        "state": "VARCHAR",
        "first_seen_ns": "BIGINT",
        "last_seen_ns": "BIGINT",
        "resource": "JSON",
    },
)
RESOURCE: Final = Table(
    "resource",
    {
        "resource": "VARCHAR",
        "process": "VARCHAR",
        "service": "VARCHAR",
        "attributes": "JSON",
        "dropped_attributes": "BIGINT",
        "schema_url": "VARCHAR",
    },
)
SNAPSHOT: Final = Table(
    "snapshot",
    {
        "process": "VARCHAR",
        "stream": "VARCHAR",
        "sequence": "BIGINT",
        "time_ns": "BIGINT",
        "received_ns": "BIGINT",
        "key_frame": "BOOLEAN",
        "nodes": "BIGINT",
        "edges": "BIGINT",
        "gone": "BIGINT",
        "cpu_ns": "BIGINT",
        "duration_ns": "BIGINT",
        "interval_ns": "BIGINT",
        "dropped": "BIGINT",
        "bytes": "BIGINT",
        "coverage": "VARCHAR[]",
        "shed": "VARCHAR[]",
    },
    time="received_ns",
)
NODE: Final = Table(
    "node",
    {
        "node": "VARCHAR",
        "process": "VARCHAR",
        "kind": "VARCHAR",
        "name": "VARCHAR",
        "created_at": "BIGINT",
        "source": "VARCHAR",
        "confidence": "VARCHAR",
        "method": "VARCHAR",
        "correlation": "VARCHAR",
    },
)
NODE_CHANGE: Final = Table(
    "node_change",
    {
        "time_ns": "BIGINT",
        "process": "VARCHAR",
        "node": "VARCHAR",
        "op": "VARCHAR",
        "state": "VARCHAR",
        "providers": "VARCHAR",
        "wait_operation": "VARCHAR",
        "wait_since_ns": "BIGINT",
        "wait_source": "VARCHAR",
        "wait_needs": "BIGINT",
        "wait_deadline_ns": "BIGINT",
        "wait_exact": "BOOLEAN",
        "steps": "BIGINT",
        "stack": "JSON",
        "attributes": "JSON",
    },
)
EDGE_CHANGE: Final = Table(
    "edge_change",
    {
        "time_ns": "BIGINT",
        "process": "VARCHAR",
        "op": "VARCHAR",
        "kind": "VARCHAR",
        "src": "VARCHAR",
        "dst": "VARCHAR",
        "since_ns": "BIGINT",
        "source": "VARCHAR",
        "confidence": "VARCHAR",
        "cancels": "BOOLEAN",
    },
)
FINDING: Final = Table(
    "finding",
    {
        "finding": "VARCHAR",
        "kind": "VARCHAR",
        "level": "VARCHAR",
        "state": "VARCHAR",
        "title": "VARCHAR",
        "since_ns": "BIGINT",
        "first_seen_ns": "BIGINT",
        "last_seen_ns": "BIGINT",
        "processes": "VARCHAR[]",
        "core": "VARCHAR[]",
        "blocked_count": "BIGINT",
        "advice": "VARCHAR",
        "detail": "JSON",
    },
    time="last_seen_ns",
)
FINDING_EVENT: Final = Table(
    "finding_event",
    {
        "time_ns": "BIGINT",
        "finding": "VARCHAR",
        "change": "VARCHAR",
        "level": "VARCHAR",
        "blocked_count": "BIGINT",
        "title": "VARCHAR",
    },
    time="time_ns",
)
SPAN: Final = Table(
    "span",
    {
        "process": "VARCHAR",
        "service": "VARCHAR",
        "trace_id": "VARCHAR",
        "span_id": "VARCHAR",
        "parent_span_id": "VARCHAR",
        "name": "VARCHAR",
        "kind": "VARCHAR",
        "start_ns": "BIGINT",
        "end_ns": "BIGINT",
        "status": "VARCHAR",
        "status_message": "VARCHAR",
        "scope": "VARCHAR",
        "attributes": "JSON",
        "events": "JSON",
        "links": "JSON",
        "received_ns": "BIGINT",
        "trace_state": "VARCHAR",
        "flags": "BIGINT",
        "dropped_attributes": "BIGINT",
        "dropped_events": "BIGINT",
        "dropped_links": "BIGINT",
        "scope_version": "VARCHAR",
        "scope_attributes": "JSON",
        "schema_url": "VARCHAR",
        "resource": "VARCHAR",
    },
    time="received_ns",
    long=frozenset({"attributes"}),
)
LOG: Final = Table(
    "log",
    {
        "process": "VARCHAR",
        "service": "VARCHAR",
        "time_ns": "BIGINT",
        "severity": "BIGINT",
        "severity_text": "VARCHAR",
        "event_name": "VARCHAR",
        "body": "VARCHAR",
        "trace_id": "VARCHAR",
        "span_id": "VARCHAR",
        "scope": "VARCHAR",
        "attributes": "JSON",
        "received_ns": "BIGINT",
        "observed_ns": "BIGINT",
        "flags": "BIGINT",
        "dropped_attributes": "BIGINT",
        "scope_version": "VARCHAR",
        "scope_attributes": "JSON",
        "schema_url": "VARCHAR",
        "resource": "VARCHAR",
    },
    time="received_ns",
)
METRIC: Final = Table(
    "metric",
    {
        "process": "VARCHAR",
        "service": "VARCHAR",
        "time_ns": "BIGINT",
        "start_ns": "BIGINT",
        "name": "VARCHAR",
        "unit": "VARCHAR",
        "kind": "VARCHAR",
        "temporality": "VARCHAR",
        "value": "DOUBLE",
        "count": "BIGINT",
        "minimum": "DOUBLE",
        "maximum": "DOUBLE",
        "scope": "VARCHAR",
        "attributes": "JSON",
        "detail": "JSON",
        "received_ns": "BIGINT",
        "value_int": "BIGINT",
        "monotonic": "BOOLEAN",
        "description": "VARCHAR",
        "flags": "BIGINT",
        "exemplars": "JSON",
        "metadata": "JSON",
        "scope_version": "VARCHAR",
        "scope_attributes": "JSON",
        "schema_url": "VARCHAR",
        "resource": "VARCHAR",
    },
    time="received_ns",
)

TABLES: Final = {
    table.name: table
    for table in (
        PROCESS,
        RESOURCE,
        SNAPSHOT,
        NODE,
        NODE_CHANGE,
        EDGE_CHANGE,
        FINDING,
        FINDING_EVENT,
        SPAN,
        LOG,
        METRIC,
    )
}
"""Every table but `meta` (key, value), which is written once."""
