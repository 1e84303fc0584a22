# SPDX-License-Identifier: Apache-2.0
"""From observations to snapshots: what is new, changed or gone since the last one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..model import Edge, Node, NodeKind, Snapshot
from ..probes.kept import Kept
from ..probes.probe import Observation

_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_PAUSE_EVERY = 2000


class Difference(NamedTuple):
    """What one look found different from the one before, in a key frame too: nodes before (None: new) and after, and
    the nodes that are gone."""

    changed: Changed
    gone: list[Node]


class Changed:
    """Pairs of a node before (None: new) and after; made where they are read, for there may be very many."""

    __slots__ = ("after", "before")

    def __init__(self) -> None:
        self.before: list[Node | None] = []
        self.after: list[Node] = []

    def add(self, before: Node | None, after: Node) -> None:
        self.before.append(before)
        self.after.append(after)

    def __iter__(self) -> Iterator[tuple[Node | None, Node]]:
        return zip(self.before, self.after, strict=True)

    def __len__(self) -> int:
        return len(self.after)


class Assembler:
    """One stream of snapshots. A node has changed when it, or the tuple of its edges, is another object than before.

    For the watcher thread only; `request_key_frame` may be called from any thread. `key_frame_ns` may be changed at any
    time. `pause` is called now and then, so that other threads may run.
    """

    def __init__(self, key_frame_ns: int, pause: Callable[[], None] = lambda: None) -> None:
        self.key_frame_ns = key_frame_ns
        self._pause = pause
        self.restart()

    def restart(self) -> None:
        """Begins a new stream."""
        self.stream_id = int.from_bytes(os.urandom(8), "big") | 1
        self._secret = int.from_bytes(os.urandom(8), "big") | 1
        self._sequence = 0
        self._nodes: Kept[Node] = Kept()
        self._edges: Kept[tuple[Edge, ...]] = Kept()
        self._is_new = True
        self._key_frame_at_ns = 0
        self._key_frame_wanted = True
        self.difference = Difference(Changed(), [])

    def request_key_frame(self) -> None:
        """The next snapshot will be complete: the receiver has missed one."""
        self._key_frame_wanted = True

    def assemble(self, observation: Observation, now_ns: int, idle_edges: bool = True) -> Snapshot:
        """The next snapshot of the stream. `idle_edges`: also the edges of tasks and threads that do not wait."""
        key_frame = self._key_frame_wanted or now_ns >= self._key_frame_at_ns + self.key_frame_ns
        if key_frame:
            self._key_frame_wanted = False
            self._key_frame_at_ns = now_ns
        self._sequence += 1
        snapshot = Snapshot(self.stream_id, self._sequence, now_ns, key_frame, secret=self._secret)
        self.difference = self._compare(observation)
        nodes = list(observation.nodes.values()) if key_frame else list(self.difference.changed.after)
        edges_of = observation.edges.get
        for start in range(0, len(nodes), _PAUSE_EVERY):
            for node in nodes[start : start + _PAUSE_EVERY]:
                edges = edges_of(node.id)
                if edges and (idle_edges or node.wait is not None or node.kind not in _WAITERS):
                    snapshot.edges.extend(edges)
            self._pause()
        snapshot.nodes = nodes
        snapshot.gone = [node.id for node in self.difference.gone]
        snapshot.coverage, snapshot.shed = observation.coverage, observation.shed
        return snapshot

    def _compare(self, observation: Observation) -> Difference:
        nodes, edges = self._as_kept(observation)
        nodes_before, edges_before = nodes.take_changes(), edges.take_changes()
        changed = Changed()
        if self._is_new:
            self._is_new = False
            changed.after += nodes.values()
            changed.before += [None] * len(changed.after)
            return Difference(changed, [])
        gone: list[Node] = []
        for number, (node_id, before) in enumerate(nodes_before.items()):
            if number % _PAUSE_EVERY == 0:
                self._pause()
            node = nodes.get(node_id)
            if node is not None:
                changed.add(before, node)
            elif before is not None:
                gone.append(before)
        for node_id in edges_before:
            node = nodes.get(node_id)
            if node is not None and node_id not in nodes_before:
                changed.add(node, node)
        return Difference(changed, gone)

    def _as_kept(self, observation: Observation) -> tuple[Kept[Node], Kept[tuple[Edge, ...]]]:
        """What remembers the look before. An observation that does not is written on one of ours."""
        if isinstance(observation.nodes, Kept) and isinstance(observation.edges, Kept):
            nodes, edges = observation.nodes, observation.edges
            self._is_new |= nodes is not self._nodes
            self._nodes, self._edges = nodes, edges
            return nodes, edges
        self._nodes.begin()
        self._edges.begin()
        self._nodes |= observation.nodes
        self._edges |= observation.edges
        return self._nodes, self._edges

    def goodbye(self, now_ns: int) -> Snapshot:
        """The last snapshot: nothing is left, and none will follow (`interval_ns` is 0)."""
        self._sequence += 1
        return Snapshot(self.stream_id, self._sequence, now_ns, key_frame=True, secret=self._secret)
