# SPDX-License-Identifier: Apache-2.0
"""`peeps up`: the collector and the explorer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .command import add_config, add_ready_file

if TYPE_CHECKING:
    from ..config import Config

NAME = "up"
HELP = "run the collector and the explorer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-explorer", dest="explorer", action="store_false", help="the collector only")
    add_config(parser)
    add_ready_file(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    from .serve import serve  # the whole server

    return serve(config, explorer=options.explorer, ready_file=options.ready_file)
