# SPDX-License-Identifier: Apache-2.0
"""`peeps show`: all that is known of one task, thread, lock or other thing, or of one finding."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from peeps_otel.report.finding_text import FindingText, trace_line
from peeps_otel.report.style import Style, printable

from .client import Client, ClientError
from .command import JSON_FORMAT, add_json, add_paths, add_process
from .folding import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import Config

NAME = "show"
HELP = "all about one task, thread, lock …, by its name or id, or about one finding"

Json = dict[str, Any]

_ID_HAS = ":"
_NAMED_MOST = 10
_HISTORY = 10
_EDGES = {
    "needs": ("waits for", "is waited for by"),
    "held_by": ("is held by", "holds"),
    "spawned": ("has started", "was started by"),
    "could_end": ("could be ended by", "could end"),
    "handled_by": ("is handled by", "handles"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NAME", help="a name as `peeps ps` has it, an id, or the id of a finding")
    add_paths(parser)
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    """2 where it is not known, or several go by that name."""
    client = Client.of(config)
    kind = options.node.partition(_ID_HAS)[0]
    finding = _finding(client, options.node) if "_" in kind or kind in {"deadlock", "leak"} else None
    if finding is not None:
        told = {"format": JSON_FORMAT, "finding": finding}
        lines = FindingText(Style(), paths=options.paths).lines(finding, ", ".join(finding["processes"]))
    else:
        node_id = _id_of(client, options.node, options.process)
        answer = client.get("/api/node/" + node_id)
        told = {"format": JSON_FORMAT} | answer
        lines = node_lines(answer, Style(), paths=options.paths)
    if options.json:
        json.dump(told, sys.stdout)
        print()
    else:
        print(on_terminal(lines))
    return 0


def _finding(client: Client, finding_id: str) -> Json | None:
    try:
        return client.get("/api/finding/" + finding_id)["finding"]
    except ClientError as error:
        if "no finding" in str(error):
            return None
        raise


def _id_of(client: Client, wanted: str, process: str | None) -> str:
    """The node that is meant. Raises ClientError where that is none, or several."""
    if _ID_HAS in wanted and len(wanted.partition(_ID_HAS)[2]) == 26:
        return wanted
    nodes: list[Json] = client.get("/api/snapshot", process=client.process_ids(process), limit="20000")["nodes"]
    exact = [node for node in nodes if wanted in (node["name"], node["label"])]
    found = exact or [node for node in nodes if wanted in node["label"] or node["id"].startswith(wanted)]
    if not found:
        raise ClientError(f"nothing alive is called {wanted!r}; `peeps ps --all` names what there is")
    if len(found) > 1:
        listed = "\n".join(f"  {printable(node['label'])}  {node['id']}" for node in found[:_NAMED_MOST])
        more = f"\n  and {len(found) - _NAMED_MOST:,} more" if len(found) > _NAMED_MOST else ""
        raise ClientError(f"{len(found):,} go by {wanted!r}; say which by its id:\n{listed}{more}")
    return str(found[0]["id"])


def node_lines(answer: Json, style: Style, *, paths: bool = False) -> list[str]:
    """The text, line by line."""
    node: Json = answer["node"]
    made = node["source" if paths else "short"]
    lines = [style("bold", printable(f"{node['kind_word']} {node['label']}")), f"  {node['id']}"]
    lines.append(f"  made {node['age']} ago at {printable(made)}" if made else f"  made {node['age']} ago")
    if node["state"]:
        lines.append(f"  {printable(node['state'])}")
    lines += [f"  {line}" for line in trace_line(node, style)]
    wait: Json | None = node["wait"]
    if wait is not None:
        place = wait["source" if paths else "short"]
        at = f" at {style('cyan', printable(place))}" if place else ""
        lines.append(f"  waits in {printable(wait['operation'])} since {wait['age']}{at}")
        if wait.get("text"):
            lines.append(f"      {printable(wait['text'])}")
    lines += _related(answer)
    if node["stack"]:
        lines += ["", "Stack, outermost first:"]
        lines += [f"  {printable(_frame(frame, paths))}" for frame in node["stack"]]
    if node["attributes"]:
        lines += ["", *(f"  {printable(key)} = {printable(str(value))}" for key, value in node["attributes"].items())]
    if answer["findings"]:
        lines += ["", *(f"{one['headline']}: {printable(one['title'])}" for one in answer["findings"])]
    history: list[Json] = answer.get("history", [])[:_HISTORY]
    if history:
        lines += ["", "What changed, newest first:"]
        lines += [f"  {_clock(one['time_ns'])}  {printable(_change(one))}" for one in history]
    return lines


def _related(answer: Json) -> Iterator[str]:
    names: dict[str, Json] = answer["neighbours"]
    for edges, end, direction in ((answer["edges_out"], "dst", 0), (answer["edges_in"], "src", 1)):
        by_words: dict[str, list[str]] = {}
        for edge in edges:
            words = _EDGES.get(edge["kind"], (edge["kind"].replace("_", " "),) * 2)[direction]
            other = names.get(edge[end])
            by_words.setdefault(words, []).append(edge[end] if other is None else other["label"])
        for words, others in by_words.items():
            more = f" and {len(others) - _NAMED_MOST:,} more" if len(others) > _NAMED_MOST else ""
            yield f"  {words} {printable(', '.join(others[:_NAMED_MOST]))}{more}"


def _frame(frame: Json, paths: bool) -> str:
    place = (f"{frame['file']}:{frame['line']}" if frame["line"] else frame["file"]) if paths else frame["short"]
    return f"{place} in {frame['function']}"


def _change(change: Json) -> str:
    return " ".join(str(change[key]) for key in ("change", "state", "operation") if change.get(key))


def _clock(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%H:%M:%S")
