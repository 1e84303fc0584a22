# SPDX-License-Identifier: Apache-2.0
"""`peeps snapshot`: what is known of each process, and with `--now`, a complete snapshot of each, taken at once."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import Style, printable, table

from .client import Client, ClientError
from .command import add_json, add_process

if TYPE_CHECKING:
    from ..config import Config

NAME = "snapshot"
HELP = "a complete snapshot of every process, and who did not answer"

Json = dict[str, Any]

_POLL_S = 0.05
_PATIENCE_S = 15.0  # for the collector to say that it is over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--now", action="store_true", help="have every process take one now; waits for 5 s at most")
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    if options.now:
        return snapshot_now(client, options.process, as_json=options.json)
    return last_snapshots(client, options.process, as_json=options.json)


def snapshot_now(client: Client, process: str | None, *, as_json: bool) -> int:
    """Prints the cut; 0 where all have answered, else 2. Raises ClientError."""
    query = urllib.parse.urlencode({"process": client.process_ids(process)}, doseq=True)
    cut = client.post(f"/api/cuts?{query}", {})
    deadline = time.monotonic() + _PATIENCE_S
    while not cut["over"] and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        cut = client.get("/api/cuts", cut=cut["cut"])
    if not cut["processes"]:
        raise ClientError("no program is connected that could take a snapshot")
    if as_json:
        json.dump(cut, sys.stdout)
        print()
    else:
        print("\n".join(cut_lines(cut, Style())))
    return 0 if cut["complete"] else 2


def cut_lines(cut: Json, style: Style) -> list[str]:
    """The text of a cut, line by line."""
    answered = [part for part in cut["processes"] if part["state"] == "answered"]
    rows = [
        (printable(part["name"]), str(part["sequence"]), f"{max(0, part['time_ns'] - cut['asked_ns']) / 1e6:.0f} ms")
        for part in answered
    ]
    lines = table(("PROCESS", "SNAPSHOT", "TAKEN AFTER"), rows) if rows else []
    if lines:
        lines[0] = style("bold", lines[0])
    for missing in cut["not_answered"]:
        lines.append(style("yellow", f"Not answered: {printable(missing['text'])}."))
    return lines


def last_snapshots(client: Client, process: str | None, *, as_json: bool) -> int:
    """Prints the last snapshot of each process; 0. Raises ClientError."""
    ids = client.process_ids(process)
    known: list[Json] = [p for p in client.get("/api/processes")["processes"] if not ids or p["id"] in ids]
    known = [one for one in known if one["state"] != "foreign"]
    if as_json:
        json.dump({"processes": known}, sys.stdout)
        print()
        return 0
    rows = [
        (
            f"{printable(one['service'])} (pid {one['pid']})",
            one["state"],
            str(one["sequence"]),
            f"{one['last_seen_ago']} ago",
            str(one["nodes"]),
        )
        for one in known
    ]
    lines = table(("PROCESS", "STATE", "SNAPSHOT", "SEEN", "NODES"), rows) if rows else ["No program is connected."]
    if rows:
        lines[0] = Style()("bold", lines[0])
    print("\n".join(lines))
    return 0
