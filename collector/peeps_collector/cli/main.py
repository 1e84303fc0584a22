# SPDX-License-Identifier: Apache-2.0
"""The `peeps` command: arguments in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..config import Config, ConfigError
from ..version import __version__
from . import (
    attach,
    blame,
    calls,
    collector,
    completion,
    db,
    diff,
    dump,
    findings,
    head,
    mcp,
    open,
    progress,
    ps,
    query,
    run,
    show,
    snapshot,
    sql,
    top,
    up,
    why,
)
from .client import ClientError
from .command import Command

COMMANDS: tuple[Command, ...] = (
    *(up, collector, run, why, attach, findings, ps, show, calls, snapshot, progress, blame, dump, diff, query, sql),
    *(open, db, head, mcp, top),
    completion,
)
"""Every command, in the order of the help."""

_EXAMPLES = """\
environment:
  PEEPS_LISTEN  where programs push      127.0.0.1:9119
  PEEPS_API     the query API            127.0.0.1:9130
  PEEPS_HTTP    the explorer             127.0.0.1:9120
  PEEPS_DB      the database file        peeps.duckdb

examples:
  peeps up                 collector and explorer
  peeps run -- python app.py   without a collector: it says on its stderr when it is stuck
  peeps why                what is stuck, and why; exit code 1 if something is, 0 if not
  peeps why --wait 30      the same, but give it 30 seconds to get stuck
  peeps attach 4711        the same of a Python process that was started without us
  peeps ps                 what every task waits for, longest wait first
  peeps show worker-a      all about one task
  peeps findings           what is stuck, and what was
  peeps calls              the requests in flight: sent when, to whom, handled by what
  peeps snapshot --now     every process takes a complete snapshot; who does not answer is told
  peeps progress 30        how many tasks advance within 30 seconds, and which do not
  peeps dump --all a.peeps the whole picture as a file; peeps why a.peeps reads it, peeps diff a.peeps b.peeps compares
  peeps open a.peeps       a dump, or a recording, in an explorer of its own
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. 0: fine, 1: something is stuck (`why`), 2: it could not be done."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    if not words:
        parser.print_help()
        return 2
    if wrong := _misspelt(words[0]):
        print(f"peeps: {wrong}", file=sys.stderr)
        return 2
    options = parser.parse_args(words)
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


def _misspelt(word: str) -> str:
    """What to say of a word that is no command; empty where it is one, or an option."""
    names = [command.NAME for command in COMMANDS]
    if word in names or word.startswith("-"):
        return ""
    from difflib import get_close_matches

    near = get_close_matches(word, names, 1, 0.5)
    meant = f"did you mean `peeps {near[0]}`?" if near else f"there are {', '.join(names)}"
    return f"no command is called {word!r}; {meant}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="peeps",
        description="Who waits for whom in running Python services, and what is stuck.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"peeps {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    each: dict[str, argparse.ArgumentParser] = {}
    for command in COMMANDS:
        own = each[command.NAME] = commands.add_parser(command.NAME, help=command.HELP)
        command.add_arguments(own)
        own.set_defaults(command=command, parsers=each)  # all of them, for `completion`
    return parser
