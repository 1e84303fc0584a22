# SPDX-License-Identifier: Apache-2.0
"""One answer of the collector for all viewers who ask the same within a moment."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

KEPT_S = 0.9
"""A little less than the second after which a page asks again, so that each time it gets a new answer, and all viewers
together ask hardly more often than one."""
_MOST = 64

Answer = dict[str, Any]


class SharedAnswers:
    """Thread-safe. An answer is everybody's: nobody may change it. `kept_s`: for how long it is as good as new."""

    def __init__(self, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.kept_s = kept_s
        self._clock = clock
        self._lock = threading.Lock()
        self._questions: OrderedDict[str, _Question] = OrderedDict()

    def get(self, key: str, ask: Callable[[Answer | None], Answer], ticks: int = 1) -> Answer:
        """The kept answer, else that of `ask`, which gets the one that was kept before. Who comes while it is being
        asked waits for that one. What `ask` raises is raised and not kept. `ticks`: of a page that asks less often, how
        many times as long it is as good as new."""
        with self._lock:
            question = self._questions.setdefault(key, _Question())
            self._questions.move_to_end(key)
            if len(self._questions) > _MOST:
                self._questions.popitem(last=False)
        with question.asking:
            if question.answer is None or self._clock() - question.at_s >= self.kept_s * ticks:
                before, question.answer = question.answer, None
                question.answer = ask(before)
                question.at_s = self._clock()
            return question.answer


class _Question:
    def __init__(self) -> None:
        self.asking = threading.Lock()
        self.answer: Answer | None = None
        self.at_s = 0.0
