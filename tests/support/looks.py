# SPDX-License-Identifier: Apache-2.0
"""What one look of the probes has seen."""

from __future__ import annotations

from peeps_otel.model import Edge, Node, NodeKind
from peeps_otel.probes.probe import Observation


class Look:
    def __init__(self, observation: Observation) -> None:
        self.observation = observation

    def of(self, kind: NodeKind) -> list[Node]:
        return [node for node in self.observation.nodes.values() if node.kind is kind]

    def edges(self, node: str) -> list[Edge]:
        return list(self.observation.edges.get(node, ()))

    def task(self, name: str) -> Node:
        return next(node for node in self.of(NodeKind.TASK) if name in node.name)
