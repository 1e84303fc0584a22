# SPDX-License-Identifier: Apache-2.0
"""Where findings were refuted: the next one of the same kind at the same line is said less surely."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from ..model import Finding, FindingKind, Level

_SITES_MOST = 256
_LOWER = {Level.PROVEN: Level.LIKELY, Level.LIKELY: Level.SUSPECT}
CLAIMS = frozenset(_LOWER)
"""The levels that say that a wait does not end: the others only say that it takes long, and cannot be refuted."""
_REMARK = "Said less surely: at this line such a wait was seen to end after all."


class RefutedSites:
    """Kinds of findings and lines of waits, at most 256, the last ones. Not thread-safe."""

    def __init__(self) -> None:
        self._times: OrderedDict[tuple[FindingKind, str], int] = OrderedDict()

    def add(self, finding: Finding, member: str) -> None:
        """`finding` was refuted: `member`, a node id, has gone on."""
        own = {step.wait_source for step in finding.evidence if step.waiter == member and step.wait_source}
        for site in own or {finding.look_at}:
            key = (finding.kind, site)
            self._times[key] = self._times.pop(key, 0) + 1
        while len(self._times) > _SITES_MOST:
            self._times.popitem(last=False)

    def lowered(self, finding: Finding) -> Finding:
        """The finding itself, or one that is a level lower for each time one of its kind was refuted at one of its
        lines, but no lower than SUSPECT."""
        if not self._times or finding.level not in _LOWER:
            return finding
        sites = {finding.look_at, *(step.wait_source for step in finding.evidence)}
        level = finding.level
        for _ in range(max(self._times.get((finding.kind, site), 0) for site in sites)):
            level = _LOWER.get(level, level)
        if level is finding.level:
            return finding
        return replace(finding, level=level, advice=f"{finding.advice} {_REMARK}".strip())
