# SPDX-License-Identifier: Apache-2.0
"""How much was in channels, pools, semaphores and queues of executors, and when."""

from __future__ import annotations

from typing import NamedTuple

from peeps_otel import semconv
from peeps_otel.model import Node, NodeKind

from ..slow.curves import Level
from .reader import Reader
from .window import SEEN, Window

_ROWS = 300_000
_BYTES = 64 << 20
_SECONDS = 20.0


def _number(attribute: str) -> str:
    return f"TRY_CAST(c.attributes->>'$.\"{attribute}\"' AS BIGINT)"


# Both ends of a queue of one process say the same: then the end that fills it is told.
_VALUES = f"""
WITH {SEEN},
thing AS (
  SELECT * FROM node AS n WHERE (len($3) = 0 OR list_contains($3, n.process)) AND (
    n.kind IN ('tx', 'semaphore', 'executor') OR n.kind = 'rx' AND NOT EXISTS (
      SELECT 1 FROM node AS t
      WHERE t.kind = 'tx' AND t.process = n.process AND t.name = n.name AND t.source = n.source))),
value AS (
  SELECT c.node, c.op, c.time_ns, lead(c.time_ns) OVER (PARTITION BY c.node ORDER BY c.time_ns, c.rowid) AS until_ns,
    CASE thing.kind
      WHEN 'semaphore' THEN coalesce({_number(semconv.POOL_IN_USE)},
        {_number(semconv.SEMAPHORE_PERMITS)} - {_number(semconv.SEMAPHORE_AVAILABLE)})
      WHEN 'executor' THEN {_number(semconv.EXECUTOR_QUEUED)}
      ELSE {_number(semconv.CHANNEL_LENGTH)} END AS value,
    CASE thing.kind
      WHEN 'semaphore' THEN {_number(semconv.SEMAPHORE_PERMITS)}
      WHEN 'executor' THEN NULL
      ELSE {_number(semconv.CHANNEL_CAPACITY)} END AS capacity,
    c.attributes->>'$."{semconv.RESOURCE_TYPE}"' AS type
  FROM node_change AS c JOIN thing USING (node) WHERE c.time_ns <= $2),
level AS (
  SELECT value.*, thing.process, thing.kind, thing.name, thing.source, thing.created_at,
         coalesce(value.until_ns, seen.last_ns) AS to_ns
  FROM value JOIN thing USING (node) JOIN seen ON seen.process = thing.process
  WHERE value.op = 'upsert' AND value.value IS NOT NULL AND coalesce(value.until_ns, seen.last_ns) > $1)
"""
# The fullest first, then those that moved most; what never had anything in it says nothing.
_CHOSEN = """
SELECT node, any_value(process), any_value(kind), any_value(name), any_value(source), any_value(created_at),
       any_value(type), max(capacity), max(value), count(*) OVER ()
FROM level GROUP BY node HAVING max(value) > 0
ORDER BY coalesce(max(value / nullif(greatest(capacity, 0), 0)), 0) DESC, count(*) DESC, max(value) DESC, node
LIMIT $4 OFFSET $5
"""
_LEVELS = "SELECT node, time_ns, to_ns, value FROM level WHERE list_contains($4, node) ORDER BY node, time_ns"


class Filled(NamedTuple):
    """`capacity`: None where it has no bound."""

    node: Node
    process: str
    capacity: int | None
    most: int
    levels: list[Level]


def fullest_in(reader: Reader, window: Window, offset: int, limit: int) -> tuple[list[Filled], int]:
    """A page of those that had something in them, and how many they are. Raises StatementFailed."""
    chosen = reader.rows(_VALUES + _CHOSEN, [*window.given, limit, offset], _ROWS, _BYTES, _SECONDS)
    levels: dict[str, list[Level]] = {row[0]: [] for row in chosen}
    of_chosen = reader.rows(_VALUES + _LEVELS, [*window.given, list(levels)], _ROWS, _BYTES, _SECONDS)
    for node, from_ns, to_ns, value in of_chosen:
        levels[node].append(Level(from_ns, to_ns, value))
    filled = [
        Filled(_node(node, kind, name, created_at, source, type_), process, capacity or None, most, levels[node])
        for node, process, kind, name, source, created_at, type_, capacity, most, _ in chosen
    ]
    return filled, chosen[0][-1] if chosen else 0


def _node(node: str, kind: str, name: str, created_at: int, source: str, type_: str | None) -> Node:
    return Node(node, NodeKind(kind), name, created_at, source, attributes={semconv.RESOURCE_TYPE: type_ or ""})
