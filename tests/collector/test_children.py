# SPDX-License-Identifier: Apache-2.0
"""Who waits for the end of a child process waits for its main thread."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from peeps_collector.graph.children import Children
from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party
from peeps_otel.model import EdgeKind, Node, NodeKind
from tests.collector.collector_support import new_id

S = 1_000_000_000
PARENT, CHILD = Party("a", "shop (pid 10)", 10, "here"), Party("b", "importer (pid 20)", 20, "here")


def command(pid: int = 20) -> Node:
    return Node(
        new_id(NodeKind.COMMAND), NodeKind.COMMAND, "importer", S, "a.py:1", attributes={semconv.COMMAND_PID: pid}
    )


def thread(native_id: int = 20) -> Node:
    about = {semconv.THREAD_NATIVE_ID: native_id}
    return Node(new_id(NodeKind.THREAD), NodeKind.THREAD, "MainThread", 2 * S, "b.py:1", attributes=dict(about))


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_the_end_of_a_child_is_that_of_its_main_thread_in_any_order(order: tuple[int, int]) -> None:
    children, waited_for, main = Children(), command(), thread()
    told = [(waited_for, PARENT), (main, CHILD)]
    turned = [one for place in order for one in children.put(*told[place])]
    (link,) = children.links(waited_for.id)
    assert (link.kind, link.src, link.dst) == (EdgeKind.COULD_END, waited_for.id, main.id)
    assert [(one.process, one.node_id, one.after) for one in turned] == [("a", waited_for.id, (link,))]
    assert children.dressed(waited_for).attributes[semconv.COULD_END_ASKED] == 2 * S
    assert children.put(main, CHILD) == children.put(waited_for, PARENT) == []


def test_another_thread_another_host_or_another_process_is_not_it() -> None:
    children, waited_for = Children(), command()
    children.put(waited_for, PARENT)
    children.put(thread(native_id=21), CHILD)
    children.put(thread(), Party("c", "importer (pid 20)", 20, "there"))
    children.put(thread(native_id=30), Party("d", "importer (pid 30)", 30, "here"))
    assert (children.links(waited_for.id), children.dressed(waited_for)) == ((), waited_for)


def test_it_is_over_with_either_of_them() -> None:
    children, waited_for, main = Children(), command(), thread()
    children.put(waited_for, PARENT)
    children.put(main, CHILD)
    links = children.links(waited_for.id)
    assert [(one.before, one.after) for one in children.drop(main.id)] == [(links, ())]
    children.put(main, CHILD)
    assert [(one.before, one.after) for one in children.drop(waited_for.id)] == [(links, ())]
    assert (list(children.ids()), children.drop(main.id)) == ([], [])


def test_a_process_of_which_little_was_known_at_first() -> None:
    """The program's own records may come before the first snapshot, and say neither host nor pid."""
    children, waited_for, main = Children(), command(), thread()
    children.put(waited_for, replace(PARENT, host="", pid=None))
    children.put(main, replace(CHILD, host=""))
    assert [edge.dst for edge in children.links(waited_for.id)] == [main.id]
    assert [one.after for one in children.put(waited_for, PARENT)] == [()]
    assert children.links(waited_for.id) == ()
    (turned,) = children.put(main, CHILD)
    assert [edge.dst for edge in turned.after] == [main.id]
    assert children.drop(waited_for.id)[0].before == turned.after
