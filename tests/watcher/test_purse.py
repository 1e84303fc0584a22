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
        most_ns = worker.purse.allows(worker.now_ns, cost_ms * MS)
        assert most_ns is not None
        if most_ns:
            assert most_ns >= cost_ms * MS
            worker.purse.pay(worker.now_ns, cost_ms * MS, worker.now_ns)
            asked.append(worker.now_ns)
    return asked


@pytest.mark.parametrize("slice_ms", [2, 10])
@pytest.mark.parametrize("cost_ms", [60, 120, 300, 400])
def test_no_minute_costs_more_than_the_budget_with_what_is_not_cut(cost_ms: int, slice_ms: float) -> None:
    worker = Worker(slice_ms=slice_ms)
    asked = asked_by(worker, cost_ms, 1500)
    of_looks = worker.spent
    worker.spent = [(at, ns + cost_ms * MS * sum(one <= at for one in asked)) for at, ns in of_looks]
    assert worker.most_in(60, START_NS) <= 0.01
    assert 0.15 < cost_ms * MS * len(asked) / (0.0090 * 1500 * S) < 0.35  # a quarter, or what it had at first beside


def test_the_looks_go_on_beside_it() -> None:
    worker = Worker()
    asked_by(worker, 400, 1500)
    by_minute = [
        max(ns for at, ns in worker.spent if at <= (minute + 1) * 60 * S)
        - max(ns for at, ns in worker.spent if at <= minute * 60 * S)
        for minute in range(1, 24)
    ]
    assert min(by_minute) >= 100 * MS


def test_what_is_too_dear_for_a_minute_is_not_done() -> None:
    assert asked_by(Worker(), 450, 1500) == []


def test_what_is_not_known_to_be_cheap_is_bounded() -> None:
    purse = Purse(0.01, 0)
    for _ in range(2):
        purse.looked()
    assert purse.allows(30 * S, 0) == purse.question_most_ns == 405 * MS


def test_at_the_start_more_is_paid_but_not_anything() -> None:
    purse = Purse(0.01, 0)
    assert purse.allows(5 * S, 0) == 2500 * MS
    purse.pay(11 * S, 2000 * MS, 5 * S)  # whenever it is over
    assert purse.allows(6 * S, 400 * MS) == 500 * MS
    assert purse.allows(6 * S, 600 * MS) == 0


def test_without_a_limit_anything_is_paid() -> None:
    assert Purse(0.0, 0).allows(500 * S, 2 * S) is None
