# SPDX-License-Identifier: Apache-2.0
"""What the sampler knows of a node, laid over the node that a probe has made."""

from __future__ import annotations

from dataclasses import replace

from ..model import AttributeValue, Frame, Node
from ..probes.probe import Observation


class Overlay:
    """For the watcher thread only. A node that has not changed, with the same facts as before, is the same object as
    before: the assembler tells changes by identity."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[Node, Node]] = {}
        self._now: dict[str, tuple[Node, Node]] = {}

    def lay(
        self,
        observation: Observation,
        node_id: str,
        facts: dict[str, AttributeValue],
        stack: tuple[Frame, ...] = (),
        state: str | None = None,
    ) -> None:
        """Replaces a node of `observation` by one with these attributes, and with `stack` and `state` where they are
        given. A node that is not there stays away."""
        node = observation.nodes.get(node_id)
        if node is None:
            return
        made = replace(
            node,
            attributes=node.attributes | facts,
            stack=stack or node.stack,
            state=state or node.state,
        )
        before = self._before.get(node_id)
        if before is not None and before[0] is node and before[1] == made:
            made = before[1]
        self._now[node_id] = (node, made)
        observation.nodes[node_id] = made

    def done(self) -> None:
        """After all nodes of a look."""
        self._before, self._now = self._now, {}
