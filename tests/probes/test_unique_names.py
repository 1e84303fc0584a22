# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.model import NodeKind
from peeps_otel.probes.unique_names import UniqueNames


def test_names_are_told_apart_while_they_live() -> None:
    names = UniqueNames()
    assert names.take(NodeKind.LOCK, "db") == ("db", 1)
    assert names.take(NodeKind.LOCK, "db") == ("db #2", 2)
    assert names.take(NodeKind.SEMAPHORE, "db") == ("db", 1)
    names.give_back(NodeKind.LOCK, "db", 1)
    assert names.take(NodeKind.LOCK, "db") == ("db", 1)
    assert names.take(NodeKind.LOCK, "db") == ("db #3", 3)


def test_no_name_stays_none() -> None:
    names = UniqueNames()
    assert names.take(NodeKind.LOCK, "") == names.take(NodeKind.LOCK, "") == ("", 0)
    names.give_back(NodeKind.LOCK, "", 0)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", "a #2"]), st.integers(0, 20)), max_size=80))
def test_no_two_of_one_name_that_live_get_the_same_number(steps: list[tuple[bool, str, int]]) -> None:
    names = UniqueNames()
    living: list[tuple[str, str, int]] = []
    for takes, name, which in steps:
        if takes or not living:
            shown, number = names.take(NodeKind.LOCK, name)
            assert (name, number) not in {(other, taken) for other, _, taken in living}
            living.append((name, shown, number))
        else:
            _, shown, number = living.pop(which % len(living))
            names.give_back(NodeKind.LOCK, shown, number)
    for _, shown, number in living:
        names.give_back(NodeKind.LOCK, shown, number)
    assert names.take(NodeKind.LOCK, "a") == ("a", 1)
