# SPDX-License-Identifier: Apache-2.0
"""The private names of janus: its queue, and how many wait at each end of it."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, cast

from . import versions
from .asyncio_core import whole
from .asyncio_io import field
from .stdlib import QueueState

CHECKED_ON = versions.on("janus")
MODULE = "janus"
SYNC, ASYNC = "_SyncQueueProxy", "_AsyncQueueProxy"
_ITEMS = ("_queue", "_heap_queue")


def is_imported() -> bool:
    return {"Queue", SYNC, ASYNC} <= vars(sys.modules.get(MODULE, sys)).keys()


def queue_type() -> type[Any]:
    return sys.modules[MODULE].Queue


def async_end() -> type[Any]:
    """What tasks put into, and get from."""
    return vars(sys.modules[MODULE])[ASYNC]


def state(queue: object) -> QueueState:
    items: object = next((one for name in _ITEMS if (one := field(queue, name)) is not None), None)
    return QueueState(
        len(cast("list[Any]", items)) if type(items) in (deque, list) else None,
        whole(field(queue, "_maxsize")),
        _both(queue, "not_full"),
        _both(queue, "not_empty"),
        whole(field(queue, "_unfinished_tasks")),
    )


def _both(queue: object, what: str) -> int | None:
    """How many tasks and threads wait for it."""
    counts = [whole(field(queue, f"_{side}_{what}_waiting")) for side in ("async", "sync")]
    known = [one for one in counts if one is not None]
    return sum(known) if len(known) == len(counts) else None
