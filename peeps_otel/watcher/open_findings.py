# SPDX-License-Identifier: Apache-2.0
"""Which findings are open: what opened, changed and was resolved between two looks."""

from __future__ import annotations

from typing import NamedTuple

from ..model import Finding


class Changes(NamedTuple):
    opened: list[Finding]
    resolved: list[Finding]


class OpenFindings:
    """The open findings of this process. Not thread-safe."""

    def __init__(self) -> None:
        self.open: dict[str, Finding] = {}

    def update(self, findings: list[Finding]) -> Changes:
        """`opened` includes findings whose level or number of blocked tasks has changed."""
        current = {finding.id: finding for finding in findings}
        opened = [
            finding
            for finding in findings
            if (before := self.open.get(finding.id)) is None
            or (before.level, len(before.blocked)) != (finding.level, len(finding.blocked))
        ]
        resolved = [finding for finding_id, finding in self.open.items() if finding_id not in current]
        self.open = current
        return Changes(opened, resolved)
