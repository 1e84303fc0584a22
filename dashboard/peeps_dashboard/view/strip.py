# SPDX-License-Identifier: Apache-2.0
"""The finding in one line, for the pages that are not the verdict: head, line to open, text of that line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..api import Finding, Findings, Process
from . import processes, verdict, words
from .source_rows import line_text
from .words import Tone


@dataclass(frozen=True)
class Strip:
    """`lead` is set in colour. `place`: `path:line` as the program has it, `shown`: its short form, `line`: the text
    there; all three are empty where they are not known. `where`: the process."""

    tone: Tone
    lead: str
    place: str = ""
    shown: str = ""
    line: str = ""
    where: str = ""


def of_finding(finding: Finding, known: Sequence[Process]) -> Strip:
    names, place = processes.names(known), finding.get("look_at", "")
    in_it = [names.get(process, process) for process in finding["processes"]]
    return Strip(
        words.tone(finding["level"]) if finding["state"] == "open" else "gray",
        verdict.lead_of(finding, known),
        place,
        finding.get("look_at_short", place),
        line_text(place, finding.get("sources") or {}),
        " and ".join(in_it) if len(in_it) < 3 else f"{in_it[0]} and {len(in_it) - 1} more",
    )


def of_calm(answer: Findings) -> Strip:
    said = verdict.of_calm(answer)
    return Strip(said.tone, said.lead)
