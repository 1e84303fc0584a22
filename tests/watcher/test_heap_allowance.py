# SPDX-License-Identifier: Apache-2.0
"""What questions to the heap may cost, against a clock that is made up."""

from __future__ import annotations

import pytest

from peeps_otel.watcher.heap_allowance import SHARE, HeapAllowance

S = 1_000_000_000
SLOT = 10 * S  # one question at most in such a time


def asked_within(seconds: int, cost_ns: int, allowance: HeapAllowance) -> list[int]:
    """When questions are asked, in seconds, where there is always something to ask."""
    asked: list[int] = []
    for now_ns in range(0, seconds * S, SLOT):
        if allowance.can_pay(now_ns):
            asked.append(now_ns // S)
            allowance.pay(now_ns, cost_ns)
    return asked


def test_cheap_questions_are_asked_at_once() -> None:
    assert asked_within(60, S // 100, HeapAllowance(0)) == [0, 10, 20, 30, 40, 50]


def test_a_dear_one_is_asked_again_when_its_price_has_been_saved() -> None:
    """Seven seconds of processor time: five too many, which are paid off before the next seven are saved."""
    assert asked_within(10_000, 7 * S, HeapAllowance(0)) == [0, 6000, 9500]


@pytest.mark.parametrize("cost_ms", [50, 300, 1500])
def test_the_average_holds_whatever_one_costs(cost_ms: int) -> None:
    """But for what it holds at first."""
    spent_ms = cost_ms * len(asked_within(20_000, cost_ms * S // 1000, HeapAllowance(0)))
    assert 0.9 * SHARE * 20_000_000 < spent_ms <= 2000 + SHARE * 20_000_000


def test_a_quiet_day_saves_up_no_more_than_it_holds() -> None:
    allowance = HeapAllowance(0)
    allowance.pay(0, S)
    assert allowance.can_pay(86_400 * S)
    allowance.pay(86_400 * S, S)
    allowance.pay(86_400 * S, S)
    assert not allowance.can_pay(86_401 * S)
