# SPDX-License-Identifier: Apache-2.0
"""A finding as plain text, line by line: who waits for whom, where, and what would release it.

The explorer lays out the same values and words as a card: `peeps_dashboard/view/card.py` and `waiter_holder.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .sentences import alike
from .style import Style, printable

Json = dict[str, Any]
_BLOCKED_NAMED = 5
_BEGIN_THREADS = frozenset({"Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run"})
"""Of a stack without a line of the program these say nothing."""
_SITES_NAMED = 5


class FindingText:
    """The lines of a finding as the API tells it, in words. `paths`: whole paths instead of short ones."""

    def __init__(self, style: Style, *, paths: bool = False) -> None:
        self._style = style
        self._paths = paths
        self._sources: dict[str, Json] = {}

    def lines(self, finding: Json, where: str = "") -> list[str]:
        """`where`: in which processes."""
        style = self._style
        colour = "red" if finding["level"] in {"PROVEN", "LIKELY"} else "yellow"
        title = f"{printable(finding['title'])}{alike(finding.get('count', 1))}"
        lines = [style(colour, printable(finding["headline"])) + f": {title}"]
        if where:
            lines.append(style("dim", f"in {where}"))
        look_at = self._place(finding, "look_at", "look_at_short")
        self._sources = finding.get("sources") or {}
        if look_at:
            lines.append(f"{style('bold', 'Open:')} {style('cyan', look_at)}")
            lines += self._lines_around(finding["look_at"])
        lines += trace_line(finding, style)
        if finding["certainty"]:
            lines.append(style("dim", f"{finding['level']}: {finding['certainty']}."))
        shown: set[str] = set()
        lines += self._frames(finding["stack"], finding["look_at"])
        for step in finding["evidence"]:
            if finding["kind"] == "order_risk":  # nobody waits: it says what was seen
                lines += ["", *self._seen_once(step)]
                continue
            lines += ["", *self._step(step, finding["nodes"], shown)]
        lines.append("")
        if finding["advice"]:
            lines.append(f"{style('bold', 'What would release it:')} {printable(finding['advice'])}")
        if finding["break_first"]:
            lines.append(f"{style('bold', 'Stop first:')} {printable(finding['break_first'])}")
        return lines + _alike(finding) + self._behind(finding)

    def _lines_around(self, place: str) -> list[str]:
        """The text of a line and of those around it."""
        told = self._sources.get(place)
        if told is None:
            return []
        asked = int(place.rpartition(":")[2])
        rows = [(told["first"] + number, printable(text)) for number, text in enumerate(told["lines"])]
        margin = min((len(text) - len(text.lstrip()) for _, text in rows if text), default=0)
        return [self._row(number, text[margin:], number == asked) for number, text in rows]

    def _row(self, number: int, text: str, asked: bool) -> str:
        row = f"{number:>5} | {text}".rstrip()
        return f"  {self._style('cyan', '->' + row)}" if asked else self._style("dim", f"    {row}")

    def _text(self, place: str) -> list[str]:
        """Of one line, below where it is named, as Python's own tracebacks have it; empty where it is not known."""
        text = line_of(self._sources, place)
        return [f"           {printable(text)}"] if text else []

    def _place(self, told: Json, whole: str, short: str) -> str:
        return printable(told[whole if self._paths else short] or "")

    def _seen_once(self, step: Json) -> list[str]:
        """What was seen, and the stack of the first time."""
        text, _, stack = step["text"].partition("; first seen in ")
        frames = [frame for frame in stack.split(" > ") if frame]
        lines = [printable(text), *(f"       {printable(frame)}" for frame in frames[:-1])]
        return [*lines, *(f"    {self._style('cyan', '-> ' + printable(frame))}" for frame in frames[-1:])]

    def _step(self, step: Json, nodes: dict[str, Json], shown: set[str]) -> list[str]:
        style, since = self._style, f" since {step['age']}" if step["age"] else ""
        waiter, resource = (style("bold", printable(step[name])) for name in ("waiter_label", "resource_label"))
        lines = [f"{waiter} {printable(step['relation'])} {resource}{since}"]
        if step["relation"].startswith("died of "):
            when = f", {step['age']} ago" if step["age"] else ""
            place = self._place(step, "wait_source", "wait_short")
            lines = [printable(step["text"]) + when]
            return lines + self._stack(step["waiter"], nodes, step["wait_source"], shown) if place else lines
        if step["relation"] == "cannot run while":
            lines = [f"{waiter} cannot run while {resource} is blocked{since}"]
        elif step["wait_source"]:
            verb = "waits" if step["wait_source"].startswith("in ") else "waits at"
            lines.append(f"  {verb} {style('cyan', self._place(step, 'wait_source', 'wait_short'))}")
            if step["waiter"] in shown or not (nodes.get(step["waiter"]) or {}).get("stack"):
                lines += self._text(step["wait_source"])
        lines += self._stack(step["waiter"], nodes, step["wait_source"], shown)
        if step["holder"]:
            lines.append(self._holder(step))
            lines += self._text(step["hold_source"] or "")
            lines += self._stack(step["holder"], nodes, "", shown)
        return lines

    def _holder(self, step: Json) -> str:
        name, doing = self._style("bold", printable(step["holder_label"])), printable(step["holder_doing"] or "")
        if step["holder"] == step["resource"]:
            return f"  {name} {doing or 'is here:'}"
        if step["resource"].startswith("request:"):
            return f"  handled by {name}{f', which {doing}' if doing else ''}"
        if not step["hold_since_ns"] and not step["hold_source"]:
            return f"  {name} could end the wait, but {doing or 'is here:'}"
        held = f" since {step['hold_age']}" if step["hold_age"] else ""
        source = self._place(step, "hold_source", "hold_short")
        taken = f", taken at {self._style('cyan', source)}" if source else ""
        verb = "to be completed by" if step["resource"].startswith("future:") else "held by"
        return f"  {verb} {name}{held}{taken}{f', which {doing}' if doing else ''}"

    def _stack(self, node_id: str, nodes: dict[str, Json], mark: str, shown: set[str]) -> list[str]:
        """The program's own frames, outermost first; the line to open is marked. Each node's stack is shown once."""
        node = nodes.get(node_id)
        if node is None or not node["stack"] or node_id in shown:
            return []
        shown.add(node_id)
        wait: Json = node["wait"] or {}
        return self._frames(node["stack"], mark or str(wait.get("source", "")))

    def _frames(self, stack: Sequence[Json], mark: str) -> list[str]:
        own = [frame for frame in stack if frame.get("own") is not False]
        frames = own or [frame for frame in stack if frame["function"] not in _BEGIN_THREADS] or stack
        places = [f"{frame['file']}:{frame['line']}" if frame["line"] else frame["file"] for frame in frames]
        marked = next((i for i in reversed(range(len(places))) if places[i] == mark), len(places) - 1 if own else -1)
        lines: list[str] = []
        for number, (frame, place) in enumerate(zip(frames, places, strict=True)):
            text = printable(f"{place if self._paths else frame['short']} in {frame['function']}")
            lines.append(f"    {self._style('cyan', '-> ' + text)}" if number == marked else f"       {text}")
            lines += self._text(place)
        return lines

    def _behind(self, finding: Json) -> list[str]:
        lines = [printable(finding["behind"]["text"])]
        sites: list[Json] = finding["blocked_sites"]
        if finding["behind"]["count"] > _BLOCKED_NAMED:
            shown = sites[:_SITES_NAMED]
            lines += [f"  {site['count']} at {self._place(site, 'source', 'short')}" for site in shown]
            if len(sites) > _SITES_NAMED:
                lines.append(f"  and {sum(site['count'] for site in sites[_SITES_NAMED:])} elsewhere")
        return lines


def line_of(sources: Json, place: str) -> str:
    """The text of the line `place` without its indentation; empty where it is not in `sources`, as the API has them."""
    told = sources.get(place)
    number = place.rpartition(":")[2]
    if told is None or not number.isdecimal() or not 0 <= int(number) - told["first"] < len(told["lines"]):
        return ""
    return str(told["lines"][int(number) - told["first"]]).strip()


def trace_line(told: Json, style: Style) -> list[str]:
    """Where the trace of the request is shown, else its id."""
    trace: Json = told.get("trace") or {}
    shown = trace.get("url") or trace.get("trace_id")
    return [f"{style('bold', 'Trace:')} {printable(shown)}"] if shown else []


def _alike(finding: Json) -> list[str]:
    """Who else is in the same trouble at the same lines."""
    count: int = finding.get("count", 1)
    if count < 2:
        return []
    named = [printable(label) for label in finding.get("example_labels", ())]
    rest = count - 1 - len(named)
    return [f"The same at the same lines: {', '.join(named)}{f' and {rest:,} more' if rest else ''}."]
