# SPDX-License-Identifier: Apache-2.0
"""From observations to snapshots: what is new, changed or gone since the last one."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import compress
from operator import is_not
from typing import NamedTuple

from ..model import Edge, Node, NodeKind, Snapshot
from ..probes.probe import Observation

_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_PAUSE_EVERY = 2000


class Difference(NamedTuple):
    """What one look found different from the one before, in a key frame too: nodes before (None: new) and after, and
    the nodes that are gone."""

    changed: list[tuple[Node | None, Node]]
    gone: list[Node]


class _Lists(NamedTuple):
    """The nodes of a look in their order, each with its edges."""

    ids: list[str]
    nodes: list[Node]
    edges: list[tuple[Edge, ...] | None]


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
        self._nodes: dict[str, Node] = {}
        self._edges: dict[str, tuple[Edge, ...]] = {}
        self._lists = _Lists([], [], [])
        self._key_frame_at_ns = 0
        self._key_frame_wanted = True
        self.difference = Difference([], [])

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
        nodes = list(observation.nodes.values()) if key_frame else [node for _, node in self.difference.changed]
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
        self._nodes, self._edges = observation.nodes, observation.edges
        return snapshot

    def _compare(self, observation: Observation) -> Difference:
        nodes_before, nodes_now = self._nodes, observation.nodes
        node_before, edge_before, edge_now = nodes_before.get, self._edges.get, observation.edges.get
        changed: list[tuple[Node | None, Node]] = []
        before, now = self._lists, _Lists(list(nodes_now), list(nodes_now.values()), [])
        for start in range(0, len(now.ids), _PAUSE_EVERY):
            # By iterators of C, and most often by place: the same nodes come in the same order, and few have changed.
            part = slice(start, start + _PAUSE_EVERY)
            some, nodes, edges = now.ids[part], now.nodes[part], list(map(edge_now, now.ids[part]))
            now.edges.extend(edges)
            if some == before.ids[part]:
                others, other_edges = before.nodes[part], before.edges[part]
            else:
                others, other_edges = list(map(node_before, some)), list(map(edge_before, some))
            differing = map(max, map(is_not, nodes, others), map(is_not, edges, other_edges))
            changed.extend(compress(zip(others, nodes, strict=True), differing))
            self._pause()
        self._lists = now
        new = sum(before is None for before, _ in changed)
        if len(nodes_before) + new == len(nodes_now):
            return Difference(changed, [])
        gone: list[Node] = []
        ids = list(nodes_before)
        for start in range(0, len(ids), _PAUSE_EVERY):
            some = ids[start : start + _PAUSE_EVERY]
            gone += [nodes_before[node_id] for node_id in some if node_id not in nodes_now]
            self._pause()
        return Difference(changed, gone)

    def goodbye(self, now_ns: int) -> Snapshot:
        """The last snapshot: nothing is left, and none will follow (`interval_ns` is 0)."""
        self._sequence += 1
        return Snapshot(self.stream_id, self._sequence, now_ns, key_frame=True, secret=self._secret)
