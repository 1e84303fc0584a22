# SPDX-License-Identifier: Apache-2.0
"""Semaphores none of whose holders goes on."""

from __future__ import annotations

from ...model import FindingKind, NodeKind
from .starvation import Starvation


class SemaphoreStarved(Starvation):
    """See `Starvation`."""

    name = "semaphore_starved"
    kind = FindingKind.SEMAPHORE_STARVED
    of = NodeKind.SEMAPHORE
    when = (
        "A permit has been waited for {waited}, and all who hold one wait for something that does not come, or are not "
        "alive any more"
    )
    advice = "Do not hold a permit across a wait that may not end; put a timeout on what is done with one"
