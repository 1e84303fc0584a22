# SPDX-License-Identifier: Apache-2.0
"""Which findings are open: what opened, changed and was resolved between two looks."""

from __future__ import annotations

from typing import NamedTuple

from ..model import Finding, Level


class Changes(NamedTuple):
    opened: list[Finding]
    resolved: list[Finding]


class OpenFindings:
    """The open findings of this process. Not thread-safe."""

    def __init__(self) -> None:
        self.open: dict[str, Finding] = {}

    def update(self, findings: list[Finding]) -> Changes:
        """`opened` includes findings whose level or number of blocked tasks has changed, or whose number of alike ones
        has doubled or halved."""
        current = {finding.id: finding for finding in findings}
        opened = [
            finding
            for finding in findings
            if (before := self.open.get(finding.id)) is None or _measure(before) != _measure(finding)
        ]
        resolved = [finding for finding_id, finding in self.open.items() if finding_id not in current]
        self.open = current
        return Changes(opened, resolved)


def _measure(finding: Finding) -> tuple[Level, int, int]:
    return finding.level, len(finding.blocked), finding.count.bit_length()
