# SPDX-License-Identifier: Apache-2.0
"""`peeps mcp`: the collector's answers as tools for an agent."""

from __future__ import annotations

import argparse
import ipaddress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .client import Client, ClientError

if TYPE_CHECKING:
    from ..config import Config

NAME = "mcp"
HELP = "tools for an agent, by the Model Context Protocol: over stdio, or --http 127.0.0.1:9140"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--http", metavar="HOST:PORT", help="streamable HTTP at /mcp there, on this machine only")


def run(options: argparse.Namespace, config: Config) -> int:
    """Until its client goes, or Ctrl-C. Raises ClientError where `peeps-collector[mcp]` is not installed."""
    if find_spec("mcp") is None:
        raise ClientError("the package mcp is not installed; pip install 'peeps-collector[mcp]'")
    address = None if options.http is None else _loopback(options.http)
    from ..mcp_server.server import server  # the package mcp

    made = server(Client.of(config))
    if address is None:
        made.run("stdio")
    else:
        made.run("streamable-http", host=address[0], port=address[1])
    return 0


def _loopback(text: str) -> tuple[str, int]:
    """Anybody who reaches it may ask anything, so it is for this machine. Raises ClientError."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ClientError(f"--http {text}: must be an address of this machine, such as 127.0.0.1:9140")
    return host, int(port)
