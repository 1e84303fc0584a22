# SPDX-License-Identifier: Apache-2.0
"""The processor time that may be spent now: a bucket that fills at the rate of the budget, and a bound on any minute.

In the first ten seconds of a process two looks at everything there is must be paid for, so the bucket fills fast. After
that, what is spent in any sixty seconds is at most the budget: the bucket holds what a sudden crowd of tasks costs, and
fills the more slowly, the more of the last sixty seconds' budget is spent. Work that finds it empty waits: it is cut
where the caller asks, however long a look takes then.

A question to the heap is asked of a copy of the process, which is cut as well: it sleeps where it has used what it may.
It is paid from the same sixty seconds as the looks, with all that it takes: of these each of the two may have half
for sure, and what the other leaves. So the bound holds with it, and a dear one lasts for minutes. How often one is
asked is another matter: the copy takes memory as long as it lives. For that there are savings, a second at first, then
a quarter of what sixty seconds may cost; the dearer it is, the more seldom it is asked, and none that would take longer
than ten minutes.
"""

from __future__ import annotations

from collections import deque

START_NS = 10_000_000_000
START_SHARE = 0.25  # of one core
_RATE = 0.75  # of the budget: what else runs for us (threads of exporters) has the rest
_HOLDS_NS = 25_000_000_000  # it holds what the whole budget gives in this time
_SLICE_NS = 300_000_000  # what the budget gives in this time is saved before work goes on
_WINDOW_NS = 60_000_000_000
_WINDOW_SHARE = 0.8  # of the budget: threads of exporters are not measured, and a slice may take longer than it should
_WINDOW_PARTS = 60
_SPREAD_NS = 40_000_000_000  # over this time what the window has left is spread
_SAVED_AT_FIRST_NS = 1_000_000_000
_WAIT_MOST_NS = 1_000_000_000  # at a time: what the window has left changes meanwhile
_QUESTION_SHARE = 0.25  # of what any sixty seconds may cost, for questions on the average
_LOOKS_KEEP = 1 / 2  # of it, whatever else is to be paid; questions the rest
_WINDOWS_MOST = 10  # a question may last for
_LEAST_NS = 5_000_000  # of a window for questions: with less they come to no end
_WISH_NS = 30_000_000_000  # it is asked for again and again; if not, nobody is held back for it
_FOR_EVER_NS = 1 << 61


