# SPDX-License-Identifier: Apache-2.0
"""`peeps findings`: what is open, and what has ended, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import Style, printable

from .client import Client
from .columns import fitted, terminal_width
from .command import JSON_FORMAT, add_json, add_process, span
from .folding import folded

if TYPE_CHECKING:
    from ..config import Config

NAME = "findings"
HELP = "all findings, those that are open and those that have ended"

Json = dict[str, Any]

_HEADER = ("ID", "STATE", "ENDED", "FINDING")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=span, default=86_400, metavar="SPAN", help="ended within 90s, 10m, 2h (24h)")
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    answer = client.get("/api/findings", process=client.process_ids(options.process), history="1")
    oldest_ns = answer["now_ns"] - options.since * 1_000_000_000
    found: list[Json] = [
        one for one in answer["findings"] if one["state"] == "open" or one["last_seen_ns"] >= oldest_ns
    ]
    if options.json:
        json.dump({"format": JSON_FORMAT, "now_ns": answer["now_ns"], "findings": found}, sys.stdout)
        print()
    else:
        print("\n".join(listing(found, Style(), terminal_width())))
    return 0


def listing(found: list[Json], style: Style, width: int | None) -> list[str]:
    """The text, line by line."""
    if not found:
        return ["No finding is open, and none has ended in that time."]
    rows = [
        (
            one["id"],
            one["state"],
            f"{one['ended_ago']} ago" if one.get("ended_ago") else "",
            f"{one['headline']}: {one['title']}",
        )
        for one in found
    ]
    lines = fitted([_HEADER, *rows], None)
    if width is not None and max(map(len, lines)) > width:
        # What was found is what a reader is here for: below the rest it is not cut.
        lines = fitted([_HEADER[:-1], *(row[:-1] for row in rows)], width)
        told = [folded([f"  {printable(row[-1])}"], width) for row in rows]
        lines[1:] = [part for head, parts in zip(lines[1:], told, strict=True) for part in (head, *parts)]
    return [style("bold", lines[0]), *lines[1:], "`peeps show ID` tells all about one."]
