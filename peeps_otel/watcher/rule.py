# SPDX-License-Identifier: Apache-2.0
"""Diagnoses that need more than the wait graph of one look."""

from __future__ import annotations

from typing import Protocol

from ..model import Finding
from ..probes.observation import Observation


class Rule(Protocol):
    """Asked after each look, on the watcher thread."""

    def look(self, observation: Observation, findings: list[Finding], now_ns: int) -> list[Finding]:
        """What else is open now. `findings`: what the diagnosis of this look has found."""
        ...

    def forget(self) -> None:
        """Starts all over: after a fork, in the child."""
        ...
