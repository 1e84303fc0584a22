# SPDX-License-Identifier: Apache-2.0
"""Waits out of the stored history, for the blame profile.

Two sources: the changes of tasks and threads, which know resources, holders and stacks but only what a look saw, so
that an end is late by one look at most; and the spans of long waits, which are exact. A wait that both know is taken
from the changes, with the span's end and waker.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, NamedTuple

import orjson

from peeps_otel import semconv
from peeps_otel.diagnosis.blame import Holder, Wait

from .reader import Reader
from .window import Window

_ROWS = 500_000
_BYTES = 256 << 20
_SECONDS = 20.0

# Things that others can have; what merely has not come yet (an item, a timer, the network) is nobody's fault.
_WANTED_KINDS = frozenset({"lock", "semaphore", "tx", "task", "thread", "executor"})
_TYPES = {
    "asyncio.Lock": "lock",
    "asyncio.Semaphore": "semaphore",
    "asyncio.BoundedSemaphore": "semaphore",
    "asyncio.Event": "event",
    "asyncio.Condition": "condition",
}
_LINE = re.compile(r":\d+\)$")

_CHANGES = """
SELECT c.process, c.node, c.state, c.op, c.wait_operation, c.wait_since_ns, c.wait_source, c.stack::VARCHAR, c.time_ns,
       lead(c.time_ns) OVER (PARTITION BY c.process, c.node ORDER BY c.time_ns, c.rowid) AS until_ns
FROM node_change c
WHERE (c.node LIKE 'task:%' OR c.node LIKE 'thread:%') AND c.time_ns <= $until
  AND (len($processes) = 0 OR c.process IN (SELECT unnest($processes)))
QUALIFY c.wait_operation IS NOT NULL AND c.op = 'upsert' AND (until_ns IS NULL OR until_ns > $since)
ORDER BY c.node, c.time_ns
"""
_EDGES = """
SELECT op, kind, src, dst, source, time_ns FROM edge_change
WHERE kind IN ('needs', 'held_by') AND time_ns <= $until
  AND (len($processes) = 0 OR process IN (SELECT unnest($processes)))
ORDER BY time_ns, rowid
"""
_NAMES = """
SELECT node, any_value(kind), any_value(name), any_value(source) FROM node
WHERE len($processes) = 0 OR process IN (SELECT unnest($processes)) GROUP BY node
"""
_SPANS = f"""
SELECT process, start_ns, end_ns, attributes::VARCHAR FROM span
WHERE name = '{semconv.SPAN_WAIT}' AND end_ns > $since AND start_ns < $until
  AND (len($processes) = 0 OR process IN (SELECT unnest($processes)))
