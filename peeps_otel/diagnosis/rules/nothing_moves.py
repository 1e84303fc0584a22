# SPDX-License-Identifier: Apache-2.0
"""Nothing in the process moves any more."""

from __future__ import annotations

from ...model import FindingKind, Level
from .rule import OutsideRule
from .tunable import seconds


class NothingMoves(OutsideRule):
    """Needs what moved since the look before, the callbacks of the loops and the sockets of the process."""

    name = "nothing_moves"
    kind = FindingKind.NOTHING_MOVES
    levels = (Level.SUSPECT,)
    when = (
        "No task or thread of the program has gone on for {still} (one that asks again and again "
        "for what only code of the program changes makes no move), and no timer, "
        "socket, signal or running code is in sight that would make one; said only where nothing better is known"
    )
    advice = "Open the line and find who should end that wait"
    made_in = "peeps_otel.watcher.standstill"

    still = seconds(15, "how long nothing must have moved")
