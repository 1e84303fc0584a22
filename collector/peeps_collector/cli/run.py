# SPDX-License-Identifier: Apache-2.0
"""`peeps run`: a program that says itself what is stuck in it. The core does it; no collector is asked."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import Config

NAME = "run"
HELP = "run a program that says on its stderr when it is stuck: peeps run -- python app.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.prefix_chars = "\0"  # options are the core's, whose command has words of its own behind them
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[OPTIONS] -- COMMAND …", help="peeps run -- --help")


def run(options: argparse.Namespace, config: Config) -> int:
    """Becomes the core's own command, in this process."""
    del config
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "peeps_otel.run", *options.words])
