# SPDX-License-Identifier: Apache-2.0
"""Where tasks of uvloop are created. Its `create_task` is C and cannot be rewritten, so a function stands in front of
it, but only while there is something left of the allowance: a sustained rate of creations pays nothing.

`uvloop.Loop` is a Python class over the C one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from ...model.change import Change
from ..internals import versions
from ..internals.asyncio_core import getframe
from .recorder import Recorder

CHECKED_ON = versions.on("uvloop")

CHANGES = (
    Change(
        "`uvloop.Loop.create_task`",
        "a method in front of the one in C: where, when and by whom a task was made",
        "when the program imports uvloop, while there is something left of the allowance",
        "deleted when the allowance is used up, and when recording ends",
        "`PEEPS_RECORD`, `PEEPS_PROBE_ASYNCIO`",
    ),
)


def install(recorder: Recorder) -> tuple[list[Callable[[], None]], list[str]]:
    """Returns how to undo it, and what was left alone and why. `uvloop` must have been imported."""
    found: object = getattr(sys.modules.get("uvloop"), "Loop", None)
    if not isinstance(found, type) or "create_task" in vars(found) or not hasattr(found, "create_task"):
        return [], ["not recorded: uvloop.Loop is not the class it was"]
    loop_class = cast("Any", found)
    create_in_c, left, created = loop_class.create_task, recorder.tasks.left, recorder.created

    def step_aside() -> None:
        if loop_class.__dict__.get("create_task") is create_task:
            del loop_class.create_task

    def create_task(self: Any, coro: Any, **options: Any) -> Any:
        task = create_in_c(self, coro, **options)
        try:
            task._peeps_origin = created(self, getframe(1), left.pop())
            if not left:
                step_aside()
        except IndexError:
            step_aside()
        except Exception:  # noqa: S110  the program has its task; to log here would be to interfere
            pass
        return task

    def step_forward() -> None:
        """Unless somebody else has put something there in the meantime."""
        if left and "create_task" not in loop_class.__dict__:
            loop_class.create_task = create_task

    def undo() -> None:
        recorder.refilled.remove(step_forward)
        step_aside()

    recorder.refilled.append(step_forward)
    step_forward()
    return [undo], []
