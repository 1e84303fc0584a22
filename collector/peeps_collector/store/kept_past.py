# SPDX-License-Identifier: Apache-2.0
"""What stood at a few earlier moments, kept for a while: who goes from moment to moment need not have a whole day read
for each."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from peeps_otel.model import Edge, Node

from ..graph.view import View

_S = 1_000_000_000
_STEP_NS = 900 * _S
_SETTLED_NS = 600 * _S
"""What is older is complete: rows of a sender that comes late are seldom as late."""
_KEPT_S = 600.0
_MOST = 8
_LARGEST = 20_000
"""Nodes and edges of one moment that is kept."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The nodes, whose they are, and the edges at one moment. Shared by its readers, which must not change it."""

    time_ns: int
    nodes: dict[str, Node]
    owner: dict[str, str]
    edges: dict[tuple[str, str, str], Edge]

    def view(self) -> View:
        out: dict[str, list[Edge]] = {}
        for edge in self.edges.values():
            if edge.src in self.nodes:
                out.setdefault(edge.src, []).append(edge)
        return View(0, self.nodes, self.owner, {src: tuple(edges) for src, edges in out.items()})


EMPTY = Standing(0, {}, {}, {})
"""What stood before anything was written down."""


class KeptPast:
    """Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._making = threading.Lock()
        self._kept: OrderedDict[int, tuple[float, Standing]] = OrderedDict()

    @staticmethod
    def base_of(time_ns: int, now_ns: int) -> int:
        """The moment to begin with, a quarter of an hour or a little more before `time_ns`; 0 where there is none."""
        return max(min(time_ns, now_ns - _SETTLED_NS) // _STEP_NS * _STEP_NS, 0)

    def at(self, base_ns: int, make: Callable[[Standing], Standing]) -> Standing:
        """What stood then; `make` makes it out of an earlier moment. One at a time: the next one may begin with it."""
        with self._making:
            oldest = self._clock() - _KEPT_S
            for key in [key for key, (since, _) in self._kept.items() if since < oldest]:
                del self._kept[key]
            nearest = max((key for key in self._kept if key <= base_ns), default=None)
            before = EMPTY if nearest is None else self._kept[nearest][1]
            if base_ns in (nearest, 0):
                return before
            made = make(before)
            if len(made.nodes) + len(made.edges) <= _LARGEST:
                self._kept[base_ns] = self._clock(), made
                if len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return made
