# SPDX-License-Identifier: Apache-2.0
"""Calls of which a process has told that they last, and not yet how they ended. Where it ends without a word of them,
killed for one, they are lost, and the collector says so in its place: an event like its own, stored and passed on as if
it had sent it.

What an earlier run of the collector was told is not known any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .decode.in_flight import CallRecord, lost
from .decode.resource import ProcessInfo
from .graph.live import LiveGraph
from .graph.process import Process, State

_PATIENCE_NS = 3_000_000_000  # what it said at its end may come after its goodbye
_MOST, _MOST_OF_ONE = 20_000, 2_000


class CallsTold:
    """Thread-safe. `put_in`: takes a request of OTLP with log records; False where that must be tried again.

    At most 2000 calls of one process are kept, and 20 000 of all.
    """

    def __init__(self, live: LiveGraph, put_in: Callable[[bytes], bool]) -> None:
        self._live = live
        self._put_in = put_in
        self._lock = threading.Lock()
        self._open: dict[str, dict[str, bytes]] = {}  # by process, by node
        self._count = 0

    def told(self, info: ProcessInfo, record: CallRecord) -> None:
        """An event was received."""
        with self._lock:
            calls = self._open.setdefault(info.id, {})
            known = record.node_id in calls
            if record.ended or not record.told:
                self._count -= calls.pop(record.node_id, None) is not None
            elif known or (len(calls) < _MOST_OF_ONE and self._count < _MOST):
                calls[record.node_id] = record.told
                self._count += not known
            if not calls:
                del self._open[info.id]

    def step(self, now_ns: int) -> None:
        """On the clock of the diagnosis."""
        with self._lock:
            if not self._open:
                return
            processes = self._live.processes()
            over = [key for key in self._open if _is_over(processes.get(key), now_ns)]
            for key in over:
                self._end(key, processes.get(key), now_ns)

    def _end(self, key: str, process: Process | None, now_ns: int) -> None:
        calls = self._open[key]
        time_ns = 0 if process is None else process.time_ns
        who = "its process" if process is None else f"{process.info}"
        for node_id, told in list(calls.items()):
            if not self._put_in(lost(told, time_ns, now_ns, f"{who} has ended")):
                return
            del calls[node_id]
            self._count -= 1
        del self._open[key]


def _is_over(process: Process | None, now_ns: int) -> bool:
    """One that is forgotten has ended long ago."""
    return process is None or (process.state is State.GONE and now_ns - process.last_seen_ns > _PATIENCE_NS)
