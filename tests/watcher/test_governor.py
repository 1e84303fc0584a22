# SPDX-License-Identifier: Apache-2.0
"""Budgets, against a process that is made up: what a look costs follows from what is shed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peeps_otel.watcher.governor import Detail, Extent, Governor

S = 1_000_000_000
MS = 1_000_000


class Simulated:
    """Looks whenever the governor says so. `cost`: nanoseconds of a look by detail; `size`: its bytes."""

    def __init__(
        self,
        cost: Callable[[Detail], int],
        size: Callable[[Detail], int] = lambda _detail: 0,
        cpu_percent: float = 1,
        bytes_per_s: int = 65536,
        sample_cost_ns: int = 0,
    ) -> None:
        self.now_ns = self.cpu_ns = self.sent = 0
        self.cost, self.size, self.sample_cost_ns = cost, size, sample_cost_ns
        self.governor = Governor(
            interval_ns=S,
            key_frame_ns=30 * S,
            sample_ns=50 * MS,
            cpu_percent=cpu_percent,
            bytes_per_s=bytes_per_s,
            now_ns=0,
        )
        self.looks = 0

    def run_for(self, seconds: float, suspicious: bool = False) -> None:
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns:
            wait_ns = self.governor.next_ns(self.now_ns, suspicious)
            self.now_ns += wait_ns
            cost = self.cost(self.governor.detail)
            if self.governor.sample_ns:
                self.cpu_ns += wait_ns // self.governor.sample_ns * self.sample_cost_ns
            self.cpu_ns += cost
            self.sent += self.size(self.governor.detail)
            self.governor.spent(self.now_ns, self.cpu_ns, self.sent, cost, self.sample_cost_ns, key_frame=False)
            self.looks += 1

    def share_over(self, seconds: float) -> tuple[float, float]:
        """Processor share and bytes per second over the next seconds."""
        now_ns, cpu_ns, sent = self.now_ns, self.cpu_ns, self.sent
        self.run_for(seconds)
        elapsed = self.now_ns - now_ns
        return (self.cpu_ns - cpu_ns) / elapsed, (self.sent - sent) * S / elapsed


def test_a_cheap_process_is_told_in_full_once_a_second() -> None:
    simulated = Simulated(lambda _detail: 2 * MS)
    simulated.run_for(60)
    assert (simulated.governor.detail, simulated.governor.interval_ns, simulated.governor.shed) == (Detail.ALL, S, [])


def test_the_first_seconds_are_eager_and_so_is_attention() -> None:
    simulated = Simulated(lambda _detail: 1 * MS)
    assert simulated.governor.next_ns(0, False) == S // 4
    simulated.run_for(10)
    assert simulated.governor.next_ns(simulated.now_ns, False) == S
    assert simulated.governor.next_ns(simulated.now_ns, True) == S // 10
    simulated.governor.attention(simulated.now_ns)
    assert simulated.governor.next_ns(simulated.now_ns, False) == S // 4
    simulated.run_for(20)
    assert simulated.governor.next_ns(simulated.now_ns, False) == S


def test_detail_goes_first_in_its_order_and_only_then_the_interval() -> None:
    """Where too much is sent; a look that costs too much comes less often, and tells all."""
    simulated = Simulated(lambda _detail: MS, lambda _detail: 600_000)
    seen: list[tuple[Detail, int]] = []
    for _ in range(400):
        simulated.run_for(0.001)
        state = (simulated.governor.detail, simulated.governor.interval_ns)
        if not seen or seen[-1] != state:
            seen.append(state)
    details = [detail for detail, _ in seen]
    first_stretch = next(position for position, (_, interval) in enumerate(seen) if interval > S)
    assert details[: first_stretch + 1] == [*Detail, Detail.NO_IDLE_EDGES]
    assert simulated.governor.shed[:3] == [
        "stacks and source lines",
        "histograms",
        "edges of nodes that do not wait",
    ]
    assert simulated.governor.shed[3].startswith("looks: one in ")


@pytest.mark.parametrize("cost_ms", [15, 80, 400, 3000])
def test_the_looks_come_as_often_as_one_costs_and_tell_all(cost_ms: int) -> None:
    simulated = Simulated(lambda _detail: cost_ms * MS)
    simulated.run_for(2 * cost_ms)
    share, _ = simulated.share_over(20 * cost_ms)
    assert (0.002 < share <= 0.01, simulated.governor.detail) == (True, Detail.ALL)


def test_the_interval_is_told_with_the_look_that_was_dear() -> None:
    """At the first look, which there is nothing to compare with; it stretches by doubling."""
    governor = Simulated(lambda _detail: MS).governor
    assert [governor.foresee(cost_ms * MS) // S for cost_ms in (1, 8, 20, 400, 3000)] == [1, 1, 2, 2, 2]


def test_one_dear_look_is_a_chance_and_two_in_a_row_are_believed() -> None:
    costs = [MS] * 12 + [400 * MS] + [MS] * 3 + [400 * MS] * 4 + [MS] * 2
    simulated = Simulated(lambda _detail: costs.pop(0))
    intervals: list[int] = []
    while costs:
        simulated.run_for(0.001)
        intervals.append(simulated.governor.interval_ns // S)
    assert intervals == [1] * 16 + [1, 2, 4, 8] + [1] * 2


@pytest.mark.parametrize("normal_ms", [0.3, 1, 4])
def test_after_a_busy_time_the_looks_come_back_with_the_first_that_is_cheap(normal_ms: float) -> None:
    """Everything costs ten times as much for five seconds."""
    began_ns = 60 * S
    simulated = Simulated(
        lambda _detail: int(normal_ms * MS * (10 if began_ns <= simulated.now_ns < began_ns + 5 * S else 1))
    )
    simulated.run_for(60)
    before = simulated.governor.interval_ns
    while simulated.now_ns < began_ns + 5 * S:
        simulated.run_for(0.001)
    while simulated.governor.interval_ns > before:
        simulated.run_for(0.001)
    assert (before, simulated.governor.shed) == (S, [])
    assert simulated.now_ns <= began_ns + 5 * S + 5 * S
    assert simulated.share_over(60)[0] <= 0.01


def test_the_byte_budget_holds_in_the_long_run() -> None:
    simulated = Simulated(lambda _detail: MS, lambda _detail: 300_000)
    simulated.run_for(300)
    _, rate = simulated.share_over(600)
    assert rate <= 65536
    assert simulated.governor.detail is Detail.NO_IDLE_EDGES


def test_what_was_shed_comes_back() -> None:
    heavy = True
    simulated = Simulated(lambda _detail: MS, lambda _detail: 600_000 if heavy else 0)
    simulated.run_for(120)
    assert simulated.governor.detail is not Detail.ALL
    heavy = False
    simulated.run_for(1800)
    assert (simulated.governor.detail, simulated.governor.interval_ns) == (Detail.ALL, S)


def test_at_the_border_detail_does_not_flap() -> None:
    simulated = Simulated(lambda _detail: MS, lambda detail: 40_000 if detail is Detail.ALL else 3_000)
    simulated.run_for(60)
    changes, before = 0, simulated.governor.detail
    for _ in range(1200):
        simulated.run_for(0.001)
        changes += simulated.governor.detail is not before
        before = simulated.governor.detail
    assert changes <= 14


def test_samples_get_rarer_where_they_are_dear() -> None:
    simulated = Simulated(lambda _detail: MS, sample_cost_ns=1 * MS)
    simulated.run_for(30)
    assert simulated.governor.sample_ns == 400 * MS
    assert "thread samples: 2.5 a second" in simulated.governor.shed


def test_key_frames_are_as_rare_as_their_size_demands() -> None:
    simulated = Simulated(lambda _detail: MS)
    simulated.run_for(10)
    simulated.sent += 9_000_000
    simulated.governor.spent(simulated.now_ns + S, simulated.cpu_ns, simulated.sent, MS, 0, key_frame=True)
    assert 270 * S < simulated.governor.key_frame_ns < 280 * S


def test_without_budgets_nothing_is_shed() -> None:
    simulated = Simulated(lambda _detail: 500 * MS, lambda _detail: 10_000_000, cpu_percent=0, bytes_per_s=0)
    simulated.run_for(60)
    assert (simulated.governor.shed, simulated.governor.interval_ns) == ([], S)


def test_what_is_told_once_does_not_make_the_looks_seldom() -> None:
    """A crowd of new tasks that takes several looks, and what an answer of the heap has changed."""
    simulated = Simulated(lambda _detail: 8 * MS)
    simulated.run_for(10)
    crowd = [(400, 3000, False), (400, 3000, False), (300, 2000, True), (8, 0, True), (8, 2, True), (300, 7000, True)]
    for cost_ms, changed, complete in crowd:
        simulated.now_ns += S
        simulated.cpu_ns += cost_ms * MS
        extent = Extent(12_000, changed, complete)
        assert simulated.governor.foresee(cost_ms * MS, extent) <= 3 * S
        simulated.governor.spent(simulated.now_ns, simulated.cpu_ns, 0, cost_ms * MS, 0, False, extent)
        assert simulated.governor.interval_ns <= 3 * S


def test_what_changes_at_each_look_does() -> None:
    simulated = Simulated(lambda _detail: 8 * MS)
    for _ in range(20):
        simulated.now_ns += simulated.governor.next_ns(simulated.now_ns, False)
        simulated.cpu_ns += 400 * MS
        extent = Extent(12_000, 3000)
        simulated.governor.spent(simulated.now_ns, simulated.cpu_ns, 0, 400 * MS, 0, False, extent)
    assert simulated.governor.interval_ns >= 40 * S


def test_the_first_telling_of_many_tasks_costs_no_detail() -> None:
    """They are told over several looks, each with hundreds of kilobytes."""
    simulated = Simulated(lambda _detail: 8 * MS)
    for complete in (False, False, False, True):
        simulated.now_ns += S
        simulated.sent += 400_000
        extent = Extent(12_000, 3000, complete)
        simulated.governor.spent(simulated.now_ns, 0, simulated.sent, MS, 0, False, extent)
    assert simulated.governor.detail is Detail.ALL


def test_samples_get_rarer_while_the_budget_is_spent() -> None:
    governor = Simulated(lambda _detail: MS).governor
    governor.spent(S, 0, 0, MS, 0, False)
    governor.spent(2 * S, 0, 0, MS, 0, False)
    governor.wait_ns(30 * S, 0)
    assert governor.sampling_ns == 50 * MS
    governor.wait_ns(30 * S, 2 * S)
    assert (governor.sample_ns, governor.sampling_ns) == (50 * MS, 250 * MS)


def test_a_look_waits_for_its_budget_no_longer_than_its_process_may_be_silent() -> None:
    """Also one that costs much once: somebody would be told that the process is silent, while it only saves."""
    governor = Simulated(lambda _detail: 5 * MS).governor
    assert governor.patience_ns > 1000 * S  # before the first look nobody expects anything
    governor.told_ns = S
    assert governor.patience_ns < 5 * S  # when it would be silent
    governor.told_ns = 20 * S
    assert 5 * S < governor.patience_ns < 3 * governor.told_ns


def test_where_a_look_is_dear_some_part_of_it_is_for_new_tasks() -> None:
    process = Simulated(lambda _detail: 90 * MS)
    process.run_for(120)
    process.governor.wait_ns(process.now_ns, process.cpu_ns)
    process.governor.wait_ns(process.now_ns, process.cpu_ns + S)  # nothing is left
    assert process.governor.purse.left_ns == 0
    assert process.governor.new_tasks_most(process.now_ns, False) == 300
    assert process.governor.new_tasks_most(process.now_ns, True) == 100
