# SPDX-License-Identifier: Apache-2.0
"""Findings that need no reduction: each rule looks for one kind of trouble."""

from __future__ import annotations

from collections.abc import Callable

from ...model import Finding
from ..thresholds import Thresholds
from .channels import NotDrained
from .context import Rule, RuleContext
from .executors import ExecutorSaturated
from .forks import HeldAtFork
from .growth import TaskGrowth
from .locks import HeldAcrossWait, LostWakeup
from .loops import LoopBlocked, NeverYields
from .problems import ExceptionNeverRetrieved, TaskDestroyed
from .tasks import CancelIgnored, SelfWaking
from .waits import OnlyLong

__all__ = ["Rule", "RuleContext", "Rules"]


class Rules:
    """All rules. What an earlier one names, a later one leaves out."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self.first: list[Rule] = [HeldAtFork()]
        """Those that know more than the reduction: asked before it."""
        self.all: list[Rule] = [
            LoopBlocked(),
            NeverYields(),
            LostWakeup(),
            CancelIgnored(),
            NotDrained(),
            HeldAcrossWait(),
            ExecutorSaturated(),
            SelfWaking(),
            TaskDestroyed(),
            ExceptionNeverRetrieved(),
            TaskGrowth(),
            OnlyLong(),
        ]

    def find_first(self, context: RuleContext, pause: Callable[[], None]) -> list[Finding]:
        """What is known before the reduction. Reads the look."""
        context.read(pause)
        return [finding for rule in self.first for finding in rule.find(context)]

    def find(self, context: RuleContext, pause: Callable[[], None]) -> list[Finding]:
        """What the others find at one look that `find_first` has read."""
        findings: list[Finding] = []
        for rule in self.all:
            findings += rule.find(context)
            pause()
        return findings
