# SPDX-License-Identifier: Apache-2.0
"""Programs that have ended, but do not exit."""

from __future__ import annotations

from ...model import FindingKind, Level
from .rule import OutsideRule


class NeverExits(OutsideRule):
    """What would be another finding, but for the end of the program that waits behind it."""

    name = "never_exits"
    kind = FindingKind.NEVER_EXITS
    levels = (Level.PROVEN, Level.LIKELY, Level.SUSPECT, Level.SLOW)
    when = (
        "The main thread has come to its end (`asyncio.run` closes its loop, the interpreter waits for its threads, "
        "`atexit` runs), and what it waits for is in a wait that nobody ends, or ignores its cancellation"
    )
    advice = "End it before the program ends, by an event or a last item; a daemon thread is not waited for"
    made_in = "peeps_otel.diagnosis.exits"
