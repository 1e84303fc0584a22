# SPDX-License-Identifier: Apache-2.0
"""Full queues that nobody empties."""

from __future__ import annotations

from ...model import FindingKind, NodeKind
from .starvation import Starvation


class ChannelFull(Starvation):
    """See `Starvation`. Rings that close through a full channel are found by `Deadlock` and carry this kind, too."""

    name = "channel_full"
    kind = FindingKind.CHANNEL_FULL
    of = NodeKind.TX
    when = (
        "Somebody has waited {waited} to put into a full queue, and whoever has it in his hands is stuck or nobody has"
    )
    advice = "Take from it in a task of its own; put with a timeout, or drop"
