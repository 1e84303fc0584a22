# SPDX-License-Identifier: Apache-2.0
"""What is plugged into the watcher: consumers of its results, which the export layer implements (the watcher knows
nothing of OpenTelemetry), and rules that need more than the wait graph of one cycle."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..diagnosis.wait_index import WaitIndex
from ..model import Finding, Snapshot
from ..probes.patches.recorder import LongWait
from ..probes.probe import EndedTask, Observation
from .assembly import Changed, Difference
from .refutations import Refuted
from .stalls import Stall


class ExporterUsage(NamedTuple):
    """By a sink's own threads, since the process began: processor time in nanoseconds, bytes that left the process."""

    cpu_ns: int
    sent: int


@dataclass(slots=True)
class WatcherStats:
    """What watching cost of late, and what it left out. Loads: 1.0 is the whole budget."""

    cpu_ns: int = 0  # of the watcher's thread and the sink's, since the process began
    sent: int = 0
    interval_ns: int = 0
    steps_shed: int = 0
    cpu_load: float = 0.0
    byte_load: float = 0.0
    histograms: bool = True


@dataclass(slots=True)
class CycleResult:
    """What one look brought. `refuted`: findings that were withdrawn because a member went on. `lags`: the longest lag
    of late of each event loop, in nanoseconds, by the name of its thread."""

    observation: Observation
    snapshot: Snapshot
    findings: Sequence[Finding]
    opened: Sequence[Finding]
    resolved: Sequence[Finding]
    ended: Sequence[EndedTask]
    long_waits: Sequence[LongWait]
    difference: Difference = field(default_factory=lambda: Difference(Changed(), []))
    stalls: Sequence[Stall] = ()
    lags: dict[str, int] = field(default_factory=dict[str, int])
    upkeep: WatcherStats = field(default_factory=WatcherStats)
    refuted: Sequence[Refuted] = ()


class LookConsumer(Protocol):
    """Called on the watcher thread. Must not block for long; what it raises is logged once and otherwise ignored."""

    def take(self, look: CycleResult) -> None: ...

    def spent(self) -> ExporterUsage: ...

    def goodbye(self, snapshot: Snapshot) -> None:
        """The process ends, or the watcher pauses. May block for a second at most; `take` may follow."""
        ...


class Waiting(NamedTuple):
    """Who waits, and what for: the part of a look that is diagnosed. `changed`: the nodes of `waits` that are not as
    they were at the look before, those that are gone too; None: that may be any."""

    waits: WaitIndex
    changed: Set[str] | None


class WatcherRule(Protocol):
    """Asked after each look, on the watcher thread."""

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        """What else is open now. `waiting`: what was diagnosed of `observation`.
        `findings`: what the diagnosis has found in it."""
        ...
