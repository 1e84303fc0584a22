# SPDX-License-Identifier: Apache-2.0
"""The `peeps` command: arguments in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..config import Config, ConfigError
from ..version import __version__

_EXAMPLES = """\
environment:
  PEEPS_LISTEN  where programs push      127.0.0.1:9119
  PEEPS_API     the query API            127.0.0.1:9130
  PEEPS_HTTP    the explorer             127.0.0.1:9120
  PEEPS_DB      the database file        peeps.duckdb

examples:
  peeps up                 collector and explorer
  peeps why                what is stuck, and why; exit code 1 if something is, 0 if not
  peeps why --wait 30      the same, but give it 30 seconds to get stuck
  peeps ps                 what every task waits for, longest wait first
  peeps progress 30        how many tasks advance within 30 seconds, and which do not
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. 0: fine, 1: something is stuck (`why`), 2: it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        config = Config.from_environment(os.environ)
        if options.command in {"up", "collector"}:
            from .serve import serve

            return serve(config, explorer=options.command == "up" and options.explorer, ready_file=options.ready_file)
        return _ask(str(config.api), options)
    except ConfigError as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `peeps ps | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _ask(api: str, options: argparse.Namespace) -> int:
    from .client import Client, ClientError

    client = Client(api)
    try:
        if options.command == "why":
            from .why import why

            notes: list[str] = []
            if options.leaks:
                from .leaks import check

                notes = check(client, options.process)
            code = why(client, options.process, as_json=options.json, wait_seconds=options.wait)
            print("".join(f"\n{note}" for note in notes), end="\n" if notes else "", file=sys.stderr)
            return code
        if options.command == "ps":
            from .ps import ps

            return ps(client, options.process, as_json=options.json, everything=options.all)
        if options.command == "progress":
            from .progress import show_progress

            return show_progress(client, options.process, seconds=options.seconds, as_json=options.json)
        if options.command == "blame":
            from .blame import blame

            return blame(
                client,
                options.process,
                options.since,
                options.format,
                as_json=options.json,
                everything=options.all,
            )
        from .sql import sql

        return sql(client, options.statement, as_json=options.json)
    except ClientError as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="peeps",
        description="Who waits for whom in running Python services, and what is stuck.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"peeps {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="run the collector and the explorer")
    up.add_argument("--no-explorer", dest="explorer", action="store_false", help="the collector only")
    collector = commands.add_parser("collector", help="run the collector only")
    for server in (up, collector):
        server.add_argument("--ready-file", metavar="PATH", help="write the real addresses here (JSON) once listening")

    why = commands.add_parser("why", help="what is stuck, and why (exit code 1 if something is)")
    why.add_argument("--leaks", action="store_true", help="have the programs look for tasks that nothing can wake")
    why.add_argument("--wait", type=_seconds, default=0.0, metavar="SECONDS", help="ask until something is stuck")
    ps = commands.add_parser("ps", help="what every task waits for")
    ps.add_argument("--all", action="store_true", help="also what is neither a task nor a thread")
    progress = commands.add_parser("progress", help="what moves between two looks (exit code 1 if nothing)")
    progress.add_argument("seconds", type=_seconds, nargs="?", default=10.0, metavar="SECONDS", help="default 10")
    blame = commands.add_parser("blame", help="whose code made others wait")
    blame.add_argument("--since", type=_span, default=600, metavar="TIME", help="how far back: 90s, 10m (default), 2h")
    blame.add_argument(
        "--format",
        choices=("table", "folded", "speedscope", "pprof"),
        default="table",
        help="table, or a profile on standard output",
    )
    blame.add_argument("--all", action="store_true", help="also waits for what has merely not come yet")
    for asking in (why, ps, progress, blame):
        asking.add_argument("--process", metavar="P", help="only this process: a pid, a service name or an id")
    sql = commands.add_parser("sql", help="ask the database, see docs/schema.md")
    sql.add_argument("statement", metavar="STATEMENT", help='for example "SELECT * FROM finding"')
    for asking in (why, ps, progress, blame, sql):
        asking.add_argument("--json", action="store_true", help="for programs")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise ValueError(text)
    return seconds


def _span(text: str) -> int:
    """`90s`, `10m`, `2h` or seconds."""
    factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    seconds = int(text[:-1]) * factor if factor else int(text)
    if not 0 < seconds <= 604_800:
        raise ValueError(text)
    return seconds
