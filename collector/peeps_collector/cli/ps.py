# SPDX-License-Identifier: Apache-2.0
"""`peeps ps`: what every task and thread waits for, those alike in one line, longest wait first."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import Style, printable

from .client import Client
from .columns import fitted, terminal_width
from .command import JSON_FORMAT, add_json, add_paths, add_process, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import Config

NAME = "ps"
HELP = "what every task waits for"

Json = dict[str, Any]

_HEADER = ("PROCESS", "NAME", "STATE", "WAITS FOR", "SINCE", "WHERE", "LINE")
_PROCESS, _STATE, _WHERE, _LINE = 0, 2, 5, 6
_LIMIT = 40
_WIDE = 110  # columns; below, the text of the line has no room
_NEVER = 1 << 63
SORTS: dict[str, Callable[[Json], tuple[Any, ...]]] = {
    "wait": lambda node: (node["wait"]["since_ns"] if node["wait"] else _NEVER,),
    "name": lambda node: (node["label"],),
    "state": lambda node: (_state(node), node["wait"]["since_ns"] if node["wait"] else _NEVER),
    "process": lambda node: (node["process"], node["wait"]["since_ns"] if node["wait"] else _NEVER),
    "site": lambda node: (_place(node), node["wait"]["since_ns"] if node["wait"] else _NEVER),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="of `peeps dump`: show what is in it, ask nobody")
    parser.add_argument(
        "--all", action="store_true", help="also what is neither a task nor a thread, and our own threads"
    )
    parser.add_argument("--sort", choices=sorted(SORTS), default="wait", help="wait (default): the longest first")
    parser.add_argument("--state", metavar="S", help="only those in this state: waiting, running, idle, …")
    parser.add_argument("--site", metavar="TEXT", help="only those whose line has this in it: db.py, db.py:31")
    parser.add_argument("--flat", action="store_true", help="one line each, also where many are alike")
    parser.add_argument(
        "--limit", type=whole_number, default=_LIMIT, metavar="N", help=f"lines at most ({_LIMIT}); 0: all"
    )
    add_paths(parser)
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    """2 where no program is connected."""
    kinds = [] if options.all else ["task", "thread"]
    answer, processes = _dumped(options) if options.file is not None else _connected(options, config)
    nodes: list[Json] = [
        node
        for node in answer["nodes"]
        if (not kinds or (node["kind"] in kinds and not node["telemetry"]))
        and (options.state is None or _state(node) == options.state)
        and (options.site is None or options.site in _place(node))
    ]
    if options.json:
        told = {"format": JSON_FORMAT, "now_ns": answer["now_ns"], "nodes": nodes}
        json.dump(told | {"not_answered": answer["not_answered"]}, sys.stdout)
        print()
    else:
        nodes.sort(key=SORTS[options.sort])
        limit = options.limit or len(nodes)
        listed = Listing(answer, processes, paths=options.paths, flat=options.flat, limit=limit)
        print("\n".join(listed.lines(nodes, Style(), terminal_width())))
    return 0 if answer["processes"] else 2


def _connected(options: argparse.Namespace, config: Config) -> tuple[Json, dict[str, Json]]:
    """All kinds are asked for: the names of what is waited for are among the others."""
    client = Client.of(config)
    answer = client.get("/api/snapshot", process=client.process_ids(options.process), limit="20000")
    return answer, {p["id"]: p for p in client.get("/api/processes")["processes"]}


def _dumped(options: argparse.Namespace) -> tuple[Json, dict[str, Json]]:
    from peeps_otel.dump.answers import processes_by_id, snapshot_answer

    from .dumped import load, say_when

    dump = load(options.file, options.process)
    if not options.json:
        say_when(options.file, dump, time.time_ns())
    return snapshot_answer(dump), processes_by_id(dump)


class Listing:
    """The text of `nodes`, in their order. `processes`: by id; `paths`: whole ones; `flat`: no two in one line."""

    def __init__(
        self, answer: Json, processes: dict[str, Json], *, paths: bool = False, flat: bool = False, limit: int = _LIMIT
    ) -> None:
        self._answer, self._processes = answer, processes
        self._paths, self._flat, self._limit = paths, flat, limit
        self._names = {node["id"]: node["label"] for node in answer["nodes"]}
        self._needs: dict[str, list[str]] = {}
        for edge in answer["edges"]:
            if edge["kind"] == "needs":
                self._needs.setdefault(edge["src"], []).append(edge["dst"])

    def lines(self, nodes: list[Json], style: Style, width: int | None) -> list[str]:
        if not nodes:
            connected = bool(self._answer["processes"])
            return ["Nothing is alive that is asked for." if connected else "No program is connected."]
        groups: dict[tuple[str, ...], list[Json]] = {}
        for node in nodes:
            groups.setdefault(self._alike(node), []).append(node)
        rows = [self._row(members) for members in list(groups.values())[: self._limit]]
        shown = self._columns(rows, width)
        one = rows[0][_PROCESS] if rows and _PROCESS not in shown else ""
        table = [[row[column] for column in shown] for row in (_HEADER, *rows)]
        lines = fitted(table, width, cut_left=shown.index(_WHERE))
        lines[0] = style("bold", lines[0])
        return ([style("dim", f"in {printable(one)}")] if one else []) + lines + self._notes(groups, style)

    def _columns(self, rows: list[tuple[str, ...]], width: int | None) -> list[int]:
        """Those that say something; in a narrow terminal without what can be spared, as what is the same in all."""
        is_narrow = width is not None and width < _WIDE
        spared: set[int] = set() if any(row[_LINE] for row in rows) and not is_narrow else {_LINE}
        if is_narrow and {row[_STATE] for row in rows} == {"waiting"}:
            spared.add(_STATE)
        if is_narrow and len({row[_PROCESS] for row in rows}) == 1:
            spared.add(_PROCESS)
        return [column for column in range(len(_HEADER)) if column not in spared]

    def _alike(self, node: Json) -> tuple[str, ...]:
        """Who is in the same state at the same line for the same thing."""
        wait = node["wait"]
        if self._flat or wait is None:
            return (node["id"],)
        return (node["process"], _state(node), wait["operation"], _place(node), *self._kinds_needed(node))

    def _kinds_needed(self, node: Json) -> list[str]:
        """By name; of futures, timers and the like everybody has his own."""
        needed = self._needs.get(node["id"], [])
        shared = [one for one in needed if one.partition(":")[0] not in {"future", "timer", "io", "task"}]
        named = sorted(self._names.get(one, one) for one in shared)
        return named or sorted({one.partition(":")[0] for one in needed})

    def _row(self, members: list[Json]) -> tuple[str, ...]:
        """The one that has waited longest stands for them all."""
        node = min(members, key=SORTS["wait"])
        process = self._processes.get(node["process"])
        where = node["process"] if process is None else f"{process['service']}/{process['pid']}"
        wait, name = node["wait"], f"{len(members):,} × {node['label']}" if len(members) > 1 else node["label"]
        if wait is None:
            return (where, name, node["state"] or "", "", "", self._is_at(node), "")
        place = wait["source" if self._paths else "short"]
        return (where, name, _state(node), self._waits_for(node), wait["age"], place, wait.get("text", ""))

    def _waits_for(self, node: Json) -> str:
        needs, wait = self._needs.get(node["id"], []), node["wait"]
        things = [self._names.get(other, other) for other in needs]
        target = things[0] if len(things) == 1 else f"{wait['needs']} of {len(things)}" if things else ""
        return f"{wait['operation']} {target}".strip()

    def _is_at(self, node: Json) -> str:
        """The innermost own line of what does not wait; else where it was made."""
        if node["state"] == "idle" and node["kind"] == "thread":
            return ""  # its loop waits for what comes next: no line of the program's is being run
        own = _own(node)
        if own is None:
            return node["source" if self._paths else "short"]
        return f"{own['file']}:{own['line']}" if self._paths else own["short"]

    def _notes(self, groups: dict[tuple[str, ...], list[Json]], style: Style) -> list[str]:
        lines: list[str] = []
        answer, left = self._answer, list(groups.values())[self._limit :]
        if left:
            count = sum(map(len, left))
            lines.append(f"… {count:,} more in {len(left):,} lines; --limit 0 for all, --site or --state for some")
        if answer["truncated"]:
            missing = answer["total_nodes"] - len(answer["nodes"])
            lines.append(f"… {missing:,} further nodes were not asked for; use --process")
        if answer["not_answered"]:
            known = self._processes
            silent = ", ".join(known[p]["service"] if p in known else p for p in answer["not_answered"])
            lines.append(style("yellow", f"Not answered, so this may be old: {printable(silent)}"))
        for process in self._processes.values():
            if over := process.get("over_quota"):
                where = f"{process['service']}/{process['pid']}"
                what = f"not all of its {' and '.join(over['what'])} is kept"
                text = f"{where} sends more than {over['limit']} allows: {what}"
                lines.append(style("yellow", printable(text)))
        return lines


def _own(node: Json) -> Json | None:
    return next((frame for frame in reversed(node["stack"]) if frame.get("own") and frame["line"]), None)


def _state(node: Json) -> str:
    return node["state"] or ("waiting" if node["wait"] else "")


def _place(node: Json) -> str:
    """Where it waits or is, as the program has it."""
    if node["wait"]:
        return str(node["wait"]["source"])
    own = _own(node)
    return str(node["source"]) if own is None else f"{own['file']}:{own['line']}"
