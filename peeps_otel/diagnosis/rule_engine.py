# SPDX-License-Identifier: Apache-2.0
"""Asks the rules that are on, one after the other, and keeps what is explained already."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .rules.context import Residue, RuleContext
from .rules.registry import RULES
from .rules.rule import Candidate, LookRule, ReductionRule
from .rules.settings import RuleSettings


class RuleEngine:
    """Holds the rules, which may remember things between looks. Not thread-safe: one caller."""

    def __init__(self, settings: RuleSettings) -> None:
        on = [rule for rule in RULES if rule.name not in settings.off]
        self._by_reduction = [settings.make(rule) for rule in on if issubclass(rule, ReductionRule)]
        by_look = [settings.make(rule) for rule in on if issubclass(rule, LookRule)]
        self._first = [rule for rule in by_look if rule.first]
        self._by_look = [rule for rule in by_look if not rule.first]

    def first(self, context: RuleContext, pause: Callable[[], None]) -> list[Candidate]:
        """What is known before the reduction. Reads the look."""
        context.read(pause)
        return [candidate for rule in self._first for candidate in _ask(rule, context)]

    def reduce(self, context: RuleContext, residue: Residue) -> list[Candidate]:
        """What is found in the residue of one level, the surest level first."""
        found: list[Candidate] = []
        for rule in self._by_reduction:
            candidates = list(rule.find(context, residue))
            found += candidates
            if rule.explains and candidates:
                context.explained.update(node for candidate in candidates for node in candidate.core)
                behind = residue.behind({root for candidate in candidates for root in rule.roots(candidate)})
                context.explained.update(context.graph.waiting(behind))
        return found

    def look(self, context: RuleContext, pause: Callable[[], None]) -> list[Candidate]:
        """What the others find at a look that `first` has read."""
        found: list[Candidate] = []
        for rule in self._by_look:
            found += _ask(rule, context)
            pause()
        return found


def _ask(rule: LookRule, context: RuleContext) -> Iterable[Candidate]:
    for candidate in rule.find(context):
        if rule.explains:
            context.explained.update(candidate.core)
            context.explained.update(candidate.explains)
        yield candidate
