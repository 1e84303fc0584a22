# SPDX-License-Identifier: Apache-2.0
"""Which of the open findings are worth an alert now. Level-triggered: it is shown all that are open, again and again.

Two findings of the same kind at the same line of the same services are one to whoever is alerted: a service of twenty
processes has one deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from peeps_otel.model import Level

Key = tuple[str, ...]

_LEVELS = list(Level)
_SECOND_NS = 1_000_000_000
SETTLED_NS = 2 * _SECOND_NS
"""A finding is alerted when it has been open for so long, and over when it has been gone for so long."""
_MANY = 10
_KNOWN_MOST = 10_000


class Event(StrEnum):
    OPENED = "opened"
    WORSE = "worse"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Seen:
    """One open finding. `behind`: how many wait behind it."""

    id: str
    kind: str
    level: Level
    look_at: str
    services: tuple[str, ...]
    behind: int

    @property
    def key(self) -> Key:
        return (self.kind, self.look_at or self.id, *self.services)


@dataclass(frozen=True, slots=True)
class Alert:
    """`id`: of the finding that is told. `alike`: how many further ones at the same lines are open. `unsaid`: how often
    it came and went in the quiet time without a word."""

    event: Event
    id: str
    key: Key
    alike: int
    unsaid: int


@dataclass(slots=True)
class _Case:
    first_ns: int
    seen_ns: int
    id: str
    level: Level
    behind: int
    alike: int = 0
    told: tuple[Level, int] | None = None
    said_ns: int = 0
    unsaid: int = 0
    open: bool = True


class Judge:
    """`least`: the least sure level that is told. `quiet_ns`: for so long after it was told, the same coming and going
    says nothing. On one thread."""

    def __init__(self, least: Level, quiet_ns: int) -> None:
        self._least = _LEVELS.index(least)
        self._quiet_ns = quiet_ns
        self._cases: dict[Key, _Case] = {}

    def look(self, found: Iterable[Seen], now_ns: int) -> list[Alert]:
        """`found`: all that are open now. `now_ns`: of a clock that only goes on."""
        self._take(found, now_ns)
        alerts: list[Alert] = []
        for key, case in list(self._cases.items()):
            event = self._event(case, now_ns)
            if event is not None:
                alerts.append(Alert(event, case.id, key, case.alike, case.unsaid))
                case.said_ns, case.unsaid = now_ns, 0
                case.told = None if event is Event.RESOLVED else (case.level, case.behind)
            if not case.open and case.told is None and now_ns - case.said_ns > self._quiet_ns:
                del self._cases[key]
        return alerts

    def _take(self, found: Iterable[Seen], now_ns: int) -> None:
        groups: dict[Key, list[Seen]] = {}
        for one in found:
            if _LEVELS.index(one.level) <= self._least:
                groups.setdefault(one.key, []).append(one)
        for key, ones in groups.items():
            worst = min(ones, key=lambda one: (_LEVELS.index(one.level), -one.behind))
            behind = sum(one.behind for one in ones)
            case = self._cases.get(key)
            if case is None:
                if len(self._cases) >= _KNOWN_MOST:
                    continue
                case = self._cases[key] = _Case(now_ns, now_ns, worst.id, worst.level, behind)
            elif not case.open:
                case.first_ns, case.open = now_ns, True
            case.id, case.level, case.behind = worst.id, worst.level, behind
            case.alike, case.seen_ns = len(ones) - 1, now_ns

    def _event(self, case: _Case, now_ns: int) -> Event | None:
        if now_ns - case.seen_ns >= SETTLED_NS:
            over = case.open
            case.open = False
            if over and case.told is None and case.said_ns:
                case.unsaid += 1  # it came again, and went, within the quiet time
            return Event.RESOLVED if case.told is not None else None
        if case.told is not None:
            level, behind = case.told
            surer = _LEVELS.index(case.level) < _LEVELS.index(level)
            return Event.WORSE if surer or case.behind >= max(2 * behind, behind + _MANY) else None
        settled = case.seen_ns - case.first_ns >= SETTLED_NS
        return Event.OPENED if settled and (not case.said_ns or now_ns - case.said_ns > self._quiet_ns) else None
