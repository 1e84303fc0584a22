# SPDX-License-Identifier: Apache-2.0
"""The tables: of each what its rows are, its columns, and what comes first. A new column is a line in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from peeps_otel import semconv
from peeps_otel.model import Node, NodeKind

from . import values
from .calls_columns import CALL_COLUMNS, call_subjects
from .column import Column, Fold, Type
from .moment import Moment, Subject
from .process_columns import PROCESS_COLUMNS, process_subjects
from .values import IDENTITY, MADE, NAME, PROCESS, WAITED, WAITERS, attribute, share


class Table(NamedTuple):
    """`order`: keys of columns, the most important first, `-` before one: the largest first; a state by how bad it is.
    `group`: the column by whose values rows are put together where nobody asks otherwise; empty for none. `apart`:
    columns in which those of one row are always the same."""

    name: str
    title: str
    subjects: Callable[[Moment], Iterator[Subject]]
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    group: str = ""
    apart: tuple[str, ...] = ("state",)

    def column(self, key: str) -> Column | None:
        return next((column for column in self.columns if column.key == key), None)


def _nodes(wanted: Callable[[Node], bool]) -> Callable[[Moment], Iterator[Subject]]:
    def subjects(moment: Moment) -> Iterator[Subject]:
        owner = moment.view.owner
        return (Subject(node.id, owner[node.id], node) for node in moment.view.nodes.values() if wanted(node))

    return subjects


_STATE_OF_RUNNER = Column("state", "state", Type.TEXT, values.runner_state)
_STATE_OF_THING = Column("state", "state", Type.TEXT, values.thing_state)
_WAITS_FOR = Column("for", "waits for", Type.TEXT, values.waits_for)
_WAITS = Column("waits", "waits", Type.SINCE, values.waits_since)
_SITE = Column("site", "where", Type.PLACE, values.site)
_HOLDERS = Column("holder", "held by", Type.TEXT, values.holders)

TABLES: tuple[Table, ...] = (
    Table(
        "tasks",
        "Tasks",
        _nodes(lambda node: node.kind is NodeKind.TASK),
        (
            _STATE_OF_RUNNER,
            NAME,
            _WAITS_FOR,
            _WAITS,
            _SITE,
            PROCESS,
            MADE,
            Column("steps", "steps", Type.NUMBER, lambda _, s: values.node_of(s).steps, is_shown=False),
            *IDENTITY,
        ),
        ("state", "waits", "name"),
        "site",
    ),
    Table("requests", "Requests", call_subjects, CALL_COLUMNS, ("state", "age"), "method"),
    Table(
        "locks",
        "Locks",
        _nodes(values.is_lock),
        (
            _STATE_OF_THING,
            NAME,
            _HOLDERS,
            Column("held", "held for", Type.SINCE, values.held_since),
            Column("site", "taken at", Type.PLACE, values.held_at),
            WAITERS,
            WAITED,
            Column("free", "free permits", Type.NUMBER, attribute(semconv.SEMAPHORE_AVAILABLE)),
            PROCESS,
            MADE,
            *IDENTITY,
        ),
        ("state", "-waiters", "waits", "held"),
        "made",
    ),
    Table(
        "channels",
        "Channels",
        _nodes(values.is_channel),
        (
            _STATE_OF_THING,
            NAME,
            Column("end", "end", Type.TEXT, lambda _, s: {"tx": "in", "rx": "out"}[values.node_of(s).kind]),
            Column("full", "full", Type.SHARE, share(semconv.CHANNEL_LENGTH, semconv.CHANNEL_CAPACITY)),
            Column("length", "items", Type.NUMBER, attribute(semconv.CHANNEL_LENGTH)),
            Column("capacity", "room for", Type.NUMBER, attribute(semconv.CHANNEL_CAPACITY)),
            WAITERS,
            WAITED,
            PROCESS,
            replace(MADE, key="site"),
            Column("unfinished", "unfinished", Type.NUMBER, attribute(semconv.CHANNEL_UNFINISHED), is_shown=False),
            Column("to", "leads to", Type.TEXT, values.other_end, is_shown=False),
            Column("closed", "closed by", Type.TEXT, values.closed_by, is_shown=False),
            *IDENTITY,
        ),
        ("state", "-full", "waits", "-length"),
        "site",
        ("state", "end"),
    ),
    Table(
        "pools",
        "Pools",
        _nodes(values.is_pool),
        (
            _STATE_OF_THING,
            NAME,
            Column("full", "in use", Type.SHARE, share(semconv.POOL_IN_USE, semconv.SEMAPHORE_PERMITS)),
            Column("used", "lent", Type.NUMBER, attribute(semconv.POOL_IN_USE)),
            Column("size", "of", Type.NUMBER, attribute(semconv.SEMAPHORE_PERMITS)),
            Column("lost", "lost", Type.NUMBER, attribute(semconv.POOL_LOST)),
            _HOLDERS,
            Column("held", "held for", Type.SINCE, values.held_since),
            WAITERS,
            WAITED,
            PROCESS,
            replace(MADE, key="site"),
            *IDENTITY,
        ),
        ("state", "-full", "-waiters", "waits"),
        "site",
    ),
    Table(
        "threads",
        "Threads",
        _nodes(values.is_thread),
        (
            _STATE_OF_RUNNER,
            NAME,
            Column("call", "in", Type.TEXT, attribute(semconv.THREAD_CALL)),
            _WAITS_FOR,
            _WAITS,
            Column("cpu", "CPU used", Type.DURATION, attribute(semconv.THREAD_CPU_TIME)),
            Column("stack", "innermost functions", Type.TEXT, values.stack),
            _SITE,
            Column("tasks", "tasks", Type.NUMBER, values.tasks_of_thread),
            PROCESS,
            Column("native", "system id", Type.NUMBER, attribute(semconv.THREAD_NATIVE_ID), Fold.FIRST, is_shown=False),
            *IDENTITY,
        ),
        ("state", "waits", "-cpu"),
    ),
    Table(
        "executors",
        "Executors",
        _nodes(lambda node: node.kind is NodeKind.EXECUTOR),
        (
            _STATE_OF_THING,
            NAME,
            Column("full", "workers", Type.SHARE, share(semconv.EXECUTOR_WORKER_COUNT, semconv.EXECUTOR_WORKER_LIMIT)),
            Column("workers", "started", Type.NUMBER, attribute(semconv.EXECUTOR_WORKER_COUNT)),
            Column("limit", "of", Type.NUMBER, attribute(semconv.EXECUTOR_WORKER_LIMIT)),
            Column("queued", "queued", Type.NUMBER, attribute(semconv.EXECUTOR_QUEUED)),
            WAITERS,
            WAITED,
            PROCESS,
            replace(MADE, key="site"),
            *IDENTITY,
        ),
        ("state", "-queued", "waits"),
    ),
    Table(
        "connections",
        "Connections",
        _nodes(lambda node: node.kind in (NodeKind.CONNECTION, NodeKind.IO, NodeKind.SHM, NodeKind.COMMAND)),
        (
            _STATE_OF_THING,
            NAME,
            Column("peer", "peer", Type.TEXT, attribute(semconv.CONNECTION_PEER)),
            WAITERS,
            WAITED,
            Column("unread", "bytes not read", Type.NUMBER, attribute(semconv.IO_UNREAD)),
            Column("unsent", "bytes not sent", Type.NUMBER, attribute(semconv.IO_UNSENT)),
            Column("out", "calls out", Type.NUMBER, attribute(semconv.CONNECTION_PENDING_OUT)),
            Column("in", "calls in", Type.NUMBER, attribute(semconv.CONNECTION_PENDING_IN)),
            Column("heard", "last heard", Type.SINCE, attribute(semconv.CONNECTION_LAST_RECEIVED), Fold.MOST),
            PROCESS,
            Column("site", "made at", Type.PLACE, values.made),
            Column("fd", "descriptor", Type.NUMBER, attribute(semconv.IO_FD), Fold.FIRST, is_shown=False),
            *IDENTITY,
        ),
        ("state", "waits", "-out"),
        "site",
    ),
    Table("processes", "Processes", process_subjects, PROCESS_COLUMNS, ("state", "-waiting", "name")),
)
BY_NAME = {table.name: table for table in TABLES}
STATES = ("stuck", "not_received", "peer_not_attached", "full", "silent", "held", "blocked", "awaited", "waiting")
"""The worst first; all others come after them."""
