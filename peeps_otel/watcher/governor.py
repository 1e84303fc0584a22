# SPDX-License-Identifier: Apache-2.0
"""What watching may cost, and what is left out when it would cost more.

Two budgets, both measured on ourselves: processor time of our threads and bytes that leave the process. Processor time
is a hard bound, kept by the purse, which cuts a look in slices; here the looks come as often as what one costs allows,
by computation, and lose nothing of what they tell. One dear look says nothing: another program on the same core, or a
garbage collection that struck our thread. Two in a row do, and a cheap one ends it at once. Who sends too many bytes
first loses detail, step by step; only then do the looks come less often. While somebody is looking, five times as much
may be spent.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import NamedTuple

from .purse import START_SHARE, Purse

EAGER_NS = 5_000_000_000
EAGER_INTERVAL_NS = 250_000_000
CONFIRM_NS = 100_000_000
_BYTES_MOST_NS = 60_000_000_000
# Steps, so that what is told does not change all the time.
_STEPS_S = (0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600)
_ATTENTION_NS = 15_000_000_000
_GENEROUS = 5
_MEMORY_NS = 10_000_000_000  # over which spending is averaged
_RELAX_NS = 10_000_000_000
_RELAX_MOST_NS = 600_000_000_000
_SAMPLING_SHARE = 0.25  # of the processor budget
_KEY_FRAME_SHARE = 0.5  # of the byte budget
_KEY_FRAME_CPU_SHARE = 0.1  # of the processor budget
_KEY_FRAME_MOST_NS = 120_000_000_000
_COSTS = 3  # looks whose cost tells what the next one will cost
_GROWS = 2  # times at most from look to look: what a look costs beyond the budget, the purse delays
_NEW_TASK_NS = 150_000  # what it takes to read a task for the first time, and to tell of it
_NEW_TASKS_LEAST = 100
_PATIENCE_NS = 4_000_000_000
_FOR_EVER_NS = 1 << 62
_SPARE_SAMPLE_NS = 250_000_000
_LOOKS_SHARE = 0.2  # of the processor budget at least, however dear the samples are


_FIXED = 30  # changed nodes whose telling costs as much as a look at nothing
_UNCHANGED = 0.01  # a node that is as before costs this much of one that is not


class Extent(NamedTuple):
    """How much there was to do in a look. `complete`: everything was looked at."""

    nodes: int = 0
    changed: int = 0
    complete: bool = True


class Detail(IntEnum):
    """What is shed, in this order; each includes those before it."""

    ALL = 0
    NO_STACKS = 1
    NO_HISTOGRAMS = 2
    NO_IDLE_EDGES = 3


WORDS = {
    Detail.NO_STACKS: "stacks and source lines",
    Detail.NO_HISTOGRAMS: "histograms",
    Detail.NO_IDLE_EDGES: "edges of nodes that do not wait",
}


_NOTHING = Extent()


class Governor:
    """Clock of the looks and samples. For the watcher thread only, but for `attention`.

    `cpu_percent`: of one core; `bytes_per_s`; 0: no limit. All times by one monotonic clock, in nanoseconds.
    """

    def __init__(
        self,
        *,
        interval_ns: int,
        key_frame_ns: int,
        sample_ns: int,
        cpu_percent: float,
        bytes_per_s: int,
        now_ns: int,
    ) -> None:
        self._wanted_ns = interval_ns
        self._wanted_key_frame_ns = key_frame_ns
        self._wanted_sample_ns = sample_ns
        self._cpu_share = cpu_percent / 100
        self._bytes_per_s = bytes_per_s
        self._eager_until_ns = now_ns + EAGER_NS
        self._attention_until_ns = 0
        self._last_ns = now_ns
        self._last_cpu_ns = self._last_bytes = 0
        self._changed_ns = now_ns
        self._relax_ns = _RELAX_NS
        self.cpu_load = self.byte_load = 0.0
        """What was spent of late, 1.0 being the budget."""
        self._look_cpu_ns = 0
        self._costs: deque[int] = deque(maxlen=_COSTS)
        self._changes: deque[int] = deque(maxlen=_COSTS)
        self._look_bytes = 0.0
        self._was_complete = True
        self._sampling_cost_ns = 0
        self.detail = Detail.ALL
        self.interval_ns = interval_ns
        """The interval between two looks, as far as the budgets go."""
        self.told_ns = 0
        """The interval that the last snapshot told of; 0: none has been told."""
        self._bytes_interval_ns = interval_ns
        self.purse = Purse(self._cpu_share, now_ns)
        self.key_frame_ns = key_frame_ns
        self.sample_ns = sample_ns
        """Between two samples of the threads; 0: none are taken."""

    def attention(self, now_ns: int) -> None:
        """Somebody is looking: for a while, looks come often, and with all detail at first. From any thread."""
        if not self.is_generous(now_ns):  # what does not fit into the larger budget either is left out again
            self.detail = Detail.ALL
        self._attention_until_ns = now_ns + _ATTENTION_NS

    def wait_ns(self, now_ns: int, cpu_ns: int) -> int:
        """How long work must wait now, in the middle of a look too. `cpu_ns`: as in `spent`."""
        return self.purse.wait_ns(now_ns, cpu_ns, _GENEROUS if now_ns < self._attention_until_ns else 1)

    @property
    def sampling_ns(self) -> int:
        """Between two samples now: longer while the budget is spent, for a look that waits for it should come soon."""
        return self.sample_ns if self.purse.left_ns or not self._cpu_share else max(self.sample_ns, _SPARE_SAMPLE_NS)

    @property
    def patience_ns(self) -> int:
        """How long one look may wait for its budget at most, then it goes on beyond it: a process that says nothing for
        three times the interval that it told of, and five seconds, is taken for silent. Nobody expects the first."""
        return max(_PATIENCE_NS, 2 * self.told_ns) if self.told_ns else _FOR_EVER_NS

    def foresee(self, look_cpu_ns: int, extent: Extent = _NOTHING) -> int:
        """The interval until the look after one that has cost so much."""
        return self._affordable(self._expected(self._recurring(look_cpu_ns, extent)))

    def _recurring(self, look_cpu_ns: int, extent: Extent) -> int:
        """What of a look's cost the next one will have as well: not what is told of a crowd of new tasks, nor what an
        answer of the heap has changed, once."""
        once = not extent.complete or not self._was_complete
        usual = 0 if once else min([*self._changes, extent.changed][-_COSTS:])
        fixed = _FIXED + _UNCHANGED * extent.nodes
        return int(look_cpu_ns * (fixed + usual) / (fixed + extent.changed))

    def _expected(self, look_cpu_ns: int) -> int:
        """What the look after one that has cost so much will cost."""
        last = sorted([*self._costs, look_cpu_ns][-_COSTS:])
        return min(look_cpu_ns, last[(len(last) - 1) // 2])  # `statistics` loads much

    def _affordable(self, look_cpu_ns: int) -> int:
        """The interval at which looks that cost so much are within the budgets, or half way to it."""
        if not self._cpu_share:
            return self._bytes_interval_ns
        sampling = self._sampling_cost_ns / self.sample_ns if self.sample_ns else 0.0
        left = max(self.purse.sustained - sampling, self.purse.sustained * _LOOKS_SHARE)
        needed_ns = look_cpu_ns / left
        # Between the two it stays as it is, so that what is told does not change with every look.
        by_cpu = max(self._step(needed_ns / 1.1), min(self.interval_ns, self._step(needed_ns)))
        return max(min(by_cpu, _GROWS * self.interval_ns), self._bytes_interval_ns)

    def _step(self, needed_ns: float) -> int:
        if needed_ns <= self._wanted_ns:
            return self._wanted_ns
        return max(self._wanted_ns, int(next((one for one in _STEPS_S if one * 1e9 >= needed_ns), _STEPS_S[-1]) * 1e9))

    def new_tasks_most(self, now_ns: int, suspicious: bool) -> int | None:
        """How many tasks may be read for the first time in the look that begins, None: all. In the first seconds what
        takes a second then; later half of what has been saved; up to twice that where a look is dear anyway. Few where
        the look is to confirm what the last one has seen (`suspicious`): it should be over soon."""
        if not self._cpu_share:
            return None
        if suspicious:
            return _NEW_TASKS_LEAST
        allowed_ns = START_SHARE * 1e9 if self.purse.is_starting(now_ns) else self.purse.left_ns / 2
        look_ns = self._look_cpu_ns  # half of it at least: fewer in more looks cost more
        for_them_ns = max(min(max(allowed_ns, look_ns), 2 * allowed_ns), look_ns / 2)
        return max(_NEW_TASKS_LEAST, int(for_them_ns / _NEW_TASK_NS))

    def is_generous(self, now_ns: int) -> bool:
        return now_ns < max(self._eager_until_ns, self._attention_until_ns)

    def hurries(self, now_ns: int) -> bool:
        """Whether what can wait is to be done soon: at the start, and while somebody is looking. Else a few looks that
        are dear for that make all of them seldom."""
        return not self._cpu_share or self.purse.is_starting(now_ns) or self.is_generous(now_ns)

    @property
    def shed(self) -> list[str]:
        """What is left out at present, in words."""
        words = [text for detail, text in WORDS.items() if detail <= self.detail]
        if self.interval_ns > self._wanted_ns:
            words.append(f"looks: one in {self.interval_ns / 1e9:.3g} s instead of {self._wanted_ns / 1e9:.3g} s")
        if self.sample_ns > self._wanted_sample_ns > 0:
            words.append(f"thread samples: {1e9 / self.sample_ns:.3g} a second")
        return words

    def next_ns(self, now_ns: int, suspicious: bool) -> int:
        """Nanoseconds until the next look."""
        interval = self.interval_ns
        if self.purse.is_starting(now_ns) and interval > self._wanted_ns:
            interval = max(self._wanted_ns, min(interval, int(self._look_cpu_ns / START_SHARE)))
        if self.is_generous(now_ns):
            interval = min(interval, max(EAGER_INTERVAL_NS, self._paced(_GENEROUS)))
        if suspicious:
            paid = self._look_cpu_ns <= self.purse.left_ns or self.purse.is_starting(now_ns)
            interval = min(interval, CONFIRM_NS if paid else max(CONFIRM_NS, self._paced(2 * _GENEROUS)))
        return interval

    def _paced(self, factor: float) -> int:
        """The interval at which looks alone spend `factor` times the processor budget."""
        return int(self._look_cpu_ns / (self._cpu_share * factor)) if self._cpu_share else 0

    def spent(
        self,
        now_ns: int,
        cpu_ns: int,
        sent: int,
        look_cpu_ns: int,
        sampling_ns: int,
        key_frame: bool,
        extent: Extent = _NOTHING,
    ) -> None:
        """After each look. `cpu_ns`, `sent`: totals of the process's life; `look_cpu_ns`: of this look and what was
        exported since the last one, the samples that were taken meanwhile not counted; `sampling_ns`: of one sample, on
        average; `key_frame`: whether the snapshot was complete."""
        complete = extent.complete
        elapsed = max(1, now_ns - self._last_ns)
        used_ns, used_bytes = cpu_ns - self._last_cpu_ns, sent - self._last_bytes
        self._last_ns, self._last_cpu_ns, self._last_bytes = now_ns, cpu_ns, sent
        weight = min(1.0, elapsed / _MEMORY_NS)
        factor = _GENEROUS if self.is_generous(now_ns) else 1
        self.cpu_load += weight * (self._load(used_ns / elapsed, self._cpu_share) / factor - self.cpu_load)
        whole_ns, look_cpu_ns = look_cpu_ns, self._recurring(look_cpu_ns, extent)
        self._changes.append(extent.changed)
        told_first, self._was_complete = not complete or not self._was_complete, complete
        if told_first and not key_frame:
            pass  # tasks of which a complete snapshot would tell as well: their bytes are bounded by what reading costs
        elif not key_frame:  # those have a share of their own, and a period that keeps to it
            load = self._load(used_bytes * 1e9 / elapsed, self._bytes_per_s * (1 - _KEY_FRAME_SHARE)) / factor
            self.byte_load += weight * (load - self.byte_load)
            self._look_bytes += 0.3 * (used_bytes - self._look_bytes)
        else:
            due_ns = int(used_bytes * 1e9 / (self._bytes_per_s * _KEY_FRAME_SHARE)) if self._bytes_per_s else 0
            more_ns = max(0, whole_ns - self._look_cpu_ns) if self._cpu_share else 0  # than a look that is none
            by_cpu_ns = int(more_ns / (self._cpu_share * _KEY_FRAME_CPU_SHARE)) if more_ns else 0
            self.key_frame_ns = max(self._wanted_key_frame_ns, due_ns, min(by_cpu_ns, _KEY_FRAME_MOST_NS))
        self._look_cpu_ns = self._expected(look_cpu_ns)
        self._costs.append(look_cpu_ns)
        self._sampling(sampling_ns)
        self._decide(now_ns)
        self.interval_ns = self._affordable(self._look_cpu_ns)

    @staticmethod
    def _load(rate: float, budget: float) -> float:
        return rate / budget if budget else 0.0

    def _sampling(self, sampling_ns: int) -> None:
        self._sampling_cost_ns = sampling_ns
        if self._wanted_sample_ns and self._cpu_share:
            paced = int(sampling_ns / (self._cpu_share * _SAMPLING_SHARE))
            # In steps of two, so that what is said of it does not change with every look.
            period = self._wanted_sample_ns
            while period < paced and period < 1_000_000_000:
                period *= 2
            self.sample_ns = period

    def _decide(self, now_ns: int) -> None:
        load = self.byte_load
        since = now_ns - self._changed_ns
        if load > 1:
            if self.detail < Detail.NO_IDLE_EDGES:
                if since >= 2 * self._wanted_ns or load > 2:
                    self._change(now_ns, Detail(self.detail + 1))
                    self._relax_ns = min(2 * self._relax_ns, _RELAX_MOST_NS)
            else:
                self._stretch()
        elif load < 0.5 and since >= self._relax_ns:
            if self._bytes_interval_ns > self._wanted_ns:
                self._changed_ns = now_ns
                self._bytes_interval_ns = max(self._wanted_ns, self._bytes_interval_ns // 2)
            elif self.detail > Detail.ALL:
                self._change(now_ns, Detail(self.detail - 1))
            else:
                self._relax_ns = _RELAX_NS

    def _stretch(self) -> None:
        """Towards the interval at which a look like the last ones is within the byte budget, with some to spare."""
        needed = 1.2 * self._look_bytes * 1e9 / (self._bytes_per_s * (1 - _KEY_FRAME_SHARE)) if self._bytes_per_s else 0
        if self._bytes_interval_ns < needed:
            self._bytes_interval_ns = min(2 * self._bytes_interval_ns, max(_BYTES_MOST_NS, self._wanted_ns))

    def _change(self, now_ns: int, detail: Detail) -> None:
        self.detail, self._changed_ns = detail, now_ns
