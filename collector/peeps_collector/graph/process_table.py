# SPDX-License-Identifier: Apache-2.0
"""Which processes are known, and which of them each node is of."""

from __future__ import annotations

from ..decode.resource import ProcessInfo
from ..store.buffer import RowBuffer
from ..store.schema import PROCESS
from .process import Process, State
from .rows import process_row

_PROCESSES_MOST = 10_000


class ProcessTable:
    """Part of the live graph, whose lock is held in every call."""

    def __init__(self, rows: RowBuffer) -> None:
        self._rows = rows
        self.processes: dict[str, Process] = {}
        self.owner: dict[str, str] = {}
        """The process of every node."""

    def seen(self, info: ProcessInfo, now_ns: int) -> Process:
        """Something arrived from this process, which may be new."""
        process = self.processes.get(info.id)
        if process is None:
            self._make_room()
            process = self.processes[info.id] = Process(info, now_ns, now_ns)
            self.store(process)
        elif info is not process.said_last:
            updated = process.info.updated(info)
            if updated is not process.info:
                process.info = updated
                self.store(process)
        process.said_last = info
        process.last_seen_ns = now_ns
        return process

    def store(self, process: Process) -> None:
        """Writes it down as it stands."""
        self._rows.add(PROCESS.name, [process_row(process)])

    def disown(self, process: Process) -> None:
        """None of its nodes is its own any more."""
        for node_id in process.entries:
            self.owner.pop(node_id, None)

    def clock_jumped(self, by_ns: int) -> None:
        """The clock was set, or the machine slept: nobody is older or younger for that."""
        for process in self.processes.values():
            process.last_seen_ns += by_ns
            process.pulse_ns += by_ns if process.pulse_ns else 0

    def speaker(self, stream_id: int, secret: int) -> str | None:
        """The process whose stream this is, by what only its sender knows."""
        found = (key for key, one in self.processes.items() if one.secret and one.stream_id == stream_id)
        return next((key for key in found if self.processes[key].secret == secret), None)

    def _make_room(self) -> None:
        """Forgets who has been silent for longest, where senders invent processes. Who has a graph stays."""
        if len(self.processes) >= _PROCESSES_MOST:
            old = [p for p in self.processes.values() if p.state in {State.FOREIGN, State.GONE} and not p.busy]
            for process in sorted(old, key=lambda p: p.last_seen_ns)[: max(_PROCESSES_MOST // 10, 1)]:
                del self.processes[process.info.id]
