# SPDX-License-Identifier: Apache-2.0
"""Timers that will end a wait: a wait with a deadline is never a deadlock."""

from __future__ import annotations

import gc
from typing import cast

from ..internals import asyncio_core as internals
from ..internals.await_chain import Entered


def earliest(managers: list[Entered], but: tuple[type[object], ...] = ()) -> float | None:
    """The loop time of the first timer among the context managers around a wait; None where there is none.

    Any manager that refers to a pending timer counts, not only `asyncio.timeout`: `async_timeout` looks the same.
    Counting one too many only makes a verdict more careful. `but`: types of managers whose deadlines are read another
    way.
    """
    found: float | None = None
    for entered in managers:
        if but and issubclass(type(entered.manager), but):
            continue
        for referent in gc.get_referents(entered.manager):
            candidates: list[object] = [referent]
            if type(referent) is dict:
                candidates = list(cast("dict[object, object]", referent).values())
            for candidate in candidates:
                deadline = internals.timer_deadline(candidate)
                if deadline is not None and (found is None or deadline < found):
                    found = deadline
    return found