"""


class _Edges(NamedTuple):
    """Who stood in a relation to one node, and when: parallel lists of times and of the sets from then on."""

    times: list[int]
    sets: list[dict[str, str]]

    def at(self, time_ns: int) -> dict[str, str]:
        position = bisect_right(self.times, time_ns)
        return self.sets[position - 1] if position else {}


def waits_in(reader: Reader, window: Window) -> list[Wait]:
    """The waits that lasted at some time of the window. Raises StatementFailed."""
    since_ns, until_ns = window.since_ns, window.until_ns
    given = {"processes": list(window.processes), "until": window.newest_ns}
    names = {node: (kind, name, source) for node, kind, name, source in _rows(reader, _NAMES, given)}
    needs, held = _relations(_rows(reader, _EDGES, given))
    spans = {
        (process, start): (end, orjson.loads(attributes))
        for process, start, end, attributes in _rows(reader, _SPANS, given | {"since": since_ns})
    }
    waits: list[Wait] = []
    stacks: dict[str, tuple[str, ...]] = {}
    last: tuple[str, int, str] | None = None
    exact: tuple[int, dict[str, Any]] | None = None
    for row in _rows(reader, _CHANGES, given | {"since": since_ns}):
        process, node, _, _, operation, began, site, stack, time_ns, until = row
        end = until_ns if until is None else until
        key = (node, began, operation)
        if stack and stack not in stacks:
            stacks[stack] = frames_of(stack)
        targets = needs[node].at(time_ns) if node in needs else {}
        holders = tuple(
            Holder(holder, source or "")
            for target in targets
            for holder, source in (
                (held[target].at(time_ns) if target in held else {})
                or ({target: ""} if target.startswith(("task:", "thread:")) else {})
            ).items()
        )
        wait = Wait(
            waiter=node,
            began_ns=max(began, since_ns),
            ended_ns=max(end, began),
            site=site or "",
            resource=_resource(operation, list(targets), names),
            wanted=any(target.partition(":")[0] in _WANTED_KINDS for target in targets),
            holders=holders,
            stack=stacks.get(stack, ()) if stack else (),
        )
        if last == key:  # seen again in the same wait: lines are known from the second look on
            before = waits.pop()
            wait = wait._replace(holders=before.holders or wait.holders)
        else:
            exact = spans.pop((process, began), None)
        last = key
        if exact is not None:
            wait = wait._replace(ended_ns=min(exact[0], until_ns), waker=_text(exact[1], semconv.WAKER_SOURCE))
        waits.append(wait)
    waits += [
        _of_span(start, min(end, until_ns), attributes, since_ns) for (_, start), (end, attributes) in spans.items()
    ]
    return _with_lines([wait for wait in waits if wait.ended_ns > wait.began_ns])


def _with_lines(waits: list[Wait]) -> list[Wait]:
    """A wait that only one look saw has no lines: they are those of the waits with the same chain of functions, where
    these agree."""
    known: dict[tuple[str, ...], set[tuple[str, tuple[str, ...]]]] = {}
    for wait in waits:
        bare = tuple(_LINE.sub(")", frame) for frame in wait.stack)
        if bare != wait.stack:
            known.setdefault(bare, set()).add((wait.site, wait.stack))
    filled: list[Wait] = []
    for wait in waits:
        candidates = known.get(wait.stack, set())
        if len(candidates) == 1:
            site, stack = next(iter(candidates))
            wait = wait._replace(site=site, stack=stack)
        filled.append(wait)
    return filled


def _rows(reader: Reader, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Numbered parameters, for that is what the reader takes."""
    ordered: list[Any] = []
    for name, value in parameters.items():
        if f"${name}" in sql:
            ordered.append(value)
            sql = sql.replace(f"${name}", f"${len(ordered)}")
    return [tuple(row) for row in reader.rows(sql, ordered, _ROWS, _BYTES, _SECONDS)]


def _relations(rows: list[tuple[Any, ...]]) -> tuple[dict[str, _Edges], dict[str, _Edges]]:
    """`needs` and `held_by`, by the node they go out from."""
    needs: dict[str, _Edges] = {}
    held: dict[str, _Edges] = {}
    for op, kind, src, dst, source, time_ns in rows:
        edges = (held if kind == "held_by" else needs).setdefault(src, _Edges([], []))
        current = dict(edges.sets[-1]) if edges.sets else {}
        if op == "add":
            current[dst] = source or ""
        else:
            current.pop(dst, None)
        if edges.times and edges.times[-1] == time_ns:
            edges.sets[-1] = current
        else:
            edges.times.append(time_ns)
            edges.sets.append(current)
    return needs, held


def _resource(operation: str, targets: list[str], names: dict[str, tuple[str, str, str]]) -> str:
    if len(targets) > 1:
        return f"{operation} of {len(targets)}"
    kind, name, source = names.get(targets[0], ("", "", "")) if targets else ("", "", "")
    return f"{kind} {name or source}" if kind else operation


def frames_of(stack: str) -> tuple[str, ...]:
    return tuple(
        f"{function} ({file}:{line})" if line else f"{function} ({file})"
        for function, file, line, *_ in orjson.loads(stack)
    )


def _of_span(start: int, end: int, attributes: dict[str, Any], since_ns: int) -> Wait:
    """A wait between two looks: its holder is not known, but often who ended it."""
    kind = _TYPES.get(_text(attributes, semconv.RESOURCE_TYPE), "")
    path, line = _text(attributes, semconv.CODE_FILE_PATH), attributes.get(semconv.CODE_LINE_NUMBER)
    site = f"{path}:{line}" if line else path
    function = _text(attributes, semconv.CODE_FUNCTION_NAME)
    return Wait(
        waiter=f"span:{_text(attributes, semconv.NODE_NAME)}",
        began_ns=max(start, since_ns),
        ended_ns=end,
        site=site,
        resource=f"{kind or 'wait'} {_text(attributes, semconv.RESOURCE_NAME)}".strip(),
        wanted=kind in _WANTED_KINDS,
        stack=(f"{function} ({site})",) if function else (),
        waker=_text(attributes, semconv.WAKER_SOURCE),
    )


def _text(attributes: dict[str, Any], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
