# SPDX-License-Identifier: Apache-2.0
"""From observations to snapshots: what is new, changed or gone since the last one."""

from __future__ import annotations

import os

from ..model import Edge, Node, Snapshot
from ..probes.observation import Observation


class Assembler:
    """One stream of snapshots. A node has changed when it, or the tuple of its edges, is another object than before.

    For the watcher thread only; `request_key_frame` may be called from any thread.
    """

    def __init__(self, key_frame_ns: int) -> None:
        self._key_frame_ns = key_frame_ns
        self.restart()

    def restart(self) -> None:
        """Begins a new stream."""
        self.stream_id = int.from_bytes(os.urandom(8), "big") | 1
        self._sequence = 0
        self._sent: dict[str, tuple[Node, tuple[Edge, ...]]] = {}
        self._key_frame_due_ns = 0
        self._key_frame_wanted = True

    def request_key_frame(self) -> None:
        """The next snapshot will be complete: the receiver has missed one."""
        self._key_frame_wanted = True

    def assemble(self, observation: Observation, now_ns: int) -> Snapshot:
        """The next snapshot of the stream."""
        key_frame = self._key_frame_wanted or now_ns >= self._key_frame_due_ns
        if key_frame:
            self._key_frame_wanted = False
            self._key_frame_due_ns = now_ns + self._key_frame_ns
        self._sequence += 1
        snapshot = Snapshot(self.stream_id, self._sequence, now_ns, key_frame)
        sent = self._sent
        current: dict[str, tuple[Node, tuple[Edge, ...]]] = {}
        for node_id, node in observation.nodes.items():
            edges = observation.edges.get(node_id, ())
            before = sent.get(node_id)
            if before is not None and before[0] is node and before[1] is edges:
                current[node_id] = before
                if not key_frame:
                    continue
            else:
                current[node_id] = (node, edges)
            snapshot.nodes.append(node)
            snapshot.edges.extend(edges)
        snapshot.gone = [node_id for node_id in sent if node_id not in current]
        snapshot.coverage, snapshot.shed = observation.coverage, observation.shed
        self._sent = current
        return snapshot

    def goodbye(self, now_ns: int) -> Snapshot:
        """The last snapshot: nothing is left, and none will follow (`interval_ns` is 0)."""
        self._sequence += 1
        return Snapshot(self.stream_id, self._sequence, now_ns, key_frame=True)