class Purse:
    """For the watcher thread only. `share`: of one core, 0: no limit. All times in nanoseconds of one monotonic clock,
    `spent_ns`: the processor time of everything of ours since the process began."""

    def __init__(self, share: float, now_ns: int) -> None:
        self._share = share
        self._begun_ns = self._last_ns = now_ns
        self._spent_ns: int | None = None
        self._holds_ns = share * _HOLDS_NS
        self._left_ns = self._holds_ns
        self._parts: deque[tuple[int, int, int]] = deque()
        """When each part of the window began, and what was charged by then: for all, and for looks."""
        self._charged_ns = self._looks_ns = 0
        self._wish_until_ns = 0
        self._saved_ns: float = _SAVED_AT_FIRST_NS
        self._saved_at_ns = now_ns

    def wait_ns(self, now_ns: int, spent_ns: int, factor: float = 1.0) -> int:
        """How long to wait before more is spent; 0: go on. `factor`: how many times the budget may be spent now."""
        if not self._share:
            return 0
        is_starting = self.is_starting(now_ns)
        rate = max(START_SHARE, self._share) if is_starting else self._share * _RATE * factor
        before = spent_ns if self._spent_ns is None else self._spent_ns
        # A sleep ends late at times: what it would have filled beyond the brim is lost.
        used_ns = spent_ns - before
        self._left_ns = min(self._holds_ns, self._left_ns + (now_ns - self._last_ns) * rate) - used_ns
        self._last_ns, self._spent_ns = now_ns, spent_ns
        left_ns = self._left_ns
        if factor == 1 and not is_starting:  # what is spent on who is looking, or at the start, is beyond the budget
            self._charged_ns += used_ns
            self._looks_ns += used_ns
            in_window_ns = self._for_looks(now_ns)
            rate = min(rate, max(in_window_ns, self._share * _SLICE_NS) / _SPREAD_NS)
            left_ns = self._left_ns = min(left_ns, in_window_ns)
        if left_ns > 0:
            return 0
        return min(_WAIT_MOST_NS, int((self._share * _SLICE_NS - left_ns) / rate))

    def _in_window(self, now_ns: int) -> int:
        """What may be spent now so that no sixty seconds cost more than the budget."""
        parts = self._parts
        if not parts or now_ns - parts[-1][0] >= _WINDOW_NS // _WINDOW_PARTS:
            parts.append((now_ns, self._charged_ns, self._looks_ns))
        while now_ns - parts[0][0] > _WINDOW_NS:
            parts.popleft()
        return self._window_ns - (self._charged_ns - parts[0][1])

    def _for_looks(self, now_ns: int) -> int:
        """The same for looks: their half at least, and what a question that is wished for or under way leaves."""
        left_ns = self._in_window(now_ns)
        if now_ns < self._wish_until_ns:
            left_ns -= max(0, self._questions_left_ns)
        return max(left_ns, self._window_ns - self._questions_ns - self._looked_ns)

    @property
    def _looked_ns(self) -> int:
        """What looks have cost in the window, as it was last asked for."""
        return self._looks_ns - self._parts[0][2]

    @property
    def _questions_left_ns(self) -> int:
        """What questions have of their half of it; less than nothing where they had more than that."""
        return self._questions_ns - (self._charged_ns - self._parts[0][1] - self._looked_ns)

    @property
    def _window_ns(self) -> int:
        return int(self._share * _WINDOW_SHARE * _WINDOW_NS)

    @property
    def _questions_ns(self) -> int:
        """Of a window, for questions."""
        return int(self._window_ns * (1 - _LOOKS_KEEP))

    def question_ns(self, now_ns: int) -> int:
        """What a question that is under way may use now, and not wait. To be asked again and again."""
        if not self._share:
            return _FOR_EVER_NS
        if self.is_starting(now_ns):
            return self._begun_ns + START_NS - now_ns
        self._wish_until_ns = now_ns + _WISH_NS
        return max(0, min(self._in_window(now_ns), self._questions_left_ns))

    def can_ask(self, now_ns: int, cost_ns: int, at_once_ns: int) -> bool:
        """Whether a question that will cost so much in all, of it `at_once_ns` where it cannot be cut, may be asked. To
        be asked again where it may not."""
        if not self._share or self.is_starting(now_ns):
            return True
        self._save(now_ns, cost_ns)
        if self._saved_ns < cost_ns or not self.is_payable(cost_ns):
            return False
        return self.question_ns(now_ns) >= min(at_once_ns, self._questions_ns)

    def is_payable(self, cost_ns: int) -> bool:
        """Whether there will ever be enough for a question that costs so much."""
        return not self._share or self._questions_ns >= max(_LEAST_NS, cost_ns / _WINDOWS_MOST)

    def charge(self, now_ns: int, cost_ns: int) -> None:
        """A question has cost so much more."""
        if self._share and not self.is_starting(now_ns):
            self._save(now_ns, cost_ns)
            self._saved_ns -= cost_ns
            self._in_window(now_ns)
            self._charged_ns += cost_ns

    def asked(self) -> None:
        """No question is under way any more."""
        self._wish_until_ns = 0

    def _save(self, now_ns: int, cost_ns: int) -> None:
        share_ns = self._window_ns * _QUESTION_SHARE
        most_ns = max(share_ns, cost_ns, self._saved_ns)
        self._saved_ns = min(most_ns, self._saved_ns + share_ns * (now_ns - self._saved_at_ns) / _WINDOW_NS)
        self._saved_at_ns = now_ns

    @property
    def left_ns(self) -> int:
        """What could be spent when it was last asked."""
        return max(0, int(self._left_ns))

    def is_starting(self, now_ns: int) -> bool:
        return now_ns < self._begun_ns + START_NS

    @property
    def sustained(self) -> float:
        """The share of one core that may be spent for good."""
        return self._share * _RATE
