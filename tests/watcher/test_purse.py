# SPDX-License-Identifier: Apache-2.0
"""The bound on processor time, against a clock that is made up."""

from __future__ import annotations

import random

import pytest

from peeps_otel.watcher.purse import START_NS, Purse

S = 1_000_000_000
MS = 1_000_000


class Worker:
    """Always has work, in slices of random size. `spent`: when, and how much in all."""

    def __init__(self, share: float = 0.01, slice_ms: float = 2) -> None:
        self.chance = random.Random(1)
        self.slice_ms = slice_ms
        self.purse = Purse(share, 0)
        self.now_ns = self.spent_ns = self.asked_ns = self.sleeps = 0
        self.spent: list[tuple[int, int]] = [(0, 0)]
        """With what was asked beside it; `looks`: without."""
        self.looks: list[tuple[int, int]] = [(0, 0)]

    def tell(self) -> None:
        self.spent.append((self.now_ns, self.spent_ns + self.asked_ns))
        self.looks.append((self.now_ns, self.spent_ns))

    def work_until(self, seconds: float, factor: float = 1) -> None:
        while self.now_ns < seconds * S:
            wait_ns = self.purse.wait_ns(self.now_ns, self.spent_ns, factor)
            self.sleeps += wait_ns > 0
            if wait_ns:
                self.now_ns += int(wait_ns * self.chance.choice([0.3, 1, 1, 1.5]))
                continue
            took_ns = int(self.chance.uniform(0, 2) * self.slice_ms * MS)
            self.now_ns += 2 * took_ns  # others have the processor, too
            self.spent_ns += took_ns
            self.tell()

    def most_in(self, window_s: int, from_ns: int) -> float:
        """The largest share of one core in any such window."""
        starts = [one for one in self.spent if one[0] >= from_ns]
        most, last = 0, 0
        for at_ns, before in starts:
            while last + 1 < len(self.spent) and self.spent[last + 1][0] <= at_ns + window_s * S:
                last += 1
            most = max(most, self.spent[last][1] - before)
        return most / (window_s * S)


@pytest.mark.parametrize("slice_ms", [0.2, 2, 10])
def test_no_minute_costs_more_than_the_budget(slice_ms: float) -> None:
    worker = Worker(slice_ms=slice_ms)
    worker.work_until(400)
    assert worker.most_in(60, START_NS) <= 0.01
    assert worker.most_in(60, START_NS) > 0.006  # and it is used


def test_a_burst_is_saved_up_and_bounded() -> None:
    worker = Worker()
    worker.work_until(20)
    worker.now_ns += 500 * S  # nothing to do
    worker.tell()
    before_ns = worker.spent_ns
    worker.work_until(worker.now_ns / S + 1)
    assert 240 * MS < worker.spent_ns - before_ns < 270 * MS
    worker.work_until(worker.now_ns / S + 120)
    assert worker.most_in(60, START_NS) <= 0.01


