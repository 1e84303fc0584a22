# SPDX-License-Identifier: Apache-2.0
"""Processes that should speak and do not."""

from __future__ import annotations

from ...model import FindingKind, Level
from .rule import OutsideRule


class ProcessSilent(OutsideRule):
    """Made by the collector, from what the process beside the program says and from its own look."""

    name = "process_silent"
    kind = FindingKind.PROCESS_SILENT
    levels = (Level.SUSPECT,)
    when = "A process that is connected has missed several of its snapshots in a row, although it is alive"
    advice = "See what it does from outside: stopped, or one C call that keeps the interpreter"
    made_in = "peeps_collector.graph.silence"
