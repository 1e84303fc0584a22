# SPDX-License-Identifier: Apache-2.0
"""`peeps db`: looks at a database file, exports it, or writes it anew, while no collector has it."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import Config
    from ..store.upkeep import FileInfo

NAME = "db"
HELP = "look at the database file, export it, or write it anew; the collector must be stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("info", "export", "vacuum"), help="export: every table as Parquet")
    parser.add_argument("file", nargs="?", help="the database file (PEEPS_DB)")
    parser.add_argument("folder", nargs="?", help="export: the folder to make (FILE-export)")
    parser.add_argument("--json", action="store_true", help="info for programs")


def run(options: argparse.Namespace, config: Config) -> int:
    from ..store.file import StoreError
    from ..store.upkeep import export, info, vacuum

    path: str = options.file or config.database
    try:
        if options.what == "info":
            _show(info(path), as_json=options.json)
        elif options.what == "export":
            for file in export(path, options.folder or f"{path}-export"):
                print(file)
        else:
            before, after = vacuum(path)
            print(f"{path}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
    except StoreError as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    return 0


def _show(found: FileInfo, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print(json.dumps(asdict(found)))
        return
    print(
        f"{found.path}  {found.bytes / 1e6:.1f} MB, write-ahead log {found.log_bytes / 1e6:.1f} MB, "
        f"journal {found.journal_bytes / 1e6:.1f} MB"
    )
    created = found.meta.get("created_ns", "")
    print(
        f"schema version {found.meta.get('schema_version', '?')}, created by {found.meta.get('created_by', '?')}"
        + (f" on {_time(int(created))}" if created.isdecimal() else "")
    )
    for table in found.tables:
        since = f"  {_time(table.oldest_ns)} to {_time(table.newest_ns)}" if table.oldest_ns and table.newest_ns else ""
        print(f"{table.name:14}{table.rows:>12,} rows{since}")


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
