# SPDX-License-Identifier: Apache-2.0
"""What an event loop's exception handler was told: nodes of kind `custom`, one per kind of error and place."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Node, NodeKind
from .context import RuleContext


def reported(context: RuleContext, problem: str) -> Iterable[Node]:
    """The nodes of one kind of error."""
    return (node for node in context.of(NodeKind.CUSTOM) if node.attributes.get(semconv.PROBLEM) == problem)


def again(context: RuleContext, node: Node) -> str:
    """Whether it came more than once, in words."""
    count = context.number(node, semconv.PROBLEM_COUNT)
    return "" if count is None or count < 2 else " again and again"
