# SPDX-License-Identifier: Apache-2.0
"""The evidence of a finding: its links, what waits behind it, and where to break it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..model import EvidenceStep, Node, NodeKind, Site, own_line
from . import wording
from .wait_index import WaitIndex
from .wait_links import WAITERS


def link(graph: WaitIndex, waiter: str, resource: str, holder: str | None) -> EvidenceStep:
    """One step of the evidence with its sentence."""
    node = graph.nodes[waiter]
    wait, target = node.wait, graph.nodes.get(resource)
    text = f"{wording.label(node)} {wording.waits_for(graph, waiter, resource)}"
    source = "" if wait is None else wait.source
    if resource != graph.thread_of(waiter):
        text += wording.at("at", source, text)
    held = None if holder is None else graph.held_by(resource, holder)
    if holder is not None and holder != resource and target is not None:
        name = wording.label(graph.nodes.get(holder))
        if held is None and holder in graph.enders.get(resource, ()):
            text += f"; {name} could {wording.ends(graph, resource)}"
        elif target.kind in (NodeKind.REQUEST, NodeKind.RESPONSE):
            text += f"; {name}{wording.in_service(target)} handles it"
        elif target.kind is NodeKind.FUTURE and held is not None:
            text += f"; {name} completes it"
        elif target.kind is NodeKind.FUTURE and wording.is_worker_process(graph, resource, holder):
            text += f"; it is in the hands of {name}"
        elif target.kind is NodeKind.FUTURE:
            text += f"; it is queued, and {name} could run it"
        elif held is not None:
            text += f"; {name} holds it"
            if held.source:
                text += wording.at("taken at", held.source, text).replace(" taken", ", taken", 1)
        elif target.kind is NodeKind.IO:
            text += f"; {name} has the other end"
        else:
            text += f"; {name} could take from it"
    since_ns = graph.since_of(waiter)
    if since_ns is None:
        since_ns = graph.since_of(resource) or 0
    return EvidenceStep(
        waiter=waiter,
        resource=resource,
        holder=holder,
        since_ns=since_ns,
        text=text,
        wait_source=source,
        hold_since_ns=None if held is None else held.since_ns,
        hold_source=None if held is None else held.source,
        holder_doing="" if holder is None else wording.doing(graph, holder),
    )


def tail(graph: WaitIndex, members: Iterable[str]) -> list[str]:
    """The tasks and threads among `members`, those that have waited longest first, then those that do not wait."""
    waiters = [member for member in members if graph.nodes[member].kind in WAITERS]
    return sorted(waiters, key=lambda task: (graph.since_of(task) or 1 << 63, task))


def _site(node: Node) -> str:
    """Empty for a task that a library has made and that is in code of libraries alone."""
    file = node.source.rpartition(":")[0]
    if not any(frame.library and frame.file == file for frame in node.stack):
        return node.source
    own = own_line.innermost(node.stack)
    return "" if own is None else own_line.source(own)


def _alike(nodes: list[Node]) -> list[tuple[Node, int]]:
    """The first of those that were made, and stand, in one place, and how many they are: there may be thousands, whose
    stacks are one object."""
    keys = [(node.source, id(node.stack)) for node in nodes]
    first = dict(zip(reversed(keys), reversed(nodes), strict=True))
    return [(first[key], number) for key, number in Counter(keys).items()]


def sites(graph: WaitIndex, tasks: Iterable[str]) -> list[Site]:
    """Where the tasks were made, most first; of those that a library made, where they wait in code of the program.
    Without those that a library made and that are in its code alone, where others are told."""
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    rest: Counter[str] = Counter()
    for node, number in _alike([graph.nodes[task] for task in tasks]):
        source = _site(node)
        (counts if source else rest)[source or node.source] += number
        example.setdefault(source or node.source, node.name)
    if not counts:
        counts = rest  # nothing better is known
    return [Site(source, number, example[source]) for source, number in counts.most_common()]
