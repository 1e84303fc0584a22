# SPDX-License-Identifier: Apache-2.0
"""Who reads the answer of a call whose span another task has begun: the task that has the span in its hands.

The stock instrumentation of `grpc.aio` begins the span of a stream in a task that ends at once, and leaves it to an
async generator, which whoever reads the stream steps. That one is suspended in a frame with the span in a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import ref

from ..probes import runtime
from .live_spans import LiveSpan

_TASKS_MOST = 2000
_TRIES = 5
_AT_ONCE = 50


@dataclass(slots=True)
class _Sought:
    """Of one span. `tries`: looks that have not found who has it, since it was last seen with somebody."""

    task: ref[Any] | None = None
    tries: int = 0


class Carriers:
    """For the watcher thread only. Asked of a few spans, five looks long, among 2000 tasks at most."""

    def __init__(self) -> None:
        self._sought: dict[int, _Sought] = {}

    def look(self, left: Mapping[int, LiveSpan], pause: Callable[[], None]) -> None:
        """`left`: unfinished spans, by their ids, whose tasks have ended."""
        self._sought = {span_id: self._sought.get(span_id, _Sought()) for span_id in left}
        wanted: dict[int, int] = {}
        for span_id, sought in self._sought.items():
            span = left[span_id].span()
            task = None if sought.task is None else sought.task()
            if task is not None and any(one is span for one in runtime.in_hands(task)):
                continue
            if sought.task is not None:
                sought.task, sought.tries = None, 0
            if span is not None and sought.tries < _TRIES:
                sought.tries += 1
                wanted[id(span)] = span_id
        if wanted:
            self._search(wanted, left, pause)

    def task(self, span_id: int) -> Any:
        """The task that has this span; None where none was found."""
        sought = self._sought.get(span_id)
        return None if sought is None or sought.task is None else sought.task()

    def _search(self, wanted: Mapping[int, int], left: Mapping[int, LiveSpan], pause: Callable[[], None]) -> None:
        for number, reference in enumerate(runtime.task_references()[:_TASKS_MOST]):
            if number % _AT_ONCE == 0:
                pause()
            task = reference()
            if task is None:
                continue
            for one in runtime.in_hands(task):
                span_id = wanted.get(id(one))
                if span_id is not None and left[span_id].span() is one:
                    self._sought[span_id].task = ref(task)
            del task
