# SPDX-License-Identifier: Apache-2.0
"""`peeps diff`: two dumps of the same program, and what moved between them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .command import add_json

if TYPE_CHECKING:
    from ..config import Config

NAME = "diff"
HELP = "what moved between two dumps, and what did not (exit code 1 if something stuck has stayed)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help="a file of `peeps dump`")
    parser.add_argument("after", metavar="B", help="a later one of the same processes")
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    del config
    from .dump_difference import show_difference  # the model and the diagnosis

    return show_difference(options.before, options.after, as_json=options.json)
