# SPDX-License-Identifier: Apache-2.0
"""`peeps why`: the verdict, who waits for whom, and which line to open."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from peeps_otel.model.own_line import is_line

from ..wording import alike, duration
from .client import Client
from .command import add_json, add_process, seconds
from .labels import label, waits_for
from .leaks import check
from .style import Style, printable

if TYPE_CHECKING:
    from ..config import Config

NAME = "why"
HELP = "what is stuck, and why (exit code 1 if something is)"

Json = dict[str, Any]

_POLL_SECONDS = 0.25
_BLOCKED_NAMED = 5
_SITES_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--leaks", action="store_true", help="have the programs look for tasks that nothing can wake")
    parser.add_argument("--wait", type=seconds, default=0.0, metavar="SECONDS", help="ask until something is stuck")
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client(str(config.api))
    notes = check(client, options.process) if options.leaks else []
    code = why(client, options.process, as_json=options.json, wait_seconds=options.wait)
    print("".join(f"\n{note}" for note in notes), end="\n" if notes else "", file=sys.stderr)
    return code


def why(client: Client, process: str | None, *, as_json: bool, wait_seconds: float) -> int:
    """Prints the verdict. 1 where a finding of level PROVEN, LIKELY or SUSPECT is open, else 0. Raises ClientError."""
    deadline = time.monotonic() + wait_seconds
    while True:
        answer = client.get("/api/findings", process=client.process_ids(process))
        if answer["verdict"]["stuck"] or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if as_json:
        json.dump(answer, sys.stdout, indent=2)
        print()
    else:
        processes = client.get("/api/processes")["processes"]
        print("\n".join(report(answer, {p["id"]: p for p in processes}, Style())))
    return 1 if answer["verdict"]["stuck"] else 0


def report(answer: Json, processes: dict[str, Json], style: Style) -> list[str]:
    """The text, line by line. `processes`: by id."""
    findings: list[Json] = answer["findings"]
    lines: list[str] = []
    for number, finding in enumerate(findings):
        lines += (
            ["", *_finding(finding, answer["now_ns"], processes, style)]
            if number
            else [*_finding(finding, answer["now_ns"], processes, style)]
        )
    if answer.get("untold"):
        lines += ["", f"and {answer['untold']} more findings, which are not told one by one."]
    if not findings:
        lines.append(style("green", printable(answer["verdict"]["sentence"])))
    if answer["not_answered"]:
        names = ", ".join(_process(processes.get(p), p) for p in answer["not_answered"])
        lines += ["", style("yellow", f"Not answered, so not judged now: {names}")]
    return lines


def _finding(finding: Json, now_ns: int, processes: dict[str, Json], style: Style) -> list[str]:
    level: str = finding["level"]
    age = duration(now_ns - finding["since_ns"])
    kind = finding["kind"].replace("_", " ").upper()
    colour = "red" if level in {"PROVEN", "LIKELY"} else "yellow"
    where = ", ".join(_process(processes.get(p), p) for p in finding["processes"])
    lines = [
        style(colour, f"{kind}, {level}, {age}") + f": {printable(finding['title'])}{alike(finding.get('count', 1))}"
    ]
    if where:
        lines.append(style("dim", f"in {where}"))
    if finding.get("look_at"):
        lines.append(f"{style('bold', 'Open:')} {style('cyan', printable(finding['look_at']))}")
    shown: set[str] = set()
    lines += _frames(finding.get("stack", ()), finding.get("look_at", ""), style)
    for link in finding["evidence"]:
        if finding["kind"] == "order_risk":  # nobody waits: it says what was seen
            lines += ["", *_seen_once(link, style)]
            continue
        lines += ["", *_link(link, finding["nodes"], now_ns, shown, style)]
    lines.append("")
    if finding["advice"]:
        lines.append(f"{style('bold', 'What would release it:')} {printable(finding['advice'])}")
    if finding.get("break_first"):
        lines.append(f"{style('bold', 'Stop first:')} {printable(finding['break_first'])}")
    lines += _alike(finding)
    lines += _behind(finding)
    return lines


def _alike(finding: Json) -> list[str]:
    """Who else is in the same trouble at the same lines."""
    count: int = finding.get("count", 1)
    if count < 2:
        return []
    named = [label(node, finding["nodes"]) for node in finding.get("examples", ())]
    rest = count - 1 - len(named)
    return [f"The same at the same lines: {', '.join(named)}{f' and {rest} more' if rest else ''}."]


def _seen_once(link: Json, style: Style) -> list[str]:
    """What was seen, and the stack of the first time."""
    text, _, stack = link["text"].partition("; first seen in ")
    lines = [printable(text)]
    frames = [frame for frame in stack.split(" > ") if frame]
    lines += [f"       {printable(frame)}" for frame in frames[:-1]]
    return [*lines, *(f"    {style('cyan', '-> ' + printable(frame))}" for frame in frames[-1:])]


def _link(link: Json, nodes: dict[str, Json], now_ns: int, shown: set[str], style: Style) -> list[str]:
    waiter, holder = link["waiter"], link["holder"]
    since = f" since {duration(now_ns - link['since_ns'])}" if link["since_ns"] else ""
    resource = style("bold", label(link["resource"], nodes))
    lines = [f"{style('bold', label(waiter, nodes))} {waits_for(link['resource'])} {resource}{since}"]
    if _runs_it(link, nodes):
        lines = [f"{style('bold', label(waiter, nodes))} cannot run while {resource} is blocked{since}"]
    elif link["wait_source"]:
        verb = "waits at" if is_line(link["wait_source"]) else "waits"
        lines.append(f"  {verb} {style('cyan', printable(link['wait_source']))}")
    lines += _stack(waiter, nodes, link["wait_source"], shown, style)
    if holder:
        lines.append(_holder(link, nodes, now_ns, style))
        lines += _stack(holder, nodes, "", shown, style)
    return lines


def _runs_it(link: Json, nodes: dict[str, Json]) -> bool:
    """Whether what the waiter lacks is the thread of its own event loop."""
    waiter = nodes.get(link["waiter"])
    return waiter is not None and waiter["attributes"].get("peeps.task.thread") == link["resource"]


def _holder(link: Json, nodes: dict[str, Json], now_ns: int, style: Style) -> str:
    name = style("bold", label(link["holder"], nodes))
    doing = printable(link.get("holder_doing") or "")
    if link["holder"] == link["resource"]:
        return f"  {name} {doing or 'is here:'}"
    if not link["hold_since_ns"] and not link["hold_source"]:
        return f"  {name} could end the wait, but {doing or 'is here:'}"
    held = f" since {duration(now_ns - link['hold_since_ns'])}" if link["hold_since_ns"] else ""
    taken = f", taken at {style('cyan', printable(link['hold_source']))}" if link["hold_source"] else ""
    verb = "to be completed by" if link["resource"].startswith("future:") else "held by"
    return f"  {verb} {name}{held}{taken}{f', which {doing}' if doing else ''}"


def _stack(node_id: str, nodes: dict[str, Json], mark: str, shown: set[str], style: Style) -> list[str]:
    """The program's own frames, outermost first; the line to open is marked. Each node's stack is shown once."""
    node = nodes.get(node_id)
    if node is None or not node["stack"] or node_id in shown:
        return []
    shown.add(node_id)
    wait: Json = node["wait"] or {}
    return _frames(node["stack"], mark or str(wait.get("source", "")), style)


def _frames(stack: Sequence[Json], mark: str, style: Style) -> list[str]:
    own = [frame for frame in stack if frame.get("own") is not False]
    frames = own or stack
    places = [f"{frame['file']}:{frame['line']}" if frame["line"] else frame["file"] for frame in frames]
    marked = next(
        (i for i in reversed(range(len(places))) if _same_place(places[i], mark)), len(places) - 1 if own else -1
    )
    lines: list[str] = []
    for number, (frame, place) in enumerate(zip(frames, places, strict=True)):
        text = f"{printable(place)} in {printable(frame['function'])}"
        lines.append(f"    {style('cyan', '-> ' + text)}" if number == marked else f"       {text}")
    return lines


def _same_place(place: str, mark: str) -> bool:
    return bool(mark) and (place == mark or place.endswith("/" + mark) or mark.endswith("/" + place))


def _behind(finding: Json) -> list[str]:
    count: int = finding["blocked_count"]
    if not count:
        return ["Nothing else waits behind it."]
    named = [label(node, finding["nodes"]) for node in finding["blocked"][:_BLOCKED_NAMED]]
    rest = count - len(named)
    names = f": {', '.join(named)}{f' and {rest} more' if rest > 0 else ''}" if named else ""
    lines = [f"{count} {'task waits' if count == 1 else 'tasks wait'} behind it{names}."]
    sites: list[Json] = finding.get("blocked_sites", [])
    if count > _BLOCKED_NAMED:
        lines += [f"  {site['count']} made at {printable(site['source'])}" for site in sites[:_SITES_NAMED]]
        if len(sites) > _SITES_NAMED:
            lines.append(f"  and {sum(site['count'] for site in sites[_SITES_NAMED:])} made elsewhere")
    return lines


def _process(process: Json | None, key: str) -> str:
    return key if process is None else f"{printable(process['service'])} (pid {process['pid'] or 'unknown'})"
