# SPDX-License-Identifier: Apache-2.0
"""`peeps sql`: one statement over the database."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from peeps_otel.report.style import table

from .client import Client
from .command import JSON_FORMAT, add_paths

if TYPE_CHECKING:
    from ..config import Config

NAME = "sql"
HELP = "ask the database, see docs/schema.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("statement", metavar="STATEMENT", help='such as "SELECT * FROM finding"; - reads it from stdin')
    add_form(parser)
    add_paths(parser)


def add_form(parser: argparse.ArgumentParser) -> None:
    """How rows are printed."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="with a header line")
    form.add_argument("--jsonl", dest="form", action="store_const", const="jsonl", help="one JSON object a row")
    form.add_argument("--json", dest="form", action="store_const", const="json", help="for programs")


def run(options: argparse.Namespace, config: Config) -> int:
    statement = sys.stdin.read() if options.statement == "-" else options.statement
    return sql(Client.of(config), statement, form=options.form or "", paths=options.paths)


def sql(client: Client, statement: str, *, form: str = "", paths: bool = False) -> int:
    """Prints the rows; 0. `form`: csv, jsonl or json, else a table. `paths`: whole ones. Raises ClientError."""
    short_too = not form and not paths
    print_rows(client.post("/api/sql", {"sql": statement, "places": short_too}), form=form, paths=paths)
    return 0


def print_rows(answer: dict[str, Any], *, form: str, paths: bool) -> None:
    """As `sql`."""
    short: dict[str, str] = {} if paths else answer.get("places", {})
    header = [column["name"] for column in answer["columns"]]
    if form:
        _for_programs(form, header, answer)
        return
    rows = [
        ["NULL" if value is None else short.get(text := str(value), text) for value in row] for row in answer["rows"]
    ]
    print("\n".join(table(header, rows)))
    count = len(rows)
    print(f"({count} {'row' if count == 1 else 'rows'}{', more were left out' if answer['truncated'] else ''})")


def _for_programs(form: str, header: list[str], answer: dict[str, Any]) -> None:
    if form == "json":
        json.dump({"format": JSON_FORMAT} | answer, sys.stdout)
        print()
        return
    if form == "csv":
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(answer["rows"])
    else:
        for row in answer["rows"]:
            print(json.dumps(dict(zip(header, row, strict=True))))
    if answer["truncated"]:
        print("peeps: more rows were left out", file=sys.stderr)
