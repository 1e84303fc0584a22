# SPDX-License-Identifier: Apache-2.0
"""What is known of one greenlet between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from ... import semconv
from ...model import AttributeValue, Edge, NodeKind, own_line
from ..context import ProbeContext
from ..internals import gevent as internals
from ..internals.thread import all_threads, facts
from ..pools.in_hand import Borrowed
from ..resource_types import Held
from ..runtime_tasks import RuntimeTask
from ..source import source_text
from ..threads.call_stack import CallStack
from ..unique_names import UniqueNames

_MAIN = "main greenlet"


@dataclass(slots=True)
class GreenletRecord(RuntimeTask):
    """`waker`: what gevent has noted to wake it, which lives as long as that wait; `print_`: where that takes no weak
    reference, what its functions had in hand. `clock_ns`: what the clock of its hub's thread has shown when it was
    read. `is_settled`: it need not be read again as long as that is so."""

    waker: ref[Any] | None = None
    print_: tuple[int, ...] = ()
    clock_ns: int | None = None
    hub: int = 0
    until_ns: int | None = None
    edges: tuple[Edge, ...] = ()
    targets: list[ref[Any]] = field(default_factory=list[ref[Any]])
    holds: list[tuple[ref[Any], Held]] = field(default_factory=list[tuple[ref[Any], Held]])
    borrowed: tuple[Borrowed, ...] = ()
    is_settled: bool = False


def first_seen(
    one: Any, is_main: bool, calls: CallStack | None, context: ProbeContext, names: UniqueNames, now_ns: int
) -> GreenletRecord:
    """The unchanging facts of a greenlet: it is called after the thread that it stands for, where `threading` was
    patched, else after the function that it runs."""
    code = calls.codes[-1] if calls is not None and calls.codes else None
    own = None if calls is None else next((n for n in reversed(range(len(calls))) if calls.is_own(n)), None)
    if calls is not None and own is not None:
        code = calls.codes[own]
    code = code or internals.code_of(one)
    thread = all_threads().get(id(one))
    if is_main:
        told = _MAIN
    elif thread is not None:
        told = facts(id(one), thread).name
    else:
        told = "greenlet" if code is None else code.co_qualname
    name, number = names.take(NodeKind.TASK, told)
    node_id = context.ids.new(NodeKind.TASK, now_ns)
    source = own_line.UNKNOWN if code is None else source_text.defined_at(code)
    attributes: dict[str, AttributeValue] = {} if code is None else {semconv.TASK_COROUTINE: code.co_qualname}
    return GreenletRecord(node_id, name, number, now_ns, source, attributes)
