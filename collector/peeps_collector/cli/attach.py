# SPDX-License-Identifier: Apache-2.0
"""`peeps attach`: needs no collector, only the process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from peeps_otel.attach import arguments

from .client import ClientError

if TYPE_CHECKING:
    from ..config import Config

NAME = "attach"
HELP = arguments.HELP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    """1 where something is stuck, 2 where nothing is and a process could not be judged, else 0."""
    del config
    from peeps_otel.attach.command import run as attach  # the part that looks

    try:
        return attach(options)
    except OSError as error:
        raise ClientError(str(error)) from None
