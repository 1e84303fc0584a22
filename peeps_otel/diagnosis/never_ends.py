# SPDX-License-Identifier: Apache-2.0
"""Waits for something that nobody is left to end: the roots of a residue that depend on nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Finding, FindingKind, Level, NodeKind, finding_id
from . import evidence, wording
from .reduction import Requirement, behind
from .wait_graph import WAITERS, WaitGraph


def find(
    graph: WaitGraph, conditions: Mapping[str, Requirement], stuck: set[str], level: Level, known: set[str]
) -> list[Finding]:
    """One finding per thing of a closed set of providers that has none.

    At SUSPECT the conditions also take what is merely old for such a thing: the caller does not ask for that.
    """
    findings: list[Finding] = []
    for root in sorted(stuck):
        node = graph.nodes[root]
        if node.kind in WAITERS or node.kind is NodeKind.TX or conditions[root].providers or root in known:
            continue
        waiter = graph.oldest_waiter(root)
        if waiter is None or waiter not in stuck:
            continue
        blocked = evidence.tail(graph, behind({root}, stuck, conditions) - {waiter})
        wait = graph.wait_of(waiter)
        link = evidence.link(graph, waiter, root, None)
        findings.append(
            Finding(
                id=finding_id(FindingKind.NEVER_ENDS, [root]),
                kind=FindingKind.NEVER_ENDS,
                level=level,
                title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, root)}, "
                "but nobody is left who could end that wait",
                since_ns=wait.since_ns,
                core=[waiter, root],
                blocked=blocked,
                evidence=[link],
                advice="Whoever should have ended it is gone or has lost it. Only cancelling the task ends this wait.",
                blocked_sites=evidence.sites(graph, blocked),
                look_at=wait.source,
            )
        )
    return findings
