# SPDX-License-Identifier: Apache-2.0
"""Processes and snapshots as rows of their tables, in the order of the columns."""

from __future__ import annotations

from peeps_otel.model.snapshot_pb2 import Snapshot as Message

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


def snapshot_row(
    process: Process, message: Message, nodes: int, edges: int, gone: int, size: int, now_ns: int
) -> tuple[object, ...]:
    """`nodes`, `edges`, `gone`: how many are in it; `size`: of its bytes; `now_ns`: when it came."""
    cost = message.cost
    return (
        process.info.id,
        f"{message.stream_id:016x}",
        message.sequence,
        message.time_unix_nano,
        now_ns,
        message.key_frame,
        nodes,
        edges,
        gone,
        cost.cpu_ns,
        cost.duration_ns,
        cost.interval_ns,
        cost.dropped,
        size,
        list(message.coverage),
        list(message.shed),
    )
