# SPDX-License-Identifier: Apache-2.0
"""What is told of one who waits for one thing, where no more is known than a sentence says."""

from __future__ import annotations

from .. import evidence
from ..wait_index import WaitIndex
from .rule import Account


def account(graph: WaitIndex, waiter: str, thing: str, title: str, advice: str, look_at: str) -> Account:
    """With that wait as its evidence, and all who wait behind the two. `advice`: without its full stop."""
    return Account(
        title=title,
        advice=f"{advice}.",
        look_at=look_at,
        evidence=[evidence.link(graph, waiter, thing, None)],
        blocked=evidence.tail(graph, graph.behind({thing, waiter})),
    )
