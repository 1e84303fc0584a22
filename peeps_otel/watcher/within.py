# SPDX-License-Identifier: Apache-2.0
"""What a collector says of the two ends of a connection, and of what is shared, said where there is no collector: of
the ends that are both in this process, and of what nobody else shares.

Laid over each look, so that it is part of the snapshot and of what is diagnosed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .. import semconv
from ..diagnosis.parties import Party
from ..diagnosis.shared_things import Shared
from ..diagnosis.two_ends import Ends
from ..model import Edge, Node, NodeKind
from ..probes.probe import Observation

_MARKS = frozenset({semconv.IO_THERE, semconv.RESOURCE_SHARED_WITH})


class Within:
    """For the watcher thread only. `ask`: for the end of this digest, as a collector would."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        self._ask = ask
        self._ends, self._shared = Ends(), Shared()
        self._put: dict[str, tuple[Node, tuple[Edge, ...]]] = {}
        self._made: dict[str, tuple[Node, Node]] = {}

    def lay(self, observation: Observation) -> None:
        """After all else that is laid over the nodes of a look: the answers of the heap among it."""
        own = Party("", "this process", os.getpid(), "")
        marked = [one for one in observation.nodes.values() if not _MARKS.isdisjoint(one.attributes)]
        if not marked and not self._put:
            return
        threads = [one for one in observation.nodes.values() if one.kind is NodeKind.THREAD]
        now = {one.id: (one, observation.edges.get(one.id, ())) for one in (*marked, *threads)}
        for gone in self._put.keys() - now.keys():
            self._ends.drop(gone)
            self._shared.drop(gone)
        for node_id, (node, edges) in now.items():
            if self._put.get(node_id) != (node, edges):
                self._ends.put(node, edges, own)
                self._shared.put(node, own)
        self._put = now
        for question in self._ends.wanted([own], time.monotonic_ns()):
            self._ask(question.digest)
        made: dict[str, tuple[Node, Node]] = {}
        for node in marked:
            links = self._ends.links(node.id) + self._shared.links(node.id)
            dressed = self._shared.dressed(self._ends.dressed(node))
            if dressed is not node:
                before = self._made.get(node.id)
                if before is not None and before[0] is node and before[1].attributes == dressed.attributes:
                    dressed = before[1]
                made[node.id] = node, dressed
                observation.nodes[node.id] = dressed
            if links:
                observation.edges[node.id] = observation.edges.get(node.id, ()) + links
        self._made = made
