# SPDX-License-Identifier: Apache-2.0
"""The verdict card: from the collector's answer to what stands on it, in the words and order of `peeps why`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..api import Finding, Findings, Link, Process, SourceText
from . import ages, callers, connect, processes, suspects, verdict, words
from .callers import Caller
from .source_rows import Mark, Row, line_text, rows_of
from .words import Tone

_SITES_NAMED = 5
_OTHERS_NAMED = 4
_ENDED_NAMED = 10
_CALLERS = 3
_ALSO_NAMED = 6


@dataclass(frozen=True)
class Side:
    """Who does what, and on which line. `place`: `path:line` as the program has it, `shown`: its short form. `callers`:
    from where he came there. `process`: the id of that he is in."""

    who: str
    does: str
    place: str
    shown: str
    function: str
    rows: Sequence[Row]
    callers: Sequence[Caller] = ()
    process: str = field(default="", compare=False)


class Suspect(NamedTuple):
    """Another finding: enough to see whether it is the one that a reader came for. `number`: which one of all."""

    id: str
    number: int
    tone: Tone
    head: str
    shown: str
    where: str


class Other(NamedTuple):
    """One more of a ring, with the text of its line."""

    who: str
    does: str
    place: str
    shown: str
    line: str


@dataclass(frozen=True)
class Card:
    """`lead` is set in colour. `id`: of the finding. `open_line`: the text of the line to open, where it does not stand
    right below.
    `others`: who else is in the ring. `also`: what else was found, the worst first; `more`: how many are not named.
    `facts`: what would release it, whom to stop first. `behind`: a sentence; `sites`: how many of them, by the line
    where they began. `unknown`: what is not known, one line. `text`: all of it, for a ticket. `trace`: the id of the
    stuck request's trace, and `trace_url` where it is shown."""

    tone: Tone
    lead: str
    rest: str
    id: str = ""
    where: str = ""
    fresh: str = ""
    certainty: str = ""
    open_at: str = ""
    open_shown: str = ""
    open_line: str = ""
    sides: Sequence[Side] = ()
    others: Sequence[Other] = ()
    also: Sequence[Suspect] = ()
    more: int = 0
    facts: Sequence[tuple[str, str]] = ()
    behind: str = ""
    sites: Sequence[tuple[int, str]] = ()
    unknown: str = ""
    ended: Sequence[tuple[str, str]] = ()
    text: str = ""
    trace: str = ""
    trace_url: str = ""


def of_answer(
    answer: Findings, known: Sequence[Process], wanted: str | None = None, over: Finding | None = None
) -> Card:
    """Of the finding with the id `wanted`, else the worst one, else of calm, or of there being no program. `over`: the
    finding that is wanted, where it is open no more."""
    finding = over if over is not None else verdict.chosen(answer["findings"], wanted)
    fresh, ended = _fresh(answer, known), _ended(answer)
    if finding is not None:
        unknown = "" if "at_ns" in answer else processes.unknown(known)
        also = _also(finding, answer, processes.names(known))
        shown = _of_finding(finding, known, fresh, ended, unknown)
        return replace(shown, also=tuple(also[:_ALSO_NAMED]), more=max(len(also) - _ALSO_NAMED, 0))
    if "at_ns" in answer and not answer["verdict"]["connected"]:
        return Card("gray", "As it was", answer["verdict"]["sentence"], fresh=fresh)
    if "at_ns" not in answer and not processes.watched(known):
        said = connect.nobody(known)
        return Card(said.tone, said.lead, said.rest, certainty=said.note, ended=ended)
    said = verdict.of_calm(answer)
    unknown = "" if "at_ns" in answer else processes.unknown(known)
    return Card(said.tone, said.lead, said.rest, fresh=fresh, certainty=said.note, unknown=unknown, ended=ended)


def _also(finding: Finding, answer: Findings, names: Mapping[str, str]) -> list[Suspect]:
    """The findings that the card is not about; one for the same cause in many processes."""
    return [
        Suspect(
            one["id"],
            number,
            words.tone(one["level"]),
            f"{one['kind_word']}, {one['level']}",
            one.get("look_at_short", ""),
            " and ".join(names.get(process, process) for process in one["processes"][:2]),
        )
        for number, one in enumerate(suspects.of_their_own(answer["findings"]))
        if one["id"] != finding["id"]
    ]


