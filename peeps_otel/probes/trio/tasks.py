# SPDX-License-Identifier: Apache-2.0
"""What is known of one Trio task between two looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import semconv
from ...model import AttributeValue, Edge, NodeKind, own_line
from ..asyncio.relations import Holds
from ..asyncio.tasks import coroutine_code
from ..context import ProbeContext
from ..internals import trio as internals
from ..runtime_tasks import RuntimeTask
from ..source import source_text
from ..unique_names import UniqueNames


@dataclass(slots=True)
class TrioTask(RuntimeTask):
    """`has_lines`, `matters`: as of `LineBudget`. `deadline`: on the run's clock, so that the same timer does not seem
    to move."""

    steps: int = -1
    since_ns: int = 0
    edges: tuple[Edge, ...] = ()
    shown: tuple[Edge, ...] = ()
    holds: Sequence[Holds] = ()
    deadline: float | None = None
    is_settled: bool = False
    puts: bool = False
    has_lines: bool = False
    matters: bool = False


def first_seen(task: Any, context: ProbeContext, names: UniqueNames, now_ns: int) -> TrioTask:
    """The unchanging facts of a task. Where it was started nobody has written down: its function's line stands for
    that."""
    code = coroutine_code(getattr(task, "coro", None))
    source = own_line.UNKNOWN if code is None else source_text.defined_at(code)
    told = internals.name_of(task) or ("task" if code is None else code.co_qualname)
    name, number = names.take(NodeKind.TASK, told)
    node_id = context.ids.new(NodeKind.TASK, now_ns)
    attributes: dict[str, AttributeValue] = {} if code is None else {semconv.TASK_COROUTINE: code.co_qualname}
    return TrioTask(node_id, name, number, now_ns, source, attributes)
