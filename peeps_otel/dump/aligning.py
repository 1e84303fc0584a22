# SPDX-License-Identifier: Apache-2.0
"""Two dumps of the same processes, with the same ids for the same things.

A watcher gives each thing an id for as long as it watches. Dumps of a process that is watched have the same ids; those
of two visits (a verdict that was asked for, two attaches) do not, and their things are known again by what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from ..model import Edge, EvidenceStep, Finding, Node, finding_id
from ..semconv import THREAD_ID
from .dump import Dump, DumpedFinding

_Key = tuple[object, ...]


def aligned(first: Dump, second: Dump) -> tuple[Dump, bool]:
    """The second with the ids of the first where they differ, and whether they did. A thing that cannot be told from
    another of its process keeps its own. What waits as it did, without a sign that it has gone on in between, has
    waited all along."""
    if first.owner.keys() & second.owner.keys():
        return second, False
    known = _by_key(first)
    renamed = {key: known[what] for what, key in _by_key(second).items() if what in known}
    of = _renaming(renamed)
    nodes: dict[str, Node] = {}
    for key, node in second.nodes.items():
        earlier = first.nodes.get(of(key))
        nodes[of(key)] = replace(node if earlier is None else _continued(earlier, node), id=of(key))
    return (
        replace(
            second,
            nodes=nodes,
            owner={of(key): process for key, process in second.owner.items()},
            edges=[_edge(edge, of) for edge in second.edges],
            findings=[DumpedFinding(_finding(one.finding, of), one.processes) for one in second.findings],
        ),
        True,
    )


def _by_key(dump: Dump) -> dict[_Key, str]:
    """By what is the same at both visits; only what is one of a kind."""
    process = {one.id: (one.host, one.pid) for one in dump.processes}
    keys = {
        key: (process[dump.owner[key]], node.kind, node.name, node.source, node.attributes.get(THREAD_ID))
        for key, node in dump.nodes.items()
        if dump.owner[key] in process
    }
    counts = Counter(keys.values())
    return {what: key for key, what in keys.items() if counts[what] == 1}


def _renaming(names: dict[str, str]) -> Callable[[str], str]:
    return lambda key: names.get(key, key)


def _continued(before: Node, after: Node) -> Node:
    """Steps are counted from each visit on, and waits are as old as the visit: neither shows a step in between."""
    one, other = before.wait, after.wait
    if one is None or other is None or (one.exact and other.exact):
        return replace(after, steps=before.steps)
    same = (one.operation, one.source, one.deadline_ns) == (other.operation, other.source, other.deadline_ns)
    since_ns = one.since_ns if same and before.stack == after.stack else other.since_ns
    return replace(after, steps=before.steps, wait=replace(other, since_ns=since_ns))


def _edge(edge: Edge, of: Callable[[str], str]) -> Edge:
    return replace(edge, src=of(edge.src), dst=of(edge.dst))


def _finding(finding: Finding, of: Callable[[str], str]) -> Finding:
    core = [of(one) for one in finding.core]
    return replace(
        finding,
        id=finding_id(finding.kind, core) if core else finding.id,
        core=core,
        cycle=[of(one) for one in finding.cycle],
        blocked=[of(one) for one in finding.blocked],
        evidence=[_step(step, of) for step in finding.evidence],
        examples=[of(one) for one in finding.examples],
    )


def _step(step: EvidenceStep, of: Callable[[str], str]) -> EvidenceStep:
    holder = None if step.holder is None else of(step.holder)
    return replace(step, waiter=of(step.waiter), resource=of(step.resource), holder=holder)
