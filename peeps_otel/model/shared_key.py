# SPDX-License-Identifier: Apache-2.0
"""By which the same lock is known in several processes: that of a file, of a key of a database, of a manager.

A digest, as paths and keys may tell more than a name does.
"""

from __future__ import annotations

import hashlib

_ON_HOST = "host:"
ELSEWHERE = "whoever has taken it elsewhere"
"""Who could end a wait for one that nobody of this process has."""


def shared_key(parts: tuple[str, ...], on_host: bool) -> str:
    """`on_host`: it means the same to the processes of one host alone."""
    digest = hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:16]
    return f"{_ON_HOST}{digest}" if on_host else digest


def is_on_host(key: str) -> bool:
    return key.startswith(_ON_HOST)
