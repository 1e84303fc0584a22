# SPDX-License-Identifier: Apache-2.0
"""Tasks that nothing which can still run is able to wake."""

from __future__ import annotations

from ...model import FindingKind, Level
from .rule import OutsideRule


class Leak(OutsideRule):
    """The proof is made on the heap of the process, on request."""

    name = "leak"
    kind = FindingKind.LEAK
    levels = (Level.PROVEN, Level.LIKELY)
    when = (
        "On request (`peeps why --leaks`): nothing that can still run reaches what a task waits for. LIKELY where part "
        "of the heap could not be searched, or where nothing refers to the task itself: the garbage collector will "
        "destroy it"
    )
    advice = "Cancel the task; keep a reference to who should wake it"
    made_in = "peeps_otel.diagnosis.leaks"
