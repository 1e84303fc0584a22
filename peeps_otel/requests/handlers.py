# SPDX-License-Identifier: Apache-2.0
"""Who handles a response: the task or thread that began its span, or the tasks in which that lets the program work.

A server may answer by a task of its own and only listen meanwhile whether the client is still there, as Starlette does
while it streams. All that its first task runs is of libraries then, and what it started is in code of the program.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import semconv
from ..model import Node, NodeKind, own_line
from ..probes.probe import Observation

_IDLE = "idle"
_CHILDREN_MOST = 20
_AT_ONCE = 500


class Handlers:
    """Of one look. For the watcher thread only."""

    def __init__(self, observation: Observation, pause: Callable[[], None]) -> None:
        self._observation = observation
        self._pause = pause
        self._children: dict[str, list[Node]] | None = None

    def of(self, beginner: Node | None) -> tuple[str, ...]:
        """`beginner`: of the span of the response. Nobody where that is gone, or is idle."""
        if beginner is None or beginner.state == _IDLE:
            return ()
        if not _only_waits_in_libraries(beginner):
            return (beginner.id,)
        at_work = [child.id for child in self._children_of(beginner.id) if own_line.innermost(child.stack) is not None]
        return tuple(at_work[:_CHILDREN_MOST]) or (beginner.id,)

    def _children_of(self, parent: str) -> list[Node]:
        if self._children is None:
            self._children = {}
            for number, node in enumerate(list(self._observation.nodes.values())):
                if number % _AT_ONCE == 0:
                    self._pause()
                of = node.attributes.get(semconv.TASK_PARENT) if node.kind is NodeKind.TASK else None
                if isinstance(of, str):
                    self._children.setdefault(of, []).append(node)
        return self._children.get(parent, [])


def _only_waits_in_libraries(task: Node) -> bool:
    wait = task.wait
    if task.kind is not NodeKind.TASK or wait is None or wait.deadline_ns is not None or not task.stack:
        return False
    return own_line.innermost(task.stack) is None