def unreachable(address: str, message: str, trouble: str) -> Card:
    said = connect.unreachable(address, message, trouble)
    return Card(said.tone, said.lead, said.rest, certainty=said.note)


def _of_finding(
    finding: Finding, known: Sequence[Process], fresh: str, ended: Sequence[tuple[str, str]], unknown: str
) -> Card:
    names = processes.names(known)
    in_it = [names.get(p, p) for p in finding["processes"]]
    more = f" and {len(in_it) - 2} more" if len(in_it) > 2 else ""
    facts = [
        ("What would release it", finding["advice"]),
        ("Stop first", finding.get("break_first", "")),
        ("The same at the same lines", _alike(finding)),
        ("In other processes", finding.get("same_text", "")),
    ]
    trace = finding.get("trace")
    sides, look_at = _told_apart(sides_of(finding), names), finding.get("look_at", "")
    is_below = bool(sides) and sides[0].place == look_at
    return Card(
        tone=words.tone(finding["level"]) if finding["state"] == "open" else "gray",
        lead=verdict.lead_of(finding, known),
        rest=verdict.sentence_of(finding),
        id=finding["id"],
        where=", ".join(in_it[:2]) + more,
        fresh=fresh,
        certainty=f"{finding['level']}: {finding['certainty']}." if finding["certainty"] else "",
        open_at=look_at,
        open_shown=finding.get("look_at_short", ""),
        open_line="" if is_below else line_text(look_at, _sources(finding)),
        sides=sides,
        others=_others(finding),
        facts=[(name, text) for name, text in facts if text],
        behind=finding["behind"]["text"],
        sites=[(site["count"], site["short"]) for site in finding.get("blocked_sites", [])[:_SITES_NAMED]],
        unknown=unknown,
        ended=ended,
        text=finding.get("text", ""),
        trace=trace["trace_id"] if trace else "",
        trace_url=trace.get("url", "") if trace else "",
    )


def sides_of(finding: Finding) -> list[Side]:
    """Two at most: both ends of the first link, or its waiter and the next one, the line to open among them."""
    sides = _sides_of(finding)
    # One alone has the room for more of the way to its line.
    return [replace(side, callers=side.callers[: _CALLERS if len(sides) == 1 else 1]) for side in sides]


def _sides_of(finding: Finding) -> list[Side]:
    links = finding["evidence"]
    if not links:
        return _without_links(finding)
    first, other = _two_of(finding)
    if other is not None:
        # As the sentence has them, which begins with the first link.
        return [_waiter(link, finding) for link in sorted((first, other), key=links.index)]
    sides = [_waiter(first, finding)]
    holder = None if first["holder"] == first["waiter"] and sides[0].place else _holder(first, finding)
    if holder is not None and _is_twice(holder, first, sides[0]):
        doing = first.get("holder_doing")
        return [replace(sides[0], does=f"{sides[0].does}: it {doing}")] if doing else sides
    return sides if holder is None else [*sides, holder]


def _is_twice(holder: Side, link: Link, waiter: Side) -> bool:
    """Whether the thread that runs the waiter holds it up: both are at the one line, and one of them tells it."""
    return link["holder"] == link["resource"] and bool(waiter.place) and holder.place == waiter.place


def _told_apart(sides: list[Side], names: Mapping[str, str]) -> list[Side]:
    """Two of one name in two processes, as main threads are, have their process beside it."""
    if len(sides) < 2 or sides[0].who != sides[1].who or sides[0].process == sides[1].process:
        return sides
    return [replace(side, who=f"{side.who} of {names.get(side.process, side.process)}") for side in sides]


def _two_of(finding: Finding) -> tuple[Link, Link | None]:
    """The link of the line to open, and that of whom it waits for, where he waits himself."""
    links = finding["evidence"]
    first = next((link for link in links if link.get("wait_source") == finding.get("look_at")), links[0])
    by_waiter = {link["waiter"]: link for link in links}
    other = by_waiter.get(first["holder"] or "") if len(by_waiter) > 1 else None
    return first, None if other is first else other


def _others(finding: Finding) -> Sequence[Other]:
    """The members of a ring that have no side of their own."""
    if not finding["evidence"]:
        return ()
    shown = {link["waiter"] for link in _two_of(finding) if link is not None}
    found: dict[str, Other] = {}
    for link in finding["evidence"]:
        place = link.get("wait_source") or ""
        if place and link["waiter"] in finding["cycle"] and link["waiter"] not in shown:
            does, line = f"{link['relation']} {link['resource_label']}", line_text(place, _sources(finding))
            found.setdefault(link["waiter"], Other(link["waiter_label"], does, place, link["wait_short"], line))
    return tuple(found.values())[:_OTHERS_NAMED]


