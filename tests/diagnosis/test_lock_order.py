# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.diagnosis.lock_order import LockOrders, Taken
from peeps_otel.model import FindingKind, Level


def lock(name: str, site: str = "", instance: str = "") -> Taken:
    """`db` or `db#2`: the class is what stands before the sign."""
    kind = name.partition("#")[0]
    return Taken(f"{kind}.py:1", instance or name, f"Lock {kind}", site or f"use.py:{len(name)}", f"lock:{name}")


def saw(orders: LockOrders, who: str, *names: str) -> None:
    """`who` holds all but the last and asks for that."""
    *held, wanted = (lock(name, f"{who}.py:{number}") for number, name in enumerate(names, 1))
    orders.saw(held, wanted, f"task:{who}", who, (f"main ({who}.py:9)", f"work ({who}.py:5)"), 1_000)


def test_opposite_orders_that_never_met() -> None:
    orders = LockOrders()
    saw(orders, "a", "db", "cache")
    assert orders.findings == []
    saw(orders, "b", "cache", "db")
    (finding,) = orders.findings
    assert finding.kind is FindingKind.ORDER_RISK
    assert finding.level is Level.SLOW  # nothing is stuck
    assert finding.title == "order risk: Lock cache before Lock db at b.py:2, but Lock db before Lock cache at a.py:2"
    assert [link.wait_source for link in finding.evidence] == ["b.py:2", "a.py:2"]
    assert [link.hold_source for link in finding.evidence] == ["b.py:1", "a.py:1"]
    assert "main (b.py:9) > work (b.py:5)" in finding.evidence[0].text
    assert "main (a.py:9) > work (a.py:5)" in finding.evidence[1].text
    assert finding.core == ["lock:cache", "lock:db"]


def test_once_a_pair() -> None:
    orders = LockOrders()
    for number in range(50):
        saw(orders, f"a{number}", "db", "cache")
        saw(orders, f"b{number}", "cache", "db")
    assert len(orders.findings) == 1


def test_other_locks_of_the_same_classes_are_the_same_risk() -> None:
    orders = LockOrders()
    saw(orders, "a", "db#1", "cache#1")
    saw(orders, "b", "cache#2", "db#2")
    assert len(orders.findings) == 1


def test_a_gate_keeps_them_apart() -> None:
    orders = LockOrders()
    saw(orders, "a", "gate", "db", "cache")
    saw(orders, "b", "gate", "cache", "db")
    assert orders.findings == []


def test_a_gate_of_the_same_class_is_no_gate() -> None:
    orders = LockOrders()
    saw(orders, "a", "gate#1", "db", "cache")
    saw(orders, "b", "gate#2", "cache", "db")
    assert [f.core for f in orders.findings] == [["lock:cache", "lock:db"]]


def test_once_without_the_gate_is_a_risk() -> None:
    orders = LockOrders()
    saw(orders, "a", "gate", "db", "cache")
    saw(orders, "b", "gate", "cache", "db")
    saw(orders, "c", "cache", "db")
    assert len(orders.findings) == 1


def test_one_task_does_not_wait_for_itself() -> None:
    orders = LockOrders()
    saw(orders, "a", "db", "cache")
    saw(orders, "a", "cache", "db")
    assert orders.findings == []
    saw(orders, "b", "cache", "db")
    assert len(orders.findings) == 1


def test_three_in_a_ring() -> None:
    orders = LockOrders()
    saw(orders, "a", "x", "y")
    saw(orders, "b", "y", "z")
    assert orders.findings == []
    saw(orders, "c", "z", "x")
    (finding,) = orders.findings
    assert len(finding.evidence) == 3


def test_a_class_within_itself() -> None:
    orders = LockOrders()
    saw(orders, "a", "account#1", "account#2")
    saw(orders, "b", "account#2", "account#3")
    saw(orders, "c", "account#1", "account#3")
    assert orders.findings == []  # always in one order
    saw(orders, "d", "account#3", "account#1")
    (finding,) = orders.findings
    assert finding.title.startswith("order risk: two of the locks Lock account are taken in both orders")


def test_the_same_lock_twice_is_no_order() -> None:
    orders = LockOrders()
    saw(orders, "a", "db", "db")
    saw(orders, "b", "db", "db")
    assert orders.findings == []


def test_memory_is_bounded() -> None:
    orders = LockOrders()
    for number in range(25_000):
        saw(orders, f"a{number}", f"lock{number}", "cache")
    assert orders.dropped == 5_000
    for number in range(1_000):
        saw(orders, f"a{number}", "lock0", "cache")
    assert orders.findings == []


CHAINS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.lists(st.sampled_from("xyz"), min_size=2, max_size=3, unique=True)),
    max_size=12,
)


@given(CHAINS)
def test_pairs_against_the_definition(chains: list[tuple[str, list[str]]]) -> None:
    """For circles of two: two tasks, opposite orders, nothing in common besides."""
    orders = LockOrders()
    for who, names in chains:
        saw(orders, who, *names)
    asked = [(who, first, names[-1], set(names[:-1]) - {first}) for who, names in chains for first in names[:-1]]
    expected = {
        frozenset((first, then))
        for who, first, then, gates in asked
        for other, first_too, then_too, gates_too in asked
        if who != other and (first, then) == (then_too, first_too) and not gates & gates_too
    }
    pairs = {frozenset(node.removeprefix("lock:") for node in f.core) for f in orders.findings if len(f.evidence) == 2}
    assert pairs == expected


def test_a_dense_graph_is_not_walked_to_its_end() -> None:
    """Forty classes, each taken before all later ones: of their paths there are more than anybody can walk."""
    orders = LockOrders()
    names = [f"l{number}" for number in range(40)]
    for first, one in enumerate(names):
        for other in names[first + 1 :]:
            saw(orders, f"{one}{other}", one, other)
    assert orders.findings == []
    saw(orders, "back", names[-1], names[0])
    assert len(orders.findings) == 1
