# SPDX-License-Identifier: Apache-2.0
"""Registered providers: whoever owns a transport reports of it. `docs/providers.md` walks through one.

Beside `peeps_otel.register_provider`, everything that a provider needs is importable from here.
"""

from .registered import ProviderHandle
from .rpc import Channel, Completion, Connection, Request, RpcReport, Sensitive
from .shm import Peer, Queue, Segment, ShmReport, Slots

__all__ = [
    "Channel",
    "Completion",
    "Connection",
    "Peer",
    "ProviderHandle",
    "Queue",
    "Request",
    "RpcReport",
    "Segment",
    "Sensitive",
    "ShmReport",
    "Slots",
]
