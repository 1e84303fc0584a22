# SPDX-License-Identifier: Apache-2.0
"""From candidates to findings: those that are alike are one finding with a count, and of many only the worst are told.

Words are made last: a thousand locks that are each held across a sleep cost a thousand comparisons and one text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import NamedTuple

from ..model import Finding, Level, finding_id, own_line
from . import evidence
from .dead_children import with_dead_children
from .deaths import with_the_dead
from .rules.rule import Alike, Candidate
from .wait_index import WaitIndex
from .wait_links import WAITERS

TOLD_MOST = 50
EXAMPLES_MOST = 5
_RANK = {level: number for number, level in enumerate(Level)}


class Told(NamedTuple):
    """`findings`: the worst first. `untold`: how many further ones there are, of how many alike each."""

    findings: list[Finding]
    untold: int


def tell(
    graph: WaitIndex, candidates: Sequence[Candidate], before: Set[str], owner: Callable[[str], str] = lambda _node: ""
) -> Told:
    """Groups and tells. `before`: the ids of the findings that were told at the last look, which stay where there are
    too many. `owner`: findings are alike only if they are of one process."""
    groups: dict[object, list[Candidate]] = {}
    for candidate in candidates:
        graph.pause()
        alike = candidate.alike or _alike(graph, candidate)
        group = groups.setdefault((owner(candidate.core[0]), alike.sites), [])
        first = group[0].alike if group else None
        if first is not None and first.sites is not alike.sites:
            candidate.alike = alike._replace(sites=first.sites)  # there may be very many of one kind
        group.append(candidate)
    chosen = [_Group(graph, group) for group in groups.values()]
    untold = max(0, len(chosen) - TOLD_MOST)
    if untold:
        chosen.sort(key=lambda g: (_RANK[g.first.level], g.id not in before, g.first.since_ns, g.id))
        del chosen[TOLD_MOST:]
    findings = [group.finding(graph) for group in chosen]
    return Told(sorted(findings, key=lambda f: (_RANK[f.level], -len(f.blocked), f.since_ns, f.id)), untold)


class _Group:
    """Alike candidates. `first`: the oldest, which is told for all of them; of those that one look met together, the
    one whose first member was made first."""

    def __init__(self, graph: WaitIndex, members: list[Candidate]) -> None:
        ages = [(one.since_ns, (one.alike or _alike(graph, one)).made_ns) for one in members]
        first = min(ages)
        oldest = [one for age, one in zip(ages, members, strict=True) if age == first]
        graph.pause()
        self.id, self.first = min(((finding_id(one.kind, one.about), one) for one in oldest), key=lambda pair: pair[0])
        self._members = members

    def finding(self, graph: WaitIndex) -> Finding:
        graph.pause()
        first = self.first
        account = with_dead_children(graph, first, with_the_dead(graph, first, first.tell()))
        members = set(first.core)
        blocked = [node for node in dict.fromkeys(account.blocked) if node not in members]
        return Finding(
            id=self.id,
            kind=first.kind,
            level=first.level,
            title=account.title,
            since_ns=first.since_ns,
            core=list(first.core),
            cycle=account.cycle,
            blocked=blocked,
            evidence=account.evidence,
            advice=account.advice,
            blocked_sites=evidence.sites(graph, blocked),
            break_first=account.break_first,
            look_at=own_line.line_of(account.look_at),
            count=len(self._members),
            examples=self._examples(graph),
        )

    def _examples(self, graph: WaitIndex) -> list[str]:
        if len(self._members) == 1:
            return []
        graph.pause()
        others = sorted(
            (one.since_ns, (one.alike or _alike(graph, one)).one) for one in self._members if one is not self.first
        )
        return [node for _, node in others[:EXAMPLES_MOST]]


def _alike(graph: WaitIndex, candidate: Candidate) -> Alike:
    """Worked out once: a candidate that is kept is read anew when one of its members changes."""
    places: set[tuple[str, str, str]] = set()
    nodes = graph.nodes
    for member in candidate.core:
        node = nodes.get(member)
        if node is not None:
            places.add((node.kind, node.source, "" if node.wait is None else node.wait.source))
    first = nodes.get(candidate.core[0]) if candidate.core else None
    alike = candidate.alike = Alike(
        sites=(candidate.kind, candidate.level, candidate.apart, frozenset(places)),
        made_ns=0 if first is None else first.created_at,
        one=next((n for n in candidate.core if n in nodes and nodes[n].kind in WAITERS), candidate.core[0]),
    )
    return alike
