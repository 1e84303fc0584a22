# SPDX-License-Identifier: Apache-2.0
"""`--peeps-strict`: a test must leave no task and no thread waiting.

A task counts that a line of the test's own code created while it ran, and that waits when its last line is done: the
event loop's end would only cancel it. A thread counts that was begun during the test and waits after its teardown.
Workers of pools that wait for work are at rest, and count as nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ..diagnosis.wording import count
from ..model import Node, NodeKind, own_line
from ..report.in_words import Places, is_telemetry, live_node
from ..report.sentences import at
from ..report.style import printable

if TYPE_CHECKING:
    from ..local.picture import Picture
    from .session_watch import SessionWatch

_GRACE_S = 1.0
_BETWEEN_S = 0.1
_NAMED = 10


class Leftovers:
    """Of one test after the other. Each method may call pytest.fail."""

    def __init__(self, watch: SessionWatch) -> None:
        self._watch = watch
        self._threads: set[str] = set()
        self._tasks: set[str] = set()

    def before_setup(self) -> None:
        self._threads = set(self._watch.picture().nodes)

    def before_call(self) -> None:
        self._tasks = set(self._watch.picture().nodes)

    def after_call(self) -> None:
        self._none_of(NodeKind.TASK, self._tasks)

    def after_teardown(self) -> None:
        self._none_of(NodeKind.THREAD, self._threads)

    def _none_of(self, kind: NodeKind, before: set[str]) -> None:
        """One that is just ending has a moment for it."""
        end_s = time.monotonic() + _GRACE_S
        while left := _waiting(picture := self._watch.picture(), kind, before):
            if time.monotonic() >= end_s:
                pytest.fail(_text(picture, kind, left), pytrace=False)
            time.sleep(_BETWEEN_S)


def _waiting(picture: Picture, kind: NodeKind, before: set[str]) -> list[Node]:
    return [
        node
        for node in picture.nodes.values()
        if node.kind is kind
        and node.id not in before
        and node.wait is not None
        and node.state != "idle"
        and (kind is NodeKind.THREAD or own_line.is_line(node.source))
        and not is_telemetry(node)
    ]


def _text(picture: Picture, kind: NodeKind, left: list[Node]) -> str:
    lines = [f"the test left {count(len(left), kind.value)} waiting:"]
    for node in left[:_NAMED]:
        told = live_node(node, picture.time_ns, Places(picture.directory))
        wait = told["wait"]
        task = kind is NodeKind.TASK and own_line.is_line(wait["source"])
        begun = f", started at {told['short']}" if task else ""
        lines.append(
            printable(f"  {told['label']} has waited for {wait['age']}{at(wait)} ({wait['operation']}){begun}")
        )
    if len(left) > _NAMED:
        lines.append(f"  and {len(left) - _NAMED} more")
    return "\n".join(lines)
