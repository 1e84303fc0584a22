# SPDX-License-Identifier: Apache-2.0
"""Workers of a `multiprocessing.Pool` that end as soon as they start: the pool starts others, again and again. And a
pool in which nobody takes their results any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import semconv
from ..model import AttributeValue
from .identity import Identities
from .internals import sharing

_EVERY_NS = 1_000_000_000
_IN_A_ROW = 4
_SEEN_MOST = 1000


@dataclass(slots=True)
class _Workers:
    """`numbers`: those that were there at the last look. `ended`: how many were seen that are there no more, since
    `since_ns`, when all had been replaced for the first time. `in_a_row`: at how many looks all of them were new."""

    looked_ns: int = 0
    numbers: set[int] = field(default_factory=set[int])
    ended: int = 0
    in_a_row: int = 0
    since_ns: int = 0


class PoolWorkers:
    """For the watcher thread only. Looks once a second, while somebody waits for a result of the pool."""

    def __init__(self) -> None:
        self._known: Identities[_Workers] = Identities()

    def of(self, result: Any, now_ns: int) -> dict[str, AttributeValue]:
        """What to say of a result, or of a pool; empty where its workers live, or are to be replaced now and then."""
        pool = sharing.pool_of(result)
        if sharing.results_have_ended(pool):
            return {semconv.POOL_RESULTS_ENDED: True}
        numbers = sharing.worker_numbers(pool)
        if not numbers:
            return {}
        known = self._known.get(pool)
        if known is None:
            known = _Workers()
            self._known.put(pool, known)
        if now_ns - known.looked_ns >= _EVERY_NS:
            _note(known, numbers, now_ns)
        if known.in_a_row < _IN_A_ROW:
            return {}
        said: dict[str, AttributeValue] = {
            semconv.POOL_WORKERS_ENDED: known.ended,
            semconv.POOL_WORKERS_END_SINCE: known.since_ns,
        }
        begins = sharing.initializer(pool)
        return said | ({semconv.POOL_INITIALIZER: begins} if begins else {})


def _note(known: _Workers, numbers: set[int], now_ns: int) -> None:
    before, known.numbers, known.looked_ns = known.numbers, numbers, now_ns
    gone = len(before - numbers)
    if not before or gone < len(before):
        known.in_a_row = known.ended = 0
        return
    known.since_ns = known.since_ns if known.in_a_row else now_ns
    known.in_a_row += 1
    known.ended = min(known.ended + gone, _SEEN_MOST)
