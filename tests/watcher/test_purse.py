# SPDX-License-Identifier: Apache-2.0
"""The bound on processor time, against a clock that is made up."""

from __future__ import annotations

import random

import pytest

from peeps_otel.watcher.purse import START_MOST_NS, START_NS, Purse

S = 1_000_000_000
MS = 1_000_000


class Worker:
    """Always has work, in slices of random size. `spent`: when, and how much in all."""

    def __init__(self, share: float = 0.01, slice_ms: float = 2, looks: int = 2) -> None:
        self.chance = random.Random(1)
        self.slice_ms = slice_ms
        self.purse = Purse(share, 0)
        for _ in range(looks):
            self.purse.looked()
        self.now_ns = self.spent_ns = self.sleeps = 0
        self.spent: list[tuple[int, int]] = [(0, 0)]

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
            self.spent.append((self.now_ns, self.spent_ns))

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
    worker.spent.append((worker.now_ns, worker.spent_ns))
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


def test_two_looks_are_paid_for_also_where_they_take_longer_but_within_bounds() -> None:
    worker = Worker(looks=1)
    worker.work_until(15)
    assert worker.spent_ns > 3 * S
    worker.purse.looked()
    worker.work_until(200)
    assert worker.most_in(60, 16 * S) <= 0.01
    endless = Worker(looks=0)
    endless.work_until(200)
    assert endless.most_in(60, START_MOST_NS) <= 0.01


def test_what_is_left_unread_makes_the_start_last_as_long_as_it_may_and_no_longer() -> None:
    worker = Worker()
    worker.purse.looked(complete=False)
    worker.work_until(19)
    assert worker.spent_ns > 4 * S
    worker.work_until(21)
    worker.purse.looked(complete=False)
    worker.work_until(200)
    assert worker.most_in(60, START_MOST_NS) <= 0.01


def test_work_is_not_woken_for_nothing() -> None:
    worker = Worker(slice_ms=0.1)
    worker.work_until(110)
    worker.sleeps = 0
    worker.work_until(210)
    assert worker.sleeps < 100 * 6


def test_without_a_budget_nobody_waits() -> None:
    purse = Purse(0, 0)
    assert purse.wait_ns(S, 10**12) == 0


def asked_by(worker: Worker, cost_ms: int, until_s: int) -> list[int]:
    """When something that is not cut, and costs so much, is done beside the work: it is asked for every ten seconds."""
    asked: list[int] = []
    for second in range(30, until_s, 10):
        worker.work_until(second)
        if worker.purse.can_pay(worker.now_ns, cost_ms * MS):
            worker.purse.pay(worker.now_ns, cost_ms * MS)
            asked.append(second)
    return asked


def most_of_all_in(worker: Worker, asked: list[int], cost_ms: int) -> float:
    """As `most_in` of sixty seconds, with what was asked."""
    for second in asked:
        worker.spent = [
            (at_ns, ns + (cost_ms * MS if at_ns >= second * S else 0)) for at_ns, ns in sorted(worker.spent)
        ]
    return worker.most_in(60, 600 * S)  # by then what it had at first is spent


@pytest.mark.parametrize("cost_ms", [60, 120, 270])
def test_what_is_not_cut_has_a_quarter_of_the_budget_and_is_within_it(cost_ms: int) -> None:
    """Beside looks that always have work, which are held back for it."""
    worker = Worker()
    asked = asked_by(worker, cost_ms, 1800)
    assert 90 * 20 < cost_ms * len([second for second in asked if second > 600]) <= 135 * 20 + cost_ms
    assert most_of_all_in(worker, asked, cost_ms) <= 0.01


def test_the_looks_keep_half_beside_what_is_dear() -> None:
    beside = Worker()
    asked = asked_by(beside, 500, 1500)
    assert asked
    for second in asked[1:]:
        after = [ns for at_ns, ns in beside.spent if second * S <= at_ns <= (second + 60) * S]
        assert after[-1] - after[0] >= 0.9 * 270 * MS


def test_the_look_that_takes_in_a_dear_answer_does_not_wait_for_the_rest_of_the_minute() -> None:
    """It is given a part of what the question was over; and no other look is."""
    worker = Worker()
    worker.work_until(100)
    worker.purse.pay(worker.now_ns, 2 * S)
    before_ns = worker.spent_ns
    worker.work_until(103)
    given_ns = (2 * S - 270 * MS) // 4
    assert given_ns - 5 * MS <= worker.spent_ns - before_ns <= given_ns + 60 * MS
    worker.purse.pay(worker.now_ns, 2 * S)
    worker.purse.looked()
    before_ns = worker.spent_ns
    worker.work_until(104)
    assert worker.spent_ns - before_ns <= 30 * MS


def test_a_dear_one_is_done_the_more_seldom() -> None:
    """A minute gives 135 ms: three seconds take 22 minutes to save, but for the second that there is at first."""
    assert len(asked_by(Worker(), 3000, 3000)) <= 2
    assert len(asked_by(Worker(), 500, 3000)) in range(13, 17)


def test_at_the_start_and_without_a_limit_anything_is_paid() -> None:
    assert Purse(0.01, 0).can_pay(5 * S, 2 * S)
    assert Purse(0.0, 0).can_pay(500 * S, 2 * S)
