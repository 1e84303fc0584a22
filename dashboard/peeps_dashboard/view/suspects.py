# SPDX-License-Identifier: Apache-2.0
"""All findings as a ranked list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..api import Finding
from . import words
from .words import Tone


@dataclass(frozen=True)
class Suspect:
    """`head` is stable while the finding lasts; what counts up is in `facts`."""

    id: str
    tone: Tone
    head: str
    title: str
    facts: str


def ranked(findings: Sequence[Finding]) -> list[Suspect]:
    """In the collector's order, worst first; one for the same cause in many processes."""
    return [_suspect(f) for f in of_their_own(findings)]


def of_their_own(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are not the same as another one, in another process."""
    return [f for f in findings if "same_as" not in f]


def _suspect(finding: Finding) -> Suspect:
    blocked = finding["behind"]["count"]
    facts = [
        finding["age"],
        f"{words.count(blocked, 'task')} behind it" if blocked else "nobody behind it",
    ]
    processes = len(finding["processes"]) + len(finding.get("same_in", []))
    if processes > 1:
        facts.append(f"{processes:,} processes")
    return Suspect(
        id=finding["id"],
        tone=words.tone(finding["level"]),
        head=f"{finding['kind_word']}, {finding['level']}",
        title=finding["title"],
        facts=" · ".join(facts),
    )
