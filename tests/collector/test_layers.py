# SPDX-License-Identifier: Apache-2.0
"""A mapping in layers is the plain mapping that was changed in the same way, and stays so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.graph.layers import Layers
from tests.support.examples import examples

KEYS = st.sampled_from([f"key-{number}" for number in range(8)])
CHANGES = st.lists(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers())), max_size=6), max_size=8)


@given(st.dictionaries(KEYS, st.integers()), CHANGES)
@settings(max_examples=examples(300), deadline=None)
def test_each_is_as_the_plain_one_was_then(first: dict[str, int], rounds: list[list[tuple[str, int | None]]]) -> None:
    plain, layers = dict(first), Layers(first)
    seen: list[tuple[dict[str, int], Layers[int]]] = []
    for changes in rounds:
        layers = layers.changed()
        for key, value in changes:
            if value is not None:
                plain[key] = value
                layers.put(key, value)
            elif key in plain:
                del plain[key]
                layers.drop(key)
        seen.append((dict(plain), layers))
    for expected, found in seen:
        assert (dict(found), len(found)) == (expected, len(expected))
        assert {key: found.get(key) for key in expected} == expected
        assert [key in found for key in expected] == [True] * len(expected)


def test_who_makes_it_may_read_it_meanwhile() -> None:
    layers = Layers({"a": 0, "b": 0}).changed()
    for change, expected in (
        (lambda: layers.put("c", 1), {"a": 0, "b": 0, "c": 1}),
        (lambda: layers.update({"a": 2}), {"a": 2, "b": 0, "c": 1}),
        (lambda: layers.drop("b"), {"a": 2, "c": 1}),
    ):
        assert "d" not in layers.keys()  # noqa: SIM118  # all of it is read
        change()
        assert dict(layers.items()) == expected


def test_many_changes_become_the_base_of_the_next() -> None:
    layers = Layers({"a": 0})
    for number in range(5000):
        layers = layers.changed()
        layers.put(f"b{number}", number)
    layers = layers.changed()
    layers.drop("a")
    assert dict(layers) == {f"b{number}": number for number in range(5000)}
    assert "a" not in layers
    with pytest.raises(KeyError):
        layers.drop("a")
    with pytest.raises(KeyError):
        layers["a"]
