# SPDX-License-Identifier: Apache-2.0
"""Questions with a name: statements over the tables of docs/schema.md, for who does not want to write one.

Each takes two parameters: `$1`, the moment (ns), and `$2`, a list of process ids, all processes where it is empty. The
statements run in any DuckDB that has the file open, and come with their answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from peeps_otel import semconv

_NODES = """
last_node AS (
  SELECT max(struct_pack(t := time_ns, r := rowid)).r AS place FROM node_change
  WHERE time_ns <= $1 AND (len($2) = 0 OR list_contains($2, process)) GROUP BY node),
alive AS (
  SELECT c.*, n.kind, n.name, n.source, n.created_at FROM node_change AS c JOIN last_node ON c.rowid = last_node.place
  JOIN node AS n ON n.node = c.node WHERE c.op = 'upsert')"""
_EDGES = """
last_edge AS (
  SELECT max(struct_pack(t := time_ns, r := rowid)).r AS place FROM edge_change
  WHERE time_ns <= $1 AND (len($2) = 0 OR list_contains($2, process)) GROUP BY kind, src, dst),
edge AS (
  SELECT c.* FROM edge_change AS c JOIN last_edge ON c.rowid = last_edge.place
  JOIN alive AS a ON a.node = c.src WHERE c.op = 'add')"""
_WAITS = """
wait AS (
  SELECT w.process, w.node AS waiter, w.name AS waiter_name, w.wait_operation AS operation, w.wait_source AS place,
         ($1 - w.wait_since_ns) / 1e9 AS seconds, r.node AS thing, r.kind AS thing_kind, r.name AS thing_name,
         r.attributes AS of_thing
  FROM alive AS w JOIN edge AS e ON e.src = w.node AND e.kind = 'needs' LEFT JOIN alive AS r ON r.node = e.dst
  WHERE w.wait_operation IS NOT NULL)"""
_GRAPH = f"WITH {_NODES}, {_EDGES}, {_WAITS}"
_LENGTH = f"(of_thing->>'$.\"{semconv.CHANNEL_LENGTH}\"')::BIGINT"
_CAPACITY = f"(of_thing->>'$.\"{semconv.CHANNEL_CAPACITY}\"')::BIGINT"
_CHANNELS = f"""{_GRAPH},
channel AS (
  SELECT *, {_LENGTH} AS length, {_CAPACITY} AS capacity
  FROM (SELECT *, attributes AS of_thing FROM alive WHERE kind IN ('tx', 'rx')))"""


@dataclass(frozen=True, slots=True)
class Pack:
    """`text`: what it answers, in one line; `sql`: its statement."""

    name: str
    text: str
    sql: str


PACKS: tuple[Pack, ...] = (
    Pack(
        "blockers",
        "what is waited for, by how many, since when, and who has it; most waiters first",
        f"""{_GRAPH},
holder AS (
  SELECT e.src AS thing, string_agg(coalesce(h.name, e.dst), ', ' ORDER BY h.name) AS held_by
  FROM edge AS e LEFT JOIN alive AS h ON h.node = e.dst WHERE e.kind = 'held_by' GROUP BY e.src)
SELECT any_value(process) AS process, thing_kind AS kind, thing_name AS name, count(*) AS waiters,
       max(seconds) AS longest_s, any_value(held_by) AS held_by, thing AS node
FROM wait LEFT JOIN holder USING (thing) WHERE thing IS NOT NULL GROUP BY thing, thing_kind, thing_name
ORDER BY waiters DESC, longest_s DESC""",
    ),
    Pack(
        "blocked-senders",
        "who waits to put something into a channel; longest first",
        f"""{_GRAPH}
SELECT process, waiter_name AS sender, seconds, place, thing_name AS channel, {_LENGTH} AS length,
       {_CAPACITY} AS capacity, waiter AS node
FROM wait WHERE thing_kind = 'tx' ORDER BY seconds DESC""",
    ),
    Pack(
        "blocked-receivers",
        "who waits for something to come out of a channel; longest first",
        f"""{_GRAPH}
SELECT process, waiter_name AS receiver, seconds, place, thing_name AS channel, {_LENGTH} AS length, waiter AS node
FROM wait WHERE thing_kind = 'rx' ORDER BY seconds DESC""",
    ),
    Pack(
        "stalled-sends",
        "channels into which nobody could put anything for ten seconds, with how many wait",
        f"""{_GRAPH}
SELECT any_value(process) AS process, thing_name AS channel, count(*) AS senders, min(seconds) AS shortest_s,
       max(seconds) AS longest_s, any_value({_LENGTH}) AS length, any_value({_CAPACITY}) AS capacity, thing AS node
FROM wait WHERE thing_kind = 'tx' GROUP BY thing, thing_name HAVING max(seconds) >= 10 ORDER BY longest_s DESC""",
    ),
    Pack(
        "channel-pressure",
        "how full channels with a capacity are; fullest first",
        f"""{_CHANNELS}
SELECT process, name AS channel, length, capacity, round(length / capacity, 3) AS share, source, node
FROM channel WHERE capacity > 0 AND kind = 'tx' ORDER BY share DESC, length DESC""",
    ),
    Pack(
        "channel-health",
        "every end of a channel: how much is in it, and who waits on it",
        f"""{_CHANNELS}
SELECT c.process, c.name AS channel, c.kind AS end, c.length, c.capacity, count(w.waiter) AS waiters,
       max(w.seconds) AS longest_s, bool_or(e.dst IS NOT NULL) AS closed, c.source, c.node
