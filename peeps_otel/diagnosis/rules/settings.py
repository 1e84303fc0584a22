# SPDX-License-Identifier: Apache-2.0
"""Which rules are on, and their thresholds: `PEEPS_RULES=-order_risk,loop_blocked:2s,task_growth:count=500:window=5s`.

Entries are separated by commas. `-name` switches a rule off, or all rules of a kind. `name:value` sets its first
threshold, `name:threshold=value` another one. `long_wait` is what all rules share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ...model import FindingKind
from .channel_full import ChannelFull
from .lock_starved import LockStarved
from .registry import RULES
from .rule import Rule
from .semaphore_starved import SemaphoreStarved
from .tunable import BadThreshold, LongWait, Threshold, Tunable

_ALL: tuple[type[Tunable], ...] = (LongWait, *RULES)
_T = TypeVar("_T", bound=Tunable)


class BadRules(ValueError):
    """Names the entry, what is wrong with it, and what is meant perhaps."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """`off`: names of rules. `values`: by name of the rule, the thresholds that are not as by default."""

    off: frozenset[str] = frozenset()
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])

    def make(self, tunable: type[_T]) -> _T:
        """A new one with its thresholds."""
        return tunable(self.values.get(tunable.name))

    def is_on(self, rule: type[Tunable]) -> bool:
        return rule.name not in self.off

    def says(self, kind: FindingKind) -> bool:
        """Whether any rule of the kind is on."""
        return any(rule.kind is kind and rule.name not in self.off for rule in RULES)

    def starved_after(self, waited_ns: int) -> RuleSettings:
        """With this as what counts as a long wait for all rules that are not told otherwise (`PEEPS_STARVED_MS`)."""
        told = {
            rule.name: {"waited": waited_ns, **self.values.get(rule.name, {})}
            for rule in (LongWait, LockStarved, SemaphoreStarved, ChannelFull)
        }
        return RuleSettings(self.off, {**self.values, **told})

    def sure_after(self, could_end_ns: int) -> RuleSettings:
        """With this as the least age of a wait for what rests on the heap, if that is not told otherwise."""
        told = {LongWait.name: {"could_end": could_end_ns, **self.values.get(LongWait.name, {})}}
        return RuleSettings(self.off, {**self.values, **told})


def parse(text: str) -> RuleSettings:
    """Raises BadRules."""
    off: set[str] = set()
    values: dict[str, dict[str, int]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, *settings = (part.strip() for part in entry.removeprefix("-").split(":"))
        meant = _named(name, entry)
        if entry.startswith("-"):
            if settings:
                raise BadRules(f"{entry!r}: a rule that is off has no thresholds")
            if LongWait in meant:
                raise BadRules(f"{entry!r}: {name} is no rule, and cannot be switched off")
            off.update(rule.name for rule in meant)
            continue
        if not settings:
            raise BadRules(f"{entry!r} says nothing: write -{name} to switch it off, or {name}:value")
        for setting in settings:
            for rule, threshold, value in _set(meant, name, setting, entry):
                values.setdefault(rule.name, {})[threshold.name] = value
    return RuleSettings(frozenset(off), values)


def _named(name: str, entry: str) -> list[type[Tunable]]:
    found = [one for one in _ALL if one.name == name or (issubclass(one, Rule) and one.kind.value == name)]
    if not found:
        known = {one.name for one in _ALL}
        raise BadRules(f"{entry!r}: rule {name!r} is not known{_perhaps(name, known)}")
    return found


def _set(
    meant: list[type[Tunable]], name: str, setting: str, entry: str
) -> Iterable[tuple[type[Tunable], Threshold, int]]:
    wanted, equals, text = (part.strip() for part in setting.rpartition("="))
    tunable = [one for one in meant if one.thresholds]
    if not tunable:
        raise BadRules(f"{entry!r}: {name} has no thresholds")
    found = [(one, t) for one in tunable for t in one.thresholds if t.name == wanted]
    if not equals:
        found = [(one, one.thresholds[0]) for one in tunable]
    if not found:
        known = {t.name for one in tunable for t in one.thresholds}
        raise BadRules(f"{entry!r}: {name} has no threshold {wanted!r}{_perhaps(wanted, known)}")
    for one, threshold in found:
        try:
            yield one, threshold, threshold.unit.parse(text)
        except BadThreshold as bad:
            raise BadRules(f"{entry!r}: {threshold.name}: {bad}") from None


def _perhaps(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only for a mistake

    words = sorted(known)
    close = get_close_matches(name, words, 1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(words)}"
