# SPDX-License-Identifier: Apache-2.0
"""Whether there is something to ask the heap is found out while it may be another thing than before."""

from __future__ import annotations

from peeps_otel.watcher.heap_turns import HeapTurns

S = 1_000_000_000


def test_while_waits_begin_and_settle_each_look_has_its_turn_and_then_one_in_five_seconds() -> None:
    turns = HeapTurns()
    come = [turns.has_come({"task:1"} if second == 10 else set(), second * S, 3 * S) for second in range(10, 27)]
    assert come == [True] * 5 + [False] * 4 + [True] + [False] * 4 + [True] + [False] * 2


def test_so_has_one_for_somebody_who_asks_and_one_of_which_nothing_is_known() -> None:
    turns = HeapTurns()
    assert turns.has_come(None, 100 * S, 3 * S)
    assert not turns.has_come(set(), 104 * S + 1, 3 * S)
    turns.request()
    assert [turns.has_come(set(), 104 * S + 2, 3 * S), turns.has_come(set(), 104 * S + 3, 3 * S)] == [True, False]
