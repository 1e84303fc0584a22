# SPDX-License-Identifier: Apache-2.0
"""Plain data that the garbage collector does not look at goes with its last reference all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import NamedTuple

import pytest

from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Wait
from peeps_otel.model.untracked import Reference, untracked, weakly


class _Thing:
    pass


def test_the_collector_does_not_look_at_it_and_it_is_the_same_object() -> None:
    wait = Wait("sleep", 1, "app.py:1")
    assert gc.is_tracked(wait)
    assert untracked(wait) is wait
    assert not gc.is_tracked(untracked(wait))  # as often as one likes


class _Pair(NamedTuple):
    one: int
    other: str


@pytest.mark.parametrize(
    "make",
    [
        lambda: Wait("sleep", 1, "app.py:1"),
        lambda: Node("task:1", NodeKind.TASK, "one", 1, "app.py:1"),
        lambda: Edge(EdgeKind.NEEDS, "task:1", "lock:1"),
        lambda: _Pair(1, "two"),
        lambda: (Wait("sleep", 1, "app.py:1"),),
        lambda: [object()],
        lambda: {"a": [1]},
        lambda: Reference(NodeKind),
    ],
)
def test_each_of_these_types_may_end_without_it(make: Callable[[], object]) -> None:
    """A destructor that takes it for granted that the collector looks at the object would crash the process."""
    for _ in range(1000):
        untracked(make())
    gc.collect()


def test_what_it_refers_to_goes_with_it() -> None:
    words = weakref.WeakSet[_Thing]()

    def make() -> Node:
        thing = _Thing()
        words.add(thing)
        node = untracked(Node("task:1", NodeKind.TASK, "one", 1, "app.py:1"))
        node.attributes = {"thing": thing}  # type: ignore[dict-item]  # pyright: ignore[reportAttributeAccessIssue]  # a wrong type on purpose
        return node

    node = make()
    gc.collect()
    assert len(words) == 1
    del node
    assert len(words) == 0


def test_a_weak_reference_of_ours_is_not_the_one_that_others_have() -> None:
    thing = _Thing()
    theirs, ours = weakref.ref(thing), weakly(thing)
    assert ours is not theirs
    assert ours() is thing
    assert (gc.is_tracked(theirs), gc.is_tracked(ours)) == (True, False)
    del thing
    assert ours() is None
