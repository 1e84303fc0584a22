# SPDX-License-Identifier: Apache-2.0
"""For which tasks source lines are resolved where that makes frame objects (`internals/suspended_at.py` says where it
does not): half a kilobyte and more for each function, until the coroutine ends.

Those that wait for what somebody may hold, or hold something, may become part of a finding: theirs go first. Of the
others, the first few thousand tell what the rest is like.
"""

from __future__ import annotations

from typing import Protocol

_CALM = 5
_ALL = 1 << 40
_RESERVE = 100  # a look, of tasks that matter, whatever the budget


class Lined(Protocol):
    """A task that may have lines. `matters`: they go first."""

    @property
    def has_lines(self) -> bool: ...
    @has_lines.setter
    def has_lines(self, is_so: bool) -> None: ...
    @property
    def matters(self) -> bool: ...
    @matters.setter
    def matters(self, is_so: bool) -> None: ...


class LineBudget:
    """For the watcher thread only. `most`: tasks with lines at a time, of those that matter and of the others each.
    None: lines cost nothing, and all have them; `is_free` says that."""

    def __init__(self, most: int | None) -> None:
        self.is_free = most is None
        self._most = _ALL if most is None else most
        self._lined = [0, 0]
        self.rest = self.first = 0
        """How many more tasks may be given lines in this look: of the others, of those that matter."""
        self._reserve = 0

    def begin(self, with_lines: bool, hurries: bool = True) -> None:
        """A new look. `with_lines`: False where all is being shed that can be. `hurries`: False where it takes its
        time, a fifth as many in each look."""
        rest, first = self._lined
        most = self._most if hurries else self._most // _CALM
        self.rest = max(0, min(most // 10 + 1, self._most - rest)) if with_lines else 0
        self.first = max(0, min(most // 4 + 1, self._most - first)) if with_lines else 0
        self._reserve = min(_RESERVE, self._most)

    def grants(self, matters: bool, holds: bool) -> bool:
        """Whether one more task may be given lines."""
        if not matters:
            return self.rest > 0
        return self.first > 0 or (self._reserve > 0 and (holds or not self._lined[1]))

    def note(self, task: Lined, matters: bool, lined: bool) -> None:
        """A task was read, or is gone: also one that had lines before is work again."""
        if task.has_lines:
            self._lined[task.matters] -= 1
        task.matters, task.has_lines = matters, lined
        if not lined:
            return
        self._lined[matters] += 1
        if not matters:
            self.rest -= 1
        elif self.first > 0:
            self.first -= 1
        else:
            self._reserve -= 1
