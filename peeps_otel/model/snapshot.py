# SPDX-License-Identifier: Apache-2.0
"""A snapshot: what changed in one process's graph, in the form that travels."""

from __future__ import annotations

from dataclasses import dataclass, field

from .graph import Edge, Node


@dataclass(slots=True)
class Snapshot:
    """One snapshot of one process.

    `nodes`: new and changed nodes, or all of them in a key frame; each replaces the node of the same id together with
    its outgoing edges. `edges`: the outgoing edges of exactly these nodes. `gone`: ids of nodes that ended.
    `cpu_ns`, `duration_ns`: what the look cost. `dropped`: snapshots that never left the process. `secret`: 64 random
    bits that every snapshot of the stream carries, by which a receiver knows the sender of the first again; 0: none.
    """

    stream_id: int
    sequence: int
    time_ns: int
    key_frame: bool
    nodes: list[Node] = field(default_factory=list[Node])
    edges: list[Edge] = field(default_factory=list[Edge])
    gone: list[str] = field(default_factory=list[str])
    cpu_ns: int = 0
    duration_ns: int = 0
    dropped: int = 0
    interval_ns: int = 0
    coverage: list[str] = field(default_factory=list[str])
    shed: list[str] = field(default_factory=list[str])
    secret: int = 0
