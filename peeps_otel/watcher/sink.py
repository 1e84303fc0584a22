# SPDX-License-Identifier: Apache-2.0
"""Where the watcher's results go. The export layer implements it: the watcher knows nothing of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..model import Finding, Snapshot
from ..probes.observation import EndedTask, Observation
from ..probes.recorder import LongWait


class Look(Protocol):
    """What one look brought."""

    observation: Observation
    snapshot: Snapshot
    findings: Sequence[Finding]
    opened: Sequence[Finding]
    resolved: Sequence[Finding]
    ended: Sequence[EndedTask]
    long_waits: Sequence[LongWait]


class Sink(Protocol):
    """Called on the watcher thread. Must not block for long; what it raises is logged once and otherwise ignored."""

    def take(self, look: Look) -> None: ...

    def goodbye(self, snapshot: Snapshot) -> None:
        """The process ends. May block for a second at most."""
        ...

    def after_fork_in_child(self) -> None: ...
