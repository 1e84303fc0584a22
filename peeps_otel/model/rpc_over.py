# SPDX-License-Identifier: Apache-2.0
"""By which a response and the wait for it know that they are of one connection within a host."""

from __future__ import annotations


def rpc_over(end: str) -> str:
    """The value of `peeps.rpc.over`, by the name of the client's end: `…/tcp/CLIENT:PORT>SERVER:PORT`. Empty for what
    is no such name. Without the server's address: of its own a server may know the port alone."""
    client, _, server = end.partition(">")
    return f"{client}>{server.rpartition(':')[2]}" if server else ""
