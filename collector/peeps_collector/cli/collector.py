# SPDX-License-Identifier: Apache-2.0
"""`peeps collector`: the collector alone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .command import add_config, add_ready_file

if TYPE_CHECKING:
    from ..config import Config

NAME = "collector"
HELP = "run the collector only"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_ready_file(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    from .serve import serve  # the whole server

    return serve(config, explorer=False, ready_file=options.ready_file)
