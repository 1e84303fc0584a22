# SPDX-License-Identifier: Apache-2.0
"""Locks whose holder does not go on."""

from __future__ import annotations

from ...model import FindingKind, NodeKind
from .starvation import Starvation


class LockStarved(Starvation):
    """See `Starvation`."""

    name = "lock_starved"
    kind = FindingKind.LOCK_STARVED
    of = NodeKind.LOCK
    when = (
        "A lock has been waited for {waited}, and its holder waits for something that does not come, or is not alive "
        "any more"
    )
    advice = "Do not hold a lock across a wait that may not end; take it with a `with` block"
