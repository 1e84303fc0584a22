# SPDX-License-Identifier: Apache-2.0
"""Futures that somebody waits for, of asyncio and of `concurrent.futures` alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..model import NodeKind
from .identity import Identities, NodeIds


@dataclass(slots=True)
class FutureRecord:
    """`type_name` as a person would write it; `source`: where the first waiter was seen to wait for it."""

    id: str
    type_name: str
    source: str
    created_ns: int


class Futures:
    """The futures that are nodes because a task or thread waits for them. For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: Identities[FutureRecord] = Identities()

    def wanted(self, future: Any, now_ns: int, source: str) -> str | None:
        """The node id of a future somebody waits for; None for a type that takes no weak reference."""
        record = self._known.get(future)
        if record is None:
            node_id = self._ids.new(NodeKind.FUTURE, now_ns)
            record = FutureRecord(node_id, f"{type(future).__module__}.{type(future).__name__}", source, now_ns)
            if not self._known.put(future, record):
                return None
        return record.id
