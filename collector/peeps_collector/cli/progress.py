# SPDX-License-Identifier: Apache-2.0
"""`peeps progress`: what moves between two looks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .client import Client
from .command import add_json, add_process, seconds

if TYPE_CHECKING:
    from ..config import Config

NAME = "progress"
HELP = "what moves between two looks (exit code 1 if nothing)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("seconds", type=seconds, nargs="?", default=10.0, metavar="SECONDS", help="default 10")
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    from .progress_report import show_progress  # the model and the diagnosis

    return show_progress(Client.of(config), options.process, seconds=options.seconds, as_json=options.json)
