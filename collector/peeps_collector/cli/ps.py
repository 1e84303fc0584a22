# SPDX-License-Identifier: Apache-2.0
"""`peeps ps`: what every task and thread waits for, longest wait first."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import Style, printable, table

from .client import Client
from .command import add_json, add_paths, add_process

if TYPE_CHECKING:
    from ..config import Config

NAME = "ps"
HELP = "what every task waits for"

Json = dict[str, Any]

_HEADER = ("PROCESS", "NAME", "STATE", "WAITS FOR", "SINCE", "WHERE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="also what is neither a task nor a thread, and our own threads"
    )
    add_paths(parser)
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    return ps(Client.of(config), options.process, as_json=options.json, everything=options.all, paths=options.paths)


def ps(client: Client, process: str | None, *, as_json: bool, everything: bool, paths: bool = False) -> int:
    """Prints the table; 0. Raises ClientError."""
    kinds = [] if everything else ["task", "thread"]
    ids = client.process_ids(process)
    # All kinds are asked for: the names of what is waited for are among the others.
    answer = client.get("/api/snapshot", process=ids, limit="20000")
    nodes: list[Json] = [
        node for node in answer["nodes"] if not kinds or (node["kind"] in kinds and not node["telemetry"])
    ]
    if as_json:
        json.dump({"now_ns": answer["now_ns"], "nodes": nodes, "not_answered": answer["not_answered"]}, sys.stdout)
        print()
        return 0
    processes = {p["id"]: p for p in client.get("/api/processes")["processes"]}
    print("\n".join(listing(answer, nodes, processes, Style(), paths=paths)))
    return 0


def listing(
    answer: Json, nodes: list[Json], processes: dict[str, Json], style: Style, *, paths: bool = False
) -> list[str]:
    """The text, line by line. `nodes`: those to show; `processes`: by id; `paths`: whole ones."""
    if not nodes:
        return ["No program is connected." if not answer["processes"] else "No tasks are alive."]
    names = {node["id"]: node for node in answer["nodes"]}
    needs: dict[str, list[str]] = {}
    for edge in answer["edges"]:
        if edge["kind"] == "needs":
            needs.setdefault(edge["src"], []).append(edge["dst"])
    nodes = sorted(nodes, key=lambda node: (node["wait"] is None, node["wait"]["since_ns"] if node["wait"] else 0))
    rows = [_row(node, names, needs.get(node["id"], []), processes, paths) for node in nodes]
    lines = table(_HEADER, rows)
    lines[0] = style("bold", lines[0])
    if answer["truncated"]:
        lines.append(f"… {answer['total_nodes'] - len(answer['nodes'])} further nodes are not shown; use --process")
    if answer["not_answered"]:
        silent = ", ".join(processes[p]["service"] if p in processes else p for p in answer["not_answered"])
        lines.append(style("yellow", f"Not answered, so this may be old: {printable(silent)}"))
    return lines


def _row(
    node: Json, names: dict[str, Json], needs: list[str], processes: dict[str, Json], paths: bool
) -> tuple[str, ...]:
    process = processes.get(node["process"])
    where = node["process"] if process is None else f"{process['service']}/{process['pid']}"
    wait = node["wait"]
    if wait is None:
        return (where, node["label"], node["state"] or "", "", "", _is_at(node, paths))
    things = [names[other]["label"] if other in names else other for other in needs]
    target = things[0] if len(things) == 1 else f"{wait['needs']} of {len(things)}" if things else ""
    what = f"{wait['operation']} {target}".strip()
    return (where, node["label"], node["state"] or "waiting", what, wait["age"], wait["source" if paths else "short"])


def _is_at(node: Json, paths: bool) -> str:
    """The innermost own line of what does not wait; else where it was made."""
    if node["state"] == "idle" and node["kind"] == "thread":
        return ""  # its loop waits for what comes next: no line of the program's is being run
    own = [frame for frame in node["stack"] if frame.get("own") and frame["line"]]
    if not own:
        return node["source" if paths else "short"]
    return f"{own[-1]['file']}:{own[-1]['line']}" if paths else own[-1]["short"]
