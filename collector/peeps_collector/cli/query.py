# SPDX-License-Identifier: Apache-2.0
"""`peeps query`: questions with a name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from peeps_otel.report.style import table

from .client import Client
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
    parser.add_argument("--sql", action="store_true", help="print its statement, ask nothing")
    add_form(parser)
    add_process(parser)
    add_paths(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    client = Client.of(config)
    if options.name is None or options.sql:
        known = client.get("/api/query")["queries"]
        if options.name is None:
            print("\n".join(table(["NAME", "ANSWERS"], [[one["name"], one["text"]] for one in known])))
            return 0
        found = next((one["sql"] for one in known if one["name"] == options.name), None)
        if found is not None:
            print(found.strip())
            return 0
    asked: dict[str, str | list[str]] = {"limit": str(options.limit), "process": client.process_ids(options.process)}
    if options.at is not None:
        asked["at"] = str(options.at)
    answer = client.get(f"/api/query/{options.name}", **asked)
    print_rows(answer, form=options.form or "", paths=options.paths)
    return 0
