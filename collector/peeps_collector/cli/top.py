# SPDX-License-Identifier: Apache-2.0
"""`peeps top`: live in a terminal."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .client import Client, ClientError
from .command import add_process

if TYPE_CHECKING:
    from ..config import Config

NAME = "top"
HELP = "what is stuck and who waits for what, live: findings, tasks, locks, pools, requests"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    """Until q. Raises ClientError where `peeps-collector[top]` is not installed, or this is no terminal."""
    if find_spec("textual") is None:
        raise ClientError("the package textual is not installed; pip install 'peeps-collector[top]'")
    if not sys.stdout.isatty():
        raise ClientError("this is no terminal; `peeps why --watch` says the verdict again and again")
    client = Client.of(config)
    client.process_ids(options.process)  # says now what is wrong
    from ..top.screen import Top  # the package textual

    Top(client, options.process).run()
    return 0
