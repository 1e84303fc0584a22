# SPDX-License-Identifier: Apache-2.0
"""Under which URL the other members reach this one."""

from __future__ import annotations

import socket

from ..config import Config

_ANY = {"0.0.0.0", "::", "[::]"}


def url_of(config: Config, address: str) -> str:
    """Of `host:port`, where it listens. Who listens on every address goes by PEEPS_LAKE_HOST, or the machine's name."""
    host, _, port = address.rpartition(":")
    if config.lake_host:
        host = f"[{config.lake_host}]" if ":" in config.lake_host else config.lake_host
    elif host in _ANY:
        host = socket.getfqdn()
    return f"{'http' if config.tls is None else 'https'}://{host}:{port}"
