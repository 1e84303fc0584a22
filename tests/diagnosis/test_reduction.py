# SPDX-License-Identifier: Apache-2.0
"""The reduction and the components against definitions that are slow and obvious."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_otel.diagnosis.reduction import Requirement, components, cores, dependents_of, reach, residue, shortest_cycle
from tests.support.examples import examples

Conditions = dict[str, Requirement]

_NAMES = "abcdefg"


@st.composite
def k_of_n(draw: st.DrawFn) -> Conditions:
    """Up to seven nodes; those without a condition are live."""
    names = _NAMES[: draw(st.integers(1, len(_NAMES)))]
    found: Conditions = {}
    for name in names:
        if draw(st.booleans()) or name == "a":
            providers = draw(st.lists(st.sampled_from(names), unique=True))
            thread = draw(st.none() | st.sampled_from(names))
            found[name] = Requirement(draw(st.integers(0, len(providers) + 1)), providers, thread)
    return found


def _stuck_by_brute_force(conditions: Conditions) -> set[str]:
    """The largest set of nodes none of which could become live if the set were stuck: tried one by one."""
    names = sorted(conditions)
    largest: set[str] = set()
    for chosen in product((False, True), repeat=len(names)):
        stuck = {name for name, take in zip(names, chosen, strict=True) if take}
        closed = all(
            sum(provider not in stuck for provider in conditions[name].providers) < conditions[name].k
            or conditions[name].thread in stuck
            for name in stuck
        )
        if closed and len(stuck) > len(largest):
            largest = stuck
    return largest


def _reachable(start: str, nodes: set[str], conditions: Conditions) -> set[str]:
    """By at least one step."""
    found: set[str] = set()
    work = [start]
    while work:
        for provider in conditions[work.pop()].leads_to():
            if provider in nodes and provider not in found:
                found.add(provider)
                work.append(provider)
    return found


@settings(max_examples=examples(400), deadline=None)
@given(k_of_n())
def test_the_residue_is_the_largest_set_that_keeps_itself_stuck(conditions: Conditions) -> None:
    assert residue(conditions) == _stuck_by_brute_force(conditions)


@settings(max_examples=examples(400), deadline=None)
@given(k_of_n())
def test_components_are_the_classes_of_mutual_reachability(conditions: Conditions) -> None:
    nodes = set(conditions)
    reach = {node: _reachable(node, nodes, conditions) for node in nodes}
    expected = {frozenset({node} | {o for o in reach[node] if node in reach[o]}) for node in nodes}
    found = components(nodes, conditions)
    assert {frozenset(component) for component in found} == expected
    assert sum(map(len, found)) == len(nodes)
    place = {node: number for number, component in enumerate(found) for node in component}
    assert all(place[p] <= place[n] for n in nodes for p in conditions[n].leads_to() if p in nodes)


@settings(max_examples=examples(400), deadline=None)
@given(k_of_n())
def test_a_core_is_a_component_that_leads_only_into_itself(conditions: Conditions) -> None:
    nodes = residue(conditions)
    expected = {
        frozenset(component)
        for component in components(nodes, conditions)
        if set().union(*(_reachable(node, nodes, conditions) for node in component)) == set(component)
    }
    assert {frozenset(core) for core in cores(nodes, conditions)} == expected


@settings(max_examples=examples(400), deadline=None)
@given(k_of_n())
def test_the_ring_of_a_core_is_a_shortest_one(conditions: Conditions) -> None:
    nodes = residue(conditions)
    for core in cores(nodes, conditions):
        ring = shortest_cycle(core, conditions)
        assert len(set(ring)) == len(ring) >= 1
        assert set(ring) <= set(core)
        assert all(b in conditions[a].leads_to() for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
        if len(ring) > 4:
            assert len(ring) == min(_distance_to_itself(node, core, conditions) for node in core)


def _distance_to_itself(start: str, core: list[str], conditions: Conditions) -> int:
    frontier, steps = {start}, 0
    while True:
        frontier = {p for node in frontier for p in conditions[node].leads_to() if p in core}
        steps += 1
        if start in frontier:
            return steps


@settings(max_examples=examples(400), deadline=None)
@given(k_of_n())
def test_the_tail_is_everything_that_leads_into_the_core(conditions: Conditions) -> None:
    nodes = residue(conditions)
    for core in cores(nodes, conditions):
        expected = {n for n in nodes if _reachable(n, nodes, conditions) & set(core)} - set(core)
        assert reach(core, dependents_of(nodes, conditions)) == expected


def _all(*providers: str) -> Requirement:
    return Requirement(len(providers), providers)


def test_a_ring_with_a_way_out_is_none() -> None:
    assert residue({"a": _all("b"), "b": Requirement(1, "ac")}) == set()


def test_the_same_ring_where_the_way_out_is_stuck_as_well() -> None:
    assert residue({"a": _all("b"), "b": Requirement(1, "ac"), "c": _all("c")}) == {"a", "b", "c"}


def test_a_lasso_has_its_loop_as_core() -> None:
    conditions = {"x": _all("y"), "y": _all("a"), "a": _all("b"), "b": _all("a")}
    stuck = residue(conditions)
    assert stuck == {"x", "y", "a", "b"}
    assert [sorted(core) for core in cores(stuck, conditions)] == [["a", "b"]]
    assert reach({"a", "b"}, dependents_of(stuck, conditions)) == {"x", "y"}


def test_more_than_there_are_is_never() -> None:
    assert residue({"a": Requirement(1, "")}) == {"a"}
    assert residue({"a": Requirement(2, "b")}) == {"a"}
    assert cores({"a"}, {"a": Requirement(1, "")}) == []


def test_a_task_needs_its_thread_as_well() -> None:
    blocked = Requirement(1, "f")
    assert residue({"t": blocked, "f": _all("a"), "a": Requirement(0, "", "t")}) == {"t", "f", "a"}
    assert residue({"t": blocked, "f": _all("a"), "a": Requirement(0, "", "u")}) == set()
    assert residue({"t": blocked, "f": _all("live"), "a": Requirement(1, "", "t")}) == {"a"}


def test_tens_of_thousands_in_one_ring() -> None:
    size = 30_000
    conditions = {str(n): Requirement(1, (str((n + 1) % size),)) for n in range(size)}
    stuck = residue(conditions)
    assert len(stuck) == size
    assert [len(core) for core in cores(stuck, conditions)] == [size]
    conditions["0"] = Requirement(1, ("1", "live"))
    assert residue(conditions) == set()
