# SPDX-License-Identifier: Apache-2.0
"""Connections and child processes as nodes: what they lead to, read once when somebody first waits for them."""

from __future__ import annotations

from asyncio import subprocess
from typing import Any, NamedTuple

from ... import semconv
from ...model import AttributeValue
from ..internals import asyncio_io as io_internals
from ..internals.asyncio_io import Endpoint


class Known(NamedTuple):
    """Name and unchanging attributes of a node."""

    name: str
    attributes: dict[str, AttributeValue]


def transport(thing: object) -> Known:
    return _known(io_internals.transport_endpoint(thing))


def connection(thing: Any) -> Known:
    return _known(io_internals.socket_endpoint(thing))


def command(process: subprocess.Process) -> Known:
    pid = io_internals.process_id(process)
    if pid is None:
        return Known("", {})
    return Known(f"pid {pid}", {semconv.COMMAND_PID: pid})


def _known(endpoint: Endpoint) -> Known:
    attributes: dict[str, AttributeValue] = {}
    name = ""
    if endpoint.fd is not None:
        attributes[semconv.IO_FD] = endpoint.fd
        name = f"fd {endpoint.fd}"
    if endpoint.local is not None:
        name = f"at {endpoint.local}"
    if endpoint.peer is not None:
        attributes[semconv.NETWORK_PEER_ADDRESS] = name = endpoint.peer
        if endpoint.port is not None:
            attributes[semconv.NETWORK_PEER_PORT] = endpoint.port
            name = io_internals.joined(endpoint.peer, endpoint.port)
    return Known(name, attributes)
