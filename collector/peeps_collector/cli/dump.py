# SPDX-License-Identifier: Apache-2.0
"""`peeps dump`: the whole picture that the collector has, as a file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .client import Client, ClientError

if TYPE_CHECKING:
    from ..config import Config

NAME = "dump"
HELP = "write the whole picture to a file, for `peeps why FILE`, `peeps ps FILE`, `peeps diff A B`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", nargs="?", metavar="PROCESS", help="a pid, a service name or an id")
    parser.add_argument("file", metavar="FILE", help="gzipped JSON; docs/dumps.md says what is in it")
    parser.add_argument("--all", action="store_true", help="every process that is connected")
    parser.add_argument("--at", metavar="T", help="as it was then: -90s, -10m, -2h, or Unix nanoseconds; no findings")


def run(options: argparse.Namespace, config: Config) -> int:
    """1 where something is stuck in what was written, 2 where it could not be written, else 0."""
    if options.process is None and not options.all:
        raise ClientError("say which process is to be dumped, by pid or service name, or --all")
    if options.process is not None and options.all:
        raise ClientError(f"either --all or {options.process}, not both")
    from .dump_from_collector import dump_from_collector  # the model

    return dump_from_collector(Client.of(config), options.process, options.file, options.at)
