# SPDX-License-Identifier: Apache-2.0
"""Who would be stuck if no wait had a deadline."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Level
from ..reduction import residue
from .context import Residue, RuleContext


def stuck_without_deadlines(context: RuleContext, members: Iterable[str]) -> Residue:
    """Of the members and what their waits lead to, at LIKELY."""
    graph = context.graph
    within = graph.ahead(members)
    conditions = graph.conditions(Level.LIKELY, context.now_ns, context.shared.waited, within, deadlines=False)
    return Residue(Level.LIKELY, conditions, residue(conditions))
