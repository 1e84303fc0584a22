# SPDX-License-Identifier: Apache-2.0
"""What is told of somebody who asks again and again. Apart from what finds that out, loaded when somebody may do so."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

Run = tuple[Any, ...]
"""What is one and the same as long as one run of a loop lasts; refers to nothing of the program but weakly. Of a
thread, a later run of the loop may look the same."""


class Asks(StrEnum):
    """Whom a loop asks whether it may end: the state of the program, which only its own code changes; code that may
    ask anybody; or it tries again what has raised."""

    STATE = "state"
    CODE = "code"
    AGAIN = "again"


class Poll(NamedTuple):
    """A run of a loop. `at`: `path:line` in the program's own code, empty where it has none there. `catches`: of one
    that tries again what has raised, the names of that."""

    run: Run
    asks: Asks
    catches: str
    at: str
