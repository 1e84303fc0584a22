# SPDX-License-Identifier: Apache-2.0
"""`peeps head`: answers for all collectors of a lake, and looks for what is stuck across them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .command import add_config, add_ready_file

if TYPE_CHECKING:
    from ..config import Config

NAME = "head"
HELP = "answer for all collectors that share a lake; of several one does, the others wait"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--explorer", action="store_true", help="start the explorer, too")
    add_config(parser)
    add_ready_file(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    """0 after a clean end, 1 where another one has the lead meanwhile, 2 where it could not start."""
    from ..config import ConfigError

    if config.lake is None:
        raise ConfigError("PEEPS_LAKE must say which lake: docs/lake.md")
    from .lead import lead  # the whole server

    return lead(config, config.lake, explorer=options.explorer, ready_file=options.ready_file)
