# SPDX-License-Identifier: Apache-2.0
"""By which a collector asks a process for one end of a connection or pipe, of which it knows the name."""

from __future__ import annotations

import hashlib


def end_digest(name: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
