# SPDX-License-Identifier: Apache-2.0
"""Looks at a test that is about to run out of time, while it still hangs: after the timeout its stack is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import native
from ..model.change import Change

if TYPE_CHECKING:
    from ..local.picture import Picture

CHANGES = (
    Change(
        "a thread that `threading` does not list",
        "waits beside a test that has a time limit, and looks at it before that is reached",
        "with pytest, when a test with a limit begins",
        "ends with the test",
        "`-p no:peeps`",
    ),
)
_LEAD_S = 20.0  # loading what looks takes a second or two on a busy machine, and many verdicts rest on 15 s
_LEAD_SHARE = 0.75
_LOOKING_SHARE = 0.9
_HEAP_S = 10.0  # what rests on the heap is said of waits that are so old; of younger ones where the limit is short
_HEAP_SHARE = 0.4
_ENDING_S = 5.0  # after its limit a test may clean up


class LastLook:
    """One test's. `limit_s`: after so many seconds it will be ended; `over`: called then, on our thread. `looked`:
    called with the verdict as soon as there is one, on our thread. `outlived`: called with it, where the test still has
    not ended some seconds after its limit. `start` and `cancel` from the test's thread.

    `picture`: of a look that was made before the limit; `problem`: why there is none.
    """

    def __init__(
        self,
        limit_s: float,
        over: Callable[[], None] | None = None,
        looked: Callable[[Picture], None] | None = None,
        outlived: Callable[[Picture], None] | None = None,
    ) -> None:
        self._limit_s = limit_s
        self._over = over
        self._looked = looked
        self._outlived = outlived
        self._cancelled = native.Event()
        self._began_s = time.monotonic()
        self.picture: Picture | None = None
        self.problem = ""

    def start(self) -> None:
        try:
            native.Thread(self._run, "peeps-pytest", listed=False).start()
        except RuntimeError as error:  # no more threads
            self.problem = str(error)

    def cancel(self) -> None:
        """The test has ended. What was seen stays."""
        self._cancelled.set()

    def _run(self) -> None:
        lead_s = min(_LEAD_S, self._limit_s * _LEAD_SHARE)
        if self._cancelled.wait(self._limit_s - lead_s):
            return
        self._look(lead_s * _LOOKING_SHARE)
        if self.picture is not None and self._looked is not None and not self._cancelled.is_set():
            self._looked(self.picture)
        left_s = self._began_s + self._limit_s - time.monotonic()
        if not self._cancelled.wait(max(0.0, left_s)) and self._over is not None:
            self._over()
        if self._outlived is None or self._cancelled.wait(_ENDING_S):
            return
        # What it waits for now is what keeps it from ending.
        self._look(_ENDING_S)
        if self.picture is not None and not self._cancelled.is_set():
            self._outlived(self.picture)

    def _look(self, wait_s: float) -> None:
        from ..local.asking import picture

        try:
            picture(wait_s, self._keep, round(min(_HEAP_S, wait_s * _HEAP_SHARE) * 1e9))
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"

    def _keep(self, seen: Picture) -> bool:
        """Whether nobody wants to see another."""
        if self._cancelled.is_set():
            return True
        self.picture = seen
        return False
