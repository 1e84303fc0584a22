# SPDX-License-Identifier: Apache-2.0
"""Diagnoses that need more than the wait graph of one look."""

from __future__ import annotations

from typing import Protocol

from ..model import Finding, Graph
from ..probes.probe import Observation


class Rule(Protocol):
    """Asked after each look, on the watcher thread."""

    def look(self, observation: Observation, graph: Graph, findings: list[Finding], now_ns: int) -> list[Finding]:
        """What else is open now. `graph`: who waits, and what for; the part of `observation` that was diagnosed.
        `findings`: what the diagnosis has found in it."""
        ...

    def forget(self) -> None:
        """Starts all over: after a fork, in the child."""
        ...