def test_a_burst_right_after_the_start_leaves_something_for_the_rest_of_its_minute() -> None:
    """The bucket is full then; nobody waits for the minute to be over."""
    worker = Worker()
    worker.work_until(10)
    worker.now_ns += 2 * S
    spent: list[int] = []
    for second in range(15, 75, 5):
        before_ns = worker.spent_ns
        worker.work_until(second)
        spent.append((worker.spent_ns - before_ns) // MS)
    assert min(spent) >= 10
    assert worker.most_in(60, START_NS) <= 0.01


def test_who_is_looking_pays_for_himself() -> None:
    """Five times the budget for a quarter of a minute; the looks go on as before afterwards."""
    worker = Worker()
    worker.work_until(100)
    worker.work_until(115, factor=5)
    before_ns = worker.spent_ns
    worker.work_until(145)
    assert worker.spent_ns - before_ns >= 100 * MS


def test_the_first_ten_seconds_pay_for_a_look_at_everything() -> None:
    worker = Worker()
    worker.work_until(10)
    assert worker.spent_ns > 1.5 * S


def test_work_is_not_woken_for_nothing() -> None:
    worker = Worker(slice_ms=0.1)
    worker.work_until(110)
    worker.sleeps = 0
    worker.work_until(210)
    assert worker.sleeps < 100 * 6


def test_without_a_budget_nobody_waits() -> None:
    purse = Purse(0, 0)
    assert purse.wait_ns(S, 10**12) == 0


class Questions:
    """Asked beside a worker, every ten seconds where they may be. Each uses what it may in steps, the first of which
    cannot be cut."""

    def __init__(self, worker: Worker, cost_ms: int, at_once_ms: int = 0) -> None:
        self.worker, self.cost_ns, self.at_once_ns = worker, cost_ms * MS, at_once_ms * MS
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.left_ns = 0

    def until(self, seconds: int) -> None:
        worker, purse = self.worker, self.worker.purse
        for second in range(worker.now_ns // S + 1, seconds):
            worker.work_until(second)
            if not self.left_ns and second % 10 == 0 and purse.can_ask(worker.now_ns, self.cost_ns, self.at_once_ns):
                self.begun.append(second)
                self.left_ns = self.cost_ns - self.at_once_ns
                self._use(self.at_once_ns)
            if self.left_ns:
                uses_ns = min(self.left_ns, purse.question_ns(worker.now_ns))
                self.left_ns -= uses_ns
                self._use(uses_ns)
                if not self.left_ns:
                    self.ended.append(second)
                    purse.asked()

    def _use(self, ns: int) -> None:
        self.worker.purse.charge(self.worker.now_ns, ns)
        self.worker.asked_ns += ns
        self.worker.tell()


@pytest.mark.parametrize("cost_ms", [60, 240, 1000, 2300])
@pytest.mark.parametrize("at_once_ms", [0, 50])
def test_no_minute_costs_more_with_questions_either(cost_ms: int, at_once_ms: int) -> None:
    """Beside looks that always have work, and however dear one is."""
    worker = Worker()
    questions = Questions(worker, cost_ms, at_once_ms)
    questions.until(1800)
    assert questions.ended
    assert worker.most_in(60, START_NS) <= 0.01


@pytest.mark.parametrize("cost_ms", [60, 110, 240])
def test_questions_have_a_quarter_of_the_budget_on_the_average(cost_ms: int) -> None:
    questions = Questions(Worker(), cost_ms)
    questions.until(1800)
    assert 80 * 20 < cost_ms * len([second for second in questions.begun if second > 600]) <= 120 * 20 + cost_ms


def test_one_that_costs_less_than_half_a_minute_is_answered_at_once() -> None:
    worker = Worker()
    worker.work_until(9)
    worker.now_ns = 70 * S  # nobody has worked since
    questions = Questions(worker, 120)
    questions.until(82)
    assert questions.begun == questions.ended == [80]


def test_a_dear_one_lasts_and_is_answered() -> None:
    """A second at 240 ms a minute."""
    questions = Questions(Worker(), 1000)
    questions.until(600)
    assert 180 <= questions.ended[0] - questions.begun[0] <= 260


def test_the_looks_keep_half_beside_one_that_is_dear() -> None:
    beside = Worker()
    questions = Questions(beside, 2300)
    questions.until(1500)
    begun, ended = questions.begun[-1], questions.ended[-1]
    for second in range(begun, ended - 60, 10):
        looks = [ns for at_ns, ns in beside.looks if second * S <= at_ns <= (second + 60) * S]
        assert looks[-1] - looks[0] >= 0.9 * 240 * MS


def test_looks_have_all_of_it_where_nothing_is_asked() -> None:
    beside = Worker()
    Questions(beside, 60).until(300)
    beside.work_until(400)
    looks = [ns for at_ns, ns in beside.looks if 310 * S <= at_ns <= 370 * S]
    assert looks[-1] - looks[0] >= 400 * MS


def test_a_dear_one_is_done_the_more_seldom() -> None:
    """A minute gives 120 ms: 2.3 seconds take 19 minutes to save, but for the second that there is at first."""
    for cost_ms, times in ((2300, range(1, 3)), (500, range(10, 15))):
        questions = Questions(Worker(), cost_ms)
        questions.until(3000)
        assert len(questions.begun) in times


def test_one_that_would_take_longer_than_ten_minutes_is_not_begun() -> None:
    worker = Worker()
    worker.work_until(20)
    worker.now_ns += 10_000 * S
    assert not worker.purse.is_payable(3 * S)
    assert not worker.purse.can_ask(worker.now_ns, 3 * S, 0)
    assert worker.purse.is_payable(2 * S)


def test_one_that_was_begun_at_the_start_is_within_the_bound_from_the_tenth_second_on() -> None:
    worker = Worker()
    worker.work_until(9)
    questions = Questions(worker, 1800)
    questions.begun.append(9)
    worker.purse.question_ns(worker.now_ns)
    questions.left_ns = 1800 * MS  # as if it had been asked
    questions.until(700)
    assert questions.ended
    assert worker.most_in(60, START_NS) <= 0.01


def test_at_the_start_and_without_a_limit_anything_is_paid() -> None:
    assert Purse(0.01, 0).can_ask(5 * S, 2 * S, S)
    assert Purse(0.01, 0).question_ns(5 * S) == 5 * S
    unlimited = Purse(0.0, 0)
    assert unlimited.can_ask(500 * S, 200 * S, S)
    assert unlimited.question_ns(500 * S) > 1000 * S
