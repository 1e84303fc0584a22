# SPDX-License-Identifier: Apache-2.0
"""Registered providers: whoever owns a transport reports of it. `docs/providers.md` walks through one.

Beside `peeps_otel.register_provider`, everything that a provider needs is importable from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_MODULES = dict.fromkeys(("Peer", "Queue", "Segment", "ShmReport", "Slots"), "shm") | {"ProviderHandle": "registered"}


def __getattr__(name: str) -> object:
    """Loaded by whoever asks for it: the agent asks this folder whether there is a provider at all."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(import_module(f"{__package__}.{_MODULES.get(name, 'rpc')}"))[name]
