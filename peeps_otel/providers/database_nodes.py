# SPDX-License-Identifier: Apache-2.0
"""The locks of a database that were reported, as nodes of the wait graph: the lock, and the sessions that have it.

A session is one end of a connection, whose other end a client has: so it is named as such, and whoever sees the
client's process (the collector) says which task or thread that is.
"""

from __future__ import annotations

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, NodeKind, Providers
from ..probes.internals import end_names
from .database import DatabaseReport, Session
from .picture import Around, Canvas, OfDescriptor

OPERATION = "database.lock"


def draw(report: DatabaseReport, canvas: Canvas, around: Around) -> None:
    """Adds all of it to the canvas."""
    sessions: dict[str, str] = {}
    for wait in report.waits:
        lock = canvas.put(
            NodeKind.LOCK,
            ("lock", wait.session, wait.lock),
            wait.lock,
            {semconv.RESOURCE_TYPE: "postgresql.Lock", semconv.LOCK_LOCKED: True},
            created_ns=wait.since_ns,
            providers=Providers.ESTIMATED,
        )
        edges: list[Edge] = []
        for holder in wait.holders:
            if holder.id not in sessions:
                sessions[holder.id] = _session(holder, report.server, canvas, around)
            since_ns = holder.since_ns
            edges.append(Edge(EdgeKind.HELD_BY, lock, sessions[holder.id], since_ns, confidence=Confidence.INFERRED))
        canvas.draw(lock, edges)
        canvas.picture.of_descriptors.append(OfDescriptor(wait.fd, lock, OPERATION, wait.since_ns))


def _session(one: Session, server: str, canvas: Canvas, around: Around) -> str:
    names = end_names.of_addresses(server, one.client) if server and one.client else None
    attributes: dict[str, AttributeValue | None] = {
        semconv.RESOURCE_TYPE: "postgresql.Session",
        semconv.DATABASE_SESSION: one.id,
        semconv.IO_HERE: None if names is None else names[0],
        semconv.IO_THERE: None if names is None else names[1],
        semconv.IO_UNREAD: 0 if one.is_idle else None,
    }
    backend = f"backend pid {one.id}"
    return canvas.put(
        NodeKind.IO,
        ("session", one.id),
        f"{one.application} ({backend}, {one.state})" if one.application else f"of {backend} ({one.state})",
        attributes,
        created_ns=one.since_ns or around.now_ns,
        state="waiting" if one.is_idle else "running",
    )
