# SPDX-License-Identifier: Apache-2.0
"""Locks that are taken in opposite orders, before it ever deadlocks."""

from __future__ import annotations

from ...model import FindingKind, Level
from .rule import OutsideRule


class OrderRisk(OutsideRule):
    """Remembers every order that was ever seen."""

    name = "order_risk"
    kind = FindingKind.ORDER_RISK
    levels = (Level.SLOW,)
    when = (
        "Locks were taken in opposite orders by different tasks, though never at the same time: locks made at one line "
        "count as one, the thread of an event loop as a lock, too. Not where a common lock keeps them apart or where a "
        "wait gives up by itself"
    )
    advice = "Take them in one order everywhere; do not block a loop on what needs it"
    made_in = "peeps_otel.diagnosis.lock_order"
