# SPDX-License-Identifier: Apache-2.0
"""The headline: what is stuck, how sure that is, for how long, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..api import Calm, Finding, Findings, Process
from . import words
from .words import Tone

_LAST_WORD_NS = 3_000_000_000
"""A finding is looked at once a second, and a process may still say goodbye."""


@dataclass(frozen=True)
class Headline:
    """`lead` is the part set in colour, `rest` the sentence after it; `note` says how sure and what would help."""

    tone: Tone
    lead: str
    rest: str
    note: str

    @property
    def sentence(self) -> str:
        return f"{self.lead}: {self.rest}"


Numbers = list[tuple[str, str]]


def chosen(findings: Sequence[Finding], wanted: str | None) -> Finding | None:
    """The finding of the URL, or the worst one."""
    return next((f for f in findings if f["id"] == wanted), findings[0] if findings else None)


def principal(finding: Finding) -> str | None:
    """The node a reader looks at first: the first waiter."""
    return finding["evidence"][0]["waiter"] if finding["evidence"] else next(iter(finding["core"]), None)


def sentence_of(finding: Finding) -> str:
    """What stands behind the headline of a finding."""
    count = finding.get("count", 1)
    alike = f" (and {count - 1:,} alike)" if count > 1 else ""
    return f"{finding['title'].rstrip('. ')}{alike}."


def lead_of(finding: Finding, known: Sequence[Process]) -> str:
    """The headline; before it when and how it ended, where it is open no more."""
    if finding["state"] == "open":
        return finding["headline"]
    how = "with its process" if _ended_with_its_process(finding, known) else f"({finding['state']})"
    return f"Ended {how} {finding.get('ended_ago', '')} ago: {finding['headline']}"


def _ended_with_its_process(finding: Finding, known: Sequence[Process]) -> bool:
    """Whether a process of it is gone, and said nothing more after it was last seen."""
    return any(
        one["state"] == "gone" and one["last_seen_ns"] - finding["last_seen_ns"] < _LAST_WORD_NS
        for one in known
        if one["id"] in finding["processes"]
    )


def of_calm(answer: Findings) -> Headline:
    calm, blind = answer["calm"], answer["verdict"]["cannot_judge"]
    if blind:
        rest = "; ".join(f"{one['name']}: {one['note']}" for one in blind) + "."
        return Headline("orange", "Cannot judge", rest, "Something could be stuck there unseen.")
    longest = calm["longest_wait"]
    parts = [f"{words.count(calm['tasks'], 'task')}, {calm['waiting']:,} of them waiting, none found stuck"]
    if not calm["tasks"]:
        parts = ["no thread was found stuck, and there are no tasks"]
    if longest is not None:
        wait = longest["node"].get("wait")
        at = "" if wait and wait["source"].startswith("in ") else "at "
        what = f" ({wait['operation']} {at}{wait['short']})" if wait else ""
        parts.append(f"the longest wait is {words.label_of(longest['node'])}, {longest['age']}{what}")
    if calm["long_call"] is not None:
        parts.append(calm["long_call"])
    rest = "; ".join(parts) + "."
    if calm["doubt"] is not None:
        lead = f"Nothing is known to be stuck, but {calm['doubt']}"
        return Headline("orange", lead, rest, "What ends these waits is not seen from here: it may lie outside.")
    note = "No ring of waits, no exhausted semaphore, no full channel, no lock held for too long was found."
    return Headline("green", "Nothing is stuck", rest, note)


def calm_numbers(calm: Calm, processes: Sequence[Process]) -> Numbers:
    longest, change = calm["longest_wait"], calm["last_change_ago"]
    of_tasks = [("Tasks", f"{calm['tasks']:,}"), ("Waiting", f"{calm['waiting']:,}")] if calm["tasks"] else []
    return [
        *of_tasks,
        ("Longest wait", longest["age"] if longest else "none"),
        ("Last change", f"{change} ago" if change else "none seen"),
        ("Processes", f"{sum(p['state'] == 'live' for p in processes)}"),
    ]
