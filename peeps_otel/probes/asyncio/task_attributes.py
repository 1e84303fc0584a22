# SPDX-License-Identifier: Apache-2.0
"""The attributes of tasks, one dictionary for all those that have the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ... import semconv
from ...model import AttributeValue
from ..context import ProbeContext
from ..internals import asyncio_core as internals
from .loops import Loops
from .tasks import TaskRecord

_MOST = 4096
_Attributes = dict[str, AttributeValue]


class TaskAttributes:
    """For the watcher thread only. `ids`: the nodes of tasks by their sequence numbers."""

    def __init__(self, context: ProbeContext, loops: Loops, ids: Mapping[int, str]) -> None:
        self._context = context
        self._loops = loops
        self._ids = ids
        self._known: dict[tuple[int, str | None, str | None], tuple[_Attributes, _Attributes]] = {}

    def of(self, task: asyncio.Task[Any], record: TaskRecord, now_ns: int) -> dict[str, AttributeValue]:
        """Those of a task that nobody has asked to cancel: one dictionary for all tasks of a kind and a parent."""
        parent = self._ids.get(record.parent) if record.parent else None
        ident = self._loops.thread(internals.loop_of(task))
        thread = None if ident is None else self._context.thread(ident, now_ns)
        key = (id(record.attributes), parent, thread)
        known = self._known.get(key)
        if known is not None and known[0] is record.attributes:
            return known[1]
        if len(self._known) >= _MOST:
            self._known.clear()
        attributes = record.attributes
        if parent is not None:
            attributes = attributes | {semconv.TASK_PARENT: parent}
        if thread is not None:
            attributes = attributes | {semconv.TASK_THREAD: thread}
        self._known[key] = (record.attributes, attributes)
        return attributes
