# SPDX-License-Identifier: Apache-2.0
"""What is known, between two looks, of one task of a runtime that is not asyncio."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model import AttributeValue, Confidence, Frame, Node, NodeKind, Wait


def _nothing_shown() -> Node:
    return Node("", NodeKind.TASK, "", 0, "")


@dataclass(slots=True)
class RuntimeTask:
    """Holds nothing of the task itself. `attributes`: those that do not change."""

    id: str
    name: str
    number: int
    created_ns: int
    source: str
    attributes: dict[str, AttributeValue]
    node: Node = field(default_factory=_nothing_shown)
    steps: int = 0
    last_look: int = 0

    def show(self, state: str, wait: Wait | None, stack: tuple[Frame, ...], more: dict[str, AttributeValue]) -> None:
        """Makes the node anew where it differs."""
        node = Node(
            self.id,
            NodeKind.TASK,
            self.name,
            self.created_ns,
            self.source,
            Confidence.INFERRED,
            state,
            None,
            wait,
            stack,
            self.steps,
            self.attributes | more,
        )
        if node != self.node:
            self.node = node
