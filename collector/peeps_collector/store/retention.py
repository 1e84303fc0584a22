# SPDX-License-Identifier: Apache-2.0
"""What is deleted once a minute: history older than the retention time. What is alive is never deleted."""

from __future__ import annotations

from .schema import EDGE_CHANGE, FINDING, NODE, NODE_CHANGE, PROCESS, RESOURCE, TABLES


def retention_statements() -> list[str]:
    """Statements with one parameter each, the oldest time to keep (ns), in the order to run them."""
    plain = [
        f"DELETE FROM {table.name} WHERE {table.time} < $1"
        for table in TABLES.values()
        if table.time and table is not FINDING
    ]
    return [
        *plain,
        f"DELETE FROM {FINDING.name} WHERE state <> 'open' AND last_seen_ns < $1",
        # The last word on a living node stays, however old: it is the state at every later moment.
        f"""DELETE FROM {NODE_CHANGE.name} AS old WHERE old.time_ns < $1 AND (old.op <> 'upsert' OR EXISTS (
              SELECT 1 FROM {NODE_CHANGE.name} AS new
              WHERE new.node = old.node AND new.time_ns > old.time_ns AND new.time_ns <= $1))""",
        f"""DELETE FROM {EDGE_CHANGE.name} AS old WHERE old.time_ns < $1 AND (old.op <> 'add' OR EXISTS (
              SELECT 1 FROM {EDGE_CHANGE.name} AS new
              WHERE new.src = old.src AND new.dst = old.dst AND new.kind = old.kind
                AND new.time_ns > old.time_ns AND new.time_ns <= $1))""",
        f"""DELETE FROM {NODE.name} WHERE created_at < $1 AND node NOT IN (SELECT node FROM {NODE_CHANGE.name})""",
        f"DELETE FROM {PROCESS.name} WHERE state = 'gone' AND last_seen_ns < $1",
        f"""DELETE FROM {RESOURCE.name} WHERE process NOT IN (SELECT process FROM {PROCESS.name}) AND $1 > 0""",
    ]
