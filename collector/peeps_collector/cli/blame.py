# SPDX-License-Identifier: Apache-2.0
"""`peeps blame`: whose code made others wait."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from peeps_otel.report.sentences import duration
from peeps_otel.report.style import Style, table

from .client import Client
from .command import add_json, add_paths, add_process, span

if TYPE_CHECKING:
    from ..config import Config

NAME = "blame"
HELP = "whose code made others wait"

Json = dict[str, Any]

FORMATS = ("table", "folded", "speedscope", "pprof", "otlp")
_HEADER = ("BLAME", "SHARE", "DIRECT", "WAITS", "FOR", "MOST BY", "WHERE THE TIME WENT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=span, default=600, metavar="TIME", help="how far back: 90s, 10m (default), 2h")
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="table, or a profile on standard output")
    parser.add_argument("--all", action="store_true", help="also waits for what has merely not come yet")
    add_process(parser)
    add_paths(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    return blame(
        client,
        options.process,
        options.since,
        options.format,
        as_json=options.json,
        everything=options.all,
        paths=options.paths,
    )


def blame(
    client: Client,
    process: str | None,
    since_s: int,
    form: str,
    *,
    as_json: bool,
    everything: bool,
    paths: bool = False,
) -> int:
    """Prints the table, or the profile as it is (with whole paths); 0. Raises ClientError."""
    parameters: dict[str, str | list[str]] = {
        "process": client.process_ids(process),
        "since_s": str(since_s),
        "all": "1" if everything else "0",
        "format": form,
    }
    if form != "table":
        sys.stdout.flush()
        sys.stdout.buffer.write(client.get_bytes("/api/blame", **parameters))
        sys.stdout.flush()
        return 0
    answer = client.get("/api/blame", **parameters)
    if as_json:
        json.dump(answer, sys.stdout, indent=2)
        print()
        return 0
    print("\n".join(listing(answer, Style(), paths=paths)))
    return 0


def listing(answer: Json, style: Style, most: int = 20, *, paths: bool = False) -> list[str]:
    """The text, line by line. `paths`: whole ones."""
    waiter, holder = ("site", "holder_site") if paths else ("site_short", "holder_short")
    rows: list[Json] = answer["rows"]
    span = duration(answer["now_ns"] - answer["since_ns"])
    if not rows:
        return [f"Nobody made others wait in the last {span}."]
    total: int = answer["total_ns"]
    cells = [
        (
            duration(row["ns"]),
            f"{100 * row['ns'] / total:.0f} %",
            duration(row["direct_ns"]),
            str(row["waits"]),
            ", ".join(row["resources"][:2]),
            row["waiters"][0][waiter] if row["waiters"] else "",
            row[holder],
        )
        for row in rows[:most]
    ]
    lines = table(_HEADER, cells)
    lines[0] = style("bold", lines[0])
    if len(rows) > most:
        lines.append(f"… {len(rows) - most} further places; use --json")
    lines.append(
        f"{duration(total)} of waiting in the last {span}; each is charged to the code that held what was wanted."
    )
    return lines
