# SPDX-License-Identifier: Apache-2.0
"""The `peeps` command: arguments in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..config import Config, ConfigError
from ..version import __version__
from . import blame, calls, collector, db, progress, ps, snapshot, sql, up, why
from .client import ClientError
from .command import Command

COMMANDS: tuple[Command, ...] = (up, collector, why, ps, calls, snapshot, progress, blame, sql, db)
"""Every command, in the order of the help."""

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
  peeps calls              the requests in flight: sent when, to whom, handled by what
  peeps snapshot --now     every process takes a complete snapshot; who does not answer is told
  peeps progress 30        how many tasks advance within 30 seconds, and which do not
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. 0: fine, 1: something is stuck (`why`), 2: it could not be done."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command.run(options, Config.load(getattr(options, "config", None), os.environ))
    except (ConfigError, ClientError) as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `peeps ps | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="peeps",
        description="Who waits for whom in running Python services, and what is stuck.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"peeps {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(command.NAME, help=command.HELP)
        command.add_arguments(own)
        own.set_defaults(command=command)
    return parser
