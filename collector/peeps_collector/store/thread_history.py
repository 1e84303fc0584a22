# SPDX-License-Identifier: Apache-2.0
"""Which stacks the looks saw threads in, and for how long: until the next look that saw another one."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from peeps_otel import semconv
from peeps_otel.report.in_words import TELEMETRY

from .reader import Reader
from .wait_history import frames_of
from .window import SEEN, Window

_ROWS = 500_000
_BYTES = 256 << 20
_SECONDS = 20.0
_AT_WORK = ("running", "gil")

# A thread of a process that has said nothing more is only counted up to its last look.
_THREADS = f"""
WITH {SEEN},
row AS (
  SELECT node, process, op, state, stack::VARCHAR AS stack, time_ns,
         TRY_CAST(attributes->>'$."{semconv.THREAD_CPU_TIME}"' AS BIGINT) AS cpu_ns,
         lead(time_ns) OVER next AS until_ns,
         lead(TRY_CAST(attributes->>'$."{semconv.THREAD_CPU_TIME}"' AS BIGINT)) OVER next AS next_cpu_ns,
         lead(CASE WHEN op = 'upsert' THEN state END) OVER next AS next_state,
         lead(stack::VARCHAR) OVER next AS next_stack
  FROM node_change
  WHERE node LIKE 'thread:%' AND time_ns <= $2 AND (len($3) = 0 OR list_contains($3, process))
  WINDOW next AS (PARTITION BY node ORDER BY time_ns, node_change.rowid))
SELECT row.node, coalesce(node.name, ''), row.state, row.stack, greatest(row.time_ns, $1),
       coalesce(row.until_ns, seen.last_ns), coalesce(row.next_cpu_ns - row.cpu_ns, 0), row.next_state, row.next_stack
FROM row JOIN seen USING (process) LEFT JOIN node USING (node)
WHERE row.op = 'upsert' AND coalesce(row.until_ns, seen.last_ns) > $1
"""


class Stretch(NamedTuple):
    """A thread was in `stack` (outermost first; empty where none was taken) for `ns`, and used `cpu_ns` of a processor
    meanwhile. `at_work`: the stack of the look before or after it that found it running; None where neither did."""

    name: str
    state: str
    stack: tuple[str, ...]
    ns: int
    cpu_ns: int
    at_work: tuple[str, ...] | None


def threads_in(reader: Reader, window: Window) -> list[Stretch]:
    """Without threads of OpenTelemetry's and of ours, which nobody looks for. Raises StatementFailed."""
    stacks: dict[str, tuple[str, ...]] = {}
    telemetry: set[str] = set()
    found: list[Stretch] = []
    rows = reader.rows(_THREADS, window.given, _ROWS, _BYTES, _SECONDS)
    for node, name, state, stack, from_ns, to_ns, cpu_ns, next_state, next_stack in rows:
        for one in (stack, next_stack):
            if one and one not in stacks:
                stacks[one] = frames_of(one)
                if _is_telemetry(one):
                    telemetry.add(one)
        if stack in telemetry:
            continue
        working = stack if state in _AT_WORK else next_stack if next_state in _AT_WORK else None
        at_work = stacks[working] if working else None
        stood = stacks[stack] if stack else ()
        found.append(Stretch(name or node, state or "", stood, to_ns - from_ns, max(cpu_ns, 0), at_work))
    return found


def _is_telemetry(stack: str) -> bool:
    libraries: list[str | None] = [frame[3] if len(frame) > 3 else None for frame in orjson.loads(stack)]
    return all(libraries) and any(TELEMETRY.match(library or "") for library in libraries)
