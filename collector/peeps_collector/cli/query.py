# SPDX-License-Identifier: Apache-2.0
"""`peeps query`: questions with a name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from peeps_otel.report.style import table

from .client import Client, ClientError
from .command import add_paths, add_process, moment, whole_number
from .sql import add_form, print_rows

if TYPE_CHECKING:
    from ..config import Config

NAME = "query"
HELP = "questions with a name: blockers, channel-pressure, held-longest, …"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the query; none: what there is")
    parser.add_argument("--at", type=moment, metavar="WHEN", help="as it was then: 10m (before now), 14:05, …")
    parser.add_argument("--limit", type=whole_number, default=50, metavar="N", help="rows at most (50)")
    do = parser.add_mutually_exclusive_group()
    do.add_argument("--sql", action="store_true", help="print its statement, ask nothing")
    do.add_argument("--save", metavar="FILE", help="save the statement of FILE (- is stdin) under this name")
    do.add_argument("--delete", action="store_true", help="delete what was saved under this name")
    parser.add_argument("--text", default="", metavar="LINE", help="with --save: what it answers")
    add_form(parser)
    add_process(parser)
    add_paths(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    if options.save is not None or options.delete:
        return _keep(client, options)
    if options.name is None or options.sql:
        known = client.get("/api/query")["queries"]
        if options.name is None:
            print("\n".join(table(["NAME", "ANSWERS"], [[one["name"], one["text"] or "(yours)"] for one in known])))
            return 0
        found = next((one for one in known if one["name"] == options.name), None)
        if found is not None and not found["sql"].strip():
            raise ClientError(found["text"])  # why its file is none
        if found is not None:
            print(found["sql"].strip())
            return 0
    asked: dict[str, str | list[str]] = {"limit": str(options.limit), "process": client.process_ids(options.process)}
    if options.at is not None:
        asked["at"] = str(options.at)
    answer = client.get(f"/api/query/{quote(options.name, safe='')}", **asked)
    print_rows(answer, form=options.form or "", paths=options.paths)
    return 0


def _keep(client: Client, options: argparse.Namespace) -> int:
    if options.name is None:
        raise ClientError("name the query: peeps query NAME --save FILE, or --delete")
    path = f"/api/query/{quote(options.name, safe='')}"
    if options.delete:
        client.delete(path)
        print(f"{options.name} is deleted")
        return 0
    try:
        statement = sys.stdin.read() if options.save == "-" else Path(options.save).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"{options.save} cannot be read: {error}") from None
    client.post(path, {"sql": statement, "text": options.text}, "PUT")
    print(f"saved: peeps query {options.name}")
    return 0
