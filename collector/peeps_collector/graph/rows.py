# SPDX-License-Identifier: Apache-2.0
"""Processes and snapshots as rows of their tables, in the order of the columns."""

from __future__ import annotations

from peeps_otel.model import Snapshot

from ..decode.values import json_text
from .process import Process


def process_row(process: Process) -> tuple[object, ...]:
    """As it stands now."""
    info = process.info
    return (
        info.id,
        info.service,
        info.pid,
        info.host,
        info.runtime,
        process.state.value,
        process.first_seen_ns,
        process.last_seen_ns,
        json_text(info.resource),
    )


def snapshot_row(process: Process, snapshot: Snapshot, size: int, now_ns: int) -> tuple[object, ...]:
    """`size`: of its message, in bytes; `now_ns`: when it came."""
    return (
        process.info.id,
        f"{snapshot.stream_id:016x}",
        snapshot.sequence,
        snapshot.time_ns,
        now_ns,
        snapshot.key_frame,
        len(snapshot.nodes),
        len(snapshot.edges),
        len(snapshot.gone),
        snapshot.cpu_ns,
        snapshot.duration_ns,
        snapshot.interval_ns,
        snapshot.dropped,
        size,
        snapshot.coverage,
        snapshot.shed,
    )
