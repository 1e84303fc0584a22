# SPDX-License-Identifier: Apache-2.0
"""Which nodes are shown where there are more than fit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.api.selection import ranked
from peeps_otel.model import Node, NodeKind, Wait
from tests.support.examples import examples


@given(st.lists(st.tuples(st.booleans(), st.one_of(st.none(), st.integers(0, 5))), max_size=12), st.integers(1, 15))
@settings(max_examples=examples(300), deadline=None)
def test_members_of_findings_come_first_then_who_has_waited_longest(
    rows: list[tuple[bool, int | None]], most: int
) -> None:
    nodes = [
        Node(f"task:{number}", NodeKind.TASK, "t", 1, "a.py:1", wait=None if since is None else Wait("x", since, "a:1"))
        for number, (_, since) in enumerate(rows)
    ]
    core = {node.id for node, (is_member, _) in zip(nodes, rows, strict=True) if is_member}

    def rank(node: Node) -> tuple[int, int]:
        waits = node.wait is not None
        return (2 if node.id not in core else 0 if waits else 1), node.wait.since_ns if node.wait is not None else 99

    assert ranked(nodes, core, most) == sorted(nodes, key=rank)[:most]