def _without_links(finding: Finding) -> list[Side]:
    """Of a finding about no node: the line to open."""
    place = finding.get("look_at", "")
    if not place:
        return []
    frames = finding.get("stack", [])
    rows = rows_of({place: Mark("here", "here")}, _sources(finding))
    return [Side("", "", place, finding.get("look_at_short", place), _function(frames, place), rows)]


def _waiter(link: Link, finding: Finding) -> Side:
    node = finding["nodes"].get(link["waiter"])
    since = f", {link['age']}" if link["age"] else ""
    relation = link["relation"]
    is_blocked = " is blocked" if relation == "cannot run while" else ""
    place = link.get("wait_source") or ""
    took = next(
        (one for one in finding["evidence"] if one["holder"] == link["waiter"] and one.get("hold_source")), None
    )
    holds = f"holds {took['resource_label']}, " if took is not None else ""
    is_same = took is None or took["resource"] == link["resource"] or took["resource_label"] != link["resource_label"]
    another = "" if is_same else "another "
    marks = {place: Mark("here", f"waits here{since}")}
    if relation.startswith("died of "):
        marks = {place: Mark("here", f"died here{since} ago" if since else "died here")}
    if took is not None:
        marks.setdefault(took.get("hold_source") or "", Mark("took", f"took {took['resource_label']} here"))
    return Side(
        link["waiter_label"],
        f"{holds}{relation} {another}{link['resource_label']}{is_blocked}{since}",
        place,
        link["wait_short"],
        _function(node.get("stack") if node else None, place),
        rows_of(marks, _sources(finding)),
        callers.of_place(node.get("stack") if node else None, place, _sources(finding), _CALLERS),
        node["process"] if node else "",
    )


def _holder(link: Link, finding: Finding) -> Side | None:
    holder, place = link["holder"], link.get("hold_source") or ""
    if holder is None:
        return None
    node = finding["nodes"].get(holder)
    own = [f for f in (node.get("stack") or [] if node else []) if f.get("own") is not False and f["line"]]
    now = f"{own[-1]['file']}:{own[-1]['line']}" if own else ""
    marks = {place: Mark("took", f"took {link['resource_label']} here")} if place else {}
    if now:
        marks.setdefault(now, Mark("here", "is here now"))
    does = f"holds {link['resource_label']}" if place or link["hold_age"] else "could end the wait"
    if holder == link["resource"]:
        does = "is here"
    since = f", {link['hold_age']}" if link["hold_age"] else ""
    doing = f", {said}" if (said := link.get("holder_doing")) else ""
    shown = link["hold_short"] if place else own[-1]["short"] if own else ""
    frames = node.get("stack") if node else None
    return Side(
        link["holder_label"],
        f"{does}{since}{doing}",
        place or now,
        shown,
        _function(frames, place or now),
        rows_of(marks, _sources(finding)),
        callers.of_place(frames, now, _sources(finding), _CALLERS),
        node["process"] if node else "",
    )


def _sources(finding: Finding) -> Mapping[str, SourceText]:
    return finding.get("sources") or {}


def _function(frames: Sequence[Mapping[str, object]] | None, place: str) -> str:
    found = (f["function"] for f in reversed(frames or []) if f"{f['file']}:{f['line']}" == place)
    return str(next(found, ""))


def _alike(finding: Finding) -> str:
    count, named = finding.get("count", 1), finding.get("example_labels", [])
    if count < 2:
        return ""
    rest = count - 1 - len(named)
    return ", ".join(named) + (f" and {rest:,} more" if rest else "") + "."


def _fresh(answer: Findings, known: Sequence[Process]) -> str:
    if "at_ns" in answer:
        return f"as it was at {ages.clock(answer['at_ns'])}"
    age = processes.freshness(known)
    return f"data from {age} ago" if age is not None else ""


def _ended(answer: Findings) -> list[tuple[str, str]]:
    """Head and facts of what has ended, newest first."""
    return [
        (f"{one['headline']}, {one['state']} {one['ended_ago']} ago", one["title"]) for one in answer.get("ended", [])
    ][:_ENDED_NAMED]
