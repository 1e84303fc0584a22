# SPDX-License-Identifier: Apache-2.0
"""Whether a process that says nothing has ended: by its pid, and by the word of its sidecar."""

from __future__ import annotations

from .liveness import is_alive
from .process import Process, State


def by_its_pid(process: Process, state: State) -> State:
    """It is gone when it does not exist any more, and silent as long as it does."""
    alive = is_alive(process.info, process.first_seen_ns, process.image)
    return state if alive is None else State.SILENT if alive else State.GONE


def is_believed(process: Process) -> bool | None:
    """Whether its sidecar is right to say that it has ended. None: once it is silent; anybody may say so of a process
    that is not of this machine, or whose program we cannot tell from the one that replaced it."""
    alive = is_alive(process.info, process.first_seen_ns, process.image)
    if alive is None or (alive and not process.image):
        return True if process.state is State.SILENT else None
    return not alive
