# SPDX-License-Identifier: Apache-2.0
"""`peeps sql`: one statement over the database."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from peeps_otel.report.style import table

from .client import Client
from .command import add_json, add_paths

if TYPE_CHECKING:
    from ..config import Config

NAME = "sql"
HELP = "ask the database, see docs/schema.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("statement", metavar="STATEMENT", help='for example "SELECT * FROM finding"')
    add_json(parser)
    add_paths(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    return sql(Client.of(config), options.statement, as_json=options.json, paths=options.paths)


def sql(client: Client, statement: str, *, as_json: bool, paths: bool = False) -> int:
    """Prints the rows; 0. `paths`: whole ones. Raises ClientError."""
    short_too = not as_json and not paths
    answer = client.post("/api/sql", {"sql": statement, "places": short_too})
    short: dict[str, str] = answer.get("places", {})
    if as_json:
        json.dump(answer, sys.stdout)
        print()
        return 0
    header = [column["name"] for column in answer["columns"]]
    rows = [
        ["NULL" if value is None else short.get(text := str(value), text) for value in row] for row in answer["rows"]
    ]
    print("\n".join(table(header, rows)))
    count = len(rows)
    print(f"({count} {'row' if count == 1 else 'rows'}{', more were left out' if answer['truncated'] else ''})")
    return 0