FROM channel AS c LEFT JOIN wait AS w ON w.thing = c.node
LEFT JOIN edge AS e ON e.src = c.node AND e.kind = 'closed_by'
GROUP BY ALL ORDER BY waiters DESC, longest_s DESC NULLS LAST, channel""",
    ),
    Pack(
        "scope-membership",
        "which task or thread started which, with what it does now",
        f"""{_GRAPH}
SELECT p.process, p.kind AS scope_kind, p.name AS scope, m.kind, m.name AS member, m.state, m.wait_operation,
       m.wait_source, p.node AS scope_node, m.node
FROM edge AS e JOIN alive AS p ON p.node = e.src JOIN alive AS m ON m.node = e.dst
WHERE e.kind = 'spawned' ORDER BY p.process, scope, member""",
    ),
    Pack(
        "stale-blockers",
        "every wait with what it is for; oldest first",
        f"""{_GRAPH}
SELECT process, waiter_name AS waiter, seconds, operation, place, thing_kind, thing_name AS thing, waiter AS node
FROM wait ORDER BY seconds DESC""",
    ),
    Pack(
        "held-longest",
        "locks and permits by how long somebody has had them",
        f"""{_GRAPH}
SELECT e.process, r.kind, r.name, h.name AS holder, ($1 - e.since_ns) / 1e9 AS seconds, e.source AS taken_at,
       h.wait_operation AS holder_waits_in, h.wait_source AS holder_at, r.node
FROM edge AS e JOIN alive AS r ON r.node = e.src JOIN alive AS h ON h.node = e.dst
WHERE e.kind = 'held_by' ORDER BY seconds DESC NULLS LAST""",
    ),
    Pack(
        "waits-by-line",
        "where waits are now: how many at each line, and the longest",
        f"""WITH {_NODES}
SELECT process, wait_operation AS operation, wait_source AS place, count(*) AS waiters,
       max(($1 - wait_since_ns) / 1e9) AS longest_s
FROM alive WHERE wait_operation IS NOT NULL GROUP BY process, operation, place ORDER BY waiters DESC, longest_s DESC""",
    ),
    Pack(
        "findings-by-line",
        "which findings came how often, by their title",
        """SELECT kind, level, title, count(*) AS times, max(last_seen_ns) AS last_ns,
       max(blocked_count) AS most_blocked
FROM finding WHERE first_seen_ns <= $1 AND (len($2) = 0 OR list_has_any(processes, $2))
GROUP BY kind, level, title ORDER BY times DESC, last_ns DESC""",
    ),
    Pack(
        "requests-slowest",
        "finished server and client spans of the last hour by name; slowest first",
        """SELECT service, name, kind, count(*) AS requests, quantile_cont((end_ns - start_ns) / 1e6, 0.5) AS median_ms,
       quantile_cont((end_ns - start_ns) / 1e6, 0.99) AS p99_ms, count(*) FILTER (status = 'error') AS errors
FROM span WHERE kind IN ('server', 'client') AND received_ns <= $1 AND received_ns > $1 - 3_600_000_000_000
  AND (len($2) = 0 OR list_contains($2, process))
GROUP BY service, name, kind ORDER BY p99_ms DESC""",
    ),
    Pack(
        "spans-newest",
        "the spans that came last, with their attributes",
        """SELECT service, name, kind, start_ns, end_ns, status, trace_id, span_id, parent_span_id, attributes, process
FROM span WHERE received_ns <= $1 AND (len($2) = 0 OR list_contains($2, process))
ORDER BY received_ns DESC, start_ns DESC""",
    ),
    Pack(
        "findings-newest",
        "what was found, newest first",
        """SELECT kind, level, state, title, since_ns, first_seen_ns, last_seen_ns, blocked_count, processes, advice,
       finding
FROM finding WHERE first_seen_ns <= $1 AND (len($2) = 0 OR list_has_any(processes, $2)) ORDER BY first_seen_ns DESC""",
    ),
    Pack(
        "cost-of-looking",
        "what the looks of the last hour cost each process, and what was left out",
        """SELECT process, count(*) AS snapshots, sum(cpu_ns) / 1e6 AS cpu_ms,
       quantile_cont(duration_ns, 0.99) / 1e6 AS p99_ms, sum(bytes) AS bytes, max(nodes) AS most_nodes,
       max(dropped) AS dropped, last(shed ORDER BY time_ns) AS shed
FROM snapshot WHERE received_ns <= $1 AND received_ns > $1 - 3_600_000_000_000
  AND (len($2) = 0 OR list_contains($2, process)) GROUP BY process ORDER BY cpu_ms DESC""",
    ),
    Pack(
        "rows-by-process",
        "how many rows of each table every process has in the file",
        """SELECT process, sum(rows) AS rows, max(rows) FILTER (what = 'span') AS spans,
       max(rows) FILTER (what = 'log') AS logs, max(rows) FILTER (what = 'metric') AS metrics,
       max(rows) FILTER (what = 'node_change') AS node_changes, max(rows) FILTER (what = 'edge_change') AS edge_changes
FROM (SELECT process, 'span' AS what, count(*) AS rows FROM span WHERE received_ns <= $1 GROUP BY process
      UNION ALL SELECT process, 'log', count(*) FROM log WHERE received_ns <= $1 GROUP BY process
      UNION ALL SELECT process, 'metric', count(*) FROM metric WHERE received_ns <= $1 GROUP BY process
      UNION ALL SELECT process, 'node_change', count(*) FROM node_change WHERE time_ns <= $1 GROUP BY process
      UNION ALL SELECT process, 'edge_change', count(*) FROM edge_change WHERE time_ns <= $1 GROUP BY process)
WHERE len($2) = 0 OR list_contains($2, process) GROUP BY process ORDER BY rows DESC""",
    ),
)
BY_NAME = {pack.name: pack for pack in PACKS}
