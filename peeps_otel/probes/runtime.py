# SPDX-License-Identifier: Apache-2.0
"""What the watcher, the watchdog and the agent may ask about the interpreter, its threads, loops and tasks.

The door to `internals/`, where the private names are: nobody outside `probes/` goes past it, so what a new CPython
breaks is mended in there alone. Each function is described where it is written.
"""

from __future__ import annotations

from .internals.asyncio_cancellation import requests as cancel_requests
from .internals.asyncio_core import awaited_future, loop_of, task_references
from .internals.asyncio_io import told_addresses
from .internals.await_chain import in_hands
from .internals.current_frames import asker, borrow, current_frames
from .internals.end_names import of_client as end_of_client
from .internals.footprint import footprint
from .internals.imported import is_complete
from .internals.listening import accepts, listens
from .internals.loop import (
    callback_root,
    has_due,
    is_foreign,
    is_in_callback,
    is_told_to_stop,
    running_tasks,
    runs_in,
    send,
    step_begins_at,
    takes_beats,
    thread_of,
    woken_by,
)
from .internals.loop_handles import callbacks, tells_its_callbacks
from .internals.process_files import link_of
from .internals.starting import is_starting
from .internals.thread import (
    SeenThread,
    ThreadFacts,
    cpu_clock_is_fine,
    cpu_ns,
    facts,
    forked,
    known_threads,
    ready_ns,
    seen_before,
)

__all__ = [
    "SeenThread",
    "ThreadFacts",
    "accepts",
    "asker",
    "awaited_future",
    "borrow",
    "callback_root",
    "callbacks",
    "cancel_requests",
    "cpu_clock_is_fine",
    "cpu_ns",
    "current_frames",
    "end_of_client",
    "facts",
    "footprint",
    "forked",
    "has_due",
    "in_hands",
    "is_complete",
    "is_foreign",
    "is_in_callback",
    "is_starting",
    "is_told_to_stop",
    "known_threads",
    "link_of",
    "listens",
    "loop_of",
    "ready_ns",
    "running_tasks",
    "runs_in",
    "seen_before",
    "send",
    "step_begins_at",
    "takes_beats",
    "task_references",
    "tells_its_callbacks",
    "thread_of",
    "told_addresses",
    "woken_by",
]
