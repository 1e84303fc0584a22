# SPDX-License-Identifier: Apache-2.0
"""What columns say of nodes. A missing value is None, never 0."""

from __future__ import annotations

from collections.abc import Callable

from peeps_otel import semconv
from peeps_otel.diagnosis.wording import label
from peeps_otel.model import EdgeKind, Node, NodeKind, own_line
from peeps_otel.report.in_words import is_telemetry

from .column import Column, Fold, Type, Value
from .moment import Moment, Subject

_FRAMES = 4


def node_of(subject: Subject) -> Node:
    assert subject.node is not None
    return subject.node


def attribute(key: str) -> Callable[[Moment, Subject], Value]:
    """A column's value that is an attribute of the node; true and false as yes and no."""

    def of(_: Moment, subject: Subject) -> Value:
        value = node_of(subject).attributes.get(key)
        return ("no", "yes")[value] if isinstance(value, bool) else value

    return of


def share(part: str, whole: str) -> Callable[[Moment, Subject], Value]:
    """How much of one attribute another is; None where one is missing, or there is no bound."""

    def of(_: Moment, subject: Subject) -> Value:
        attributes = node_of(subject).attributes
        some, all_ = attributes.get(part), attributes.get(whole)
        return some / all_ if isinstance(some, int) and isinstance(all_, int) and all_ > 0 else None

    return of


def name(_: Moment, subject: Subject) -> Value:
    return label(node_of(subject))


def runner_state(moment: Moment, subject: Subject) -> Value:
    """`stuck` where a finding says so, else its own state."""
    node = node_of(subject)
    if node.wait is not None and node.id in moment.stuck:
        return "stuck"
    return node.state or ("waiting" if node.wait is not None else "running")


def thing_state(moment: Moment, subject: Subject) -> Value:
    """Of what is waited for: `stuck`, `full`, `held`, `awaited` or `idle`."""
    node = node_of(subject)
    waiters = moment.waiters.get(node.id, ())
    if node.id in moment.stuck or any(one.id in moment.stuck for one in waiters):
        return "stuck"
    length, capacity = (node.attributes.get(key) for key in (semconv.CHANNEL_LENGTH, semconv.CHANNEL_CAPACITY))
    if isinstance(length, int) and isinstance(capacity, int) and 0 < capacity <= length:
        return "full"
    if moment.out(node, EdgeKind.HELD_BY) or node.attributes.get(semconv.LOCK_LOCKED) is True:
        return "held"
    return "awaited" if waiters else node.state or "idle"


def waits_since(_: Moment, subject: Subject) -> Value:
    wait = node_of(subject).wait
    return None if wait is None else wait.since_ns


def waits_for(moment: Moment, subject: Subject) -> Value:
    node = node_of(subject)
    if node.wait is None:
        return None
    return moment.labels([edge.dst for edge in moment.out(node, EdgeKind.NEEDS)]) or node.wait.operation


def site(_: Moment, subject: Subject) -> Value:
    """Where it waits, else its innermost own line, else where it was made."""
    node = node_of(subject)
    if node.wait is not None and node.wait.source:
        return node.wait.source
    own = own_line.innermost(node.stack)
    return own_line.source(own) or node.source or None


def made(_: Moment, subject: Subject) -> Value:
    return node_of(subject).source or None


def stack(_: Moment, subject: Subject) -> Value:
    """The innermost own functions, the innermost first; of a thread without any, the innermost of all."""
    frames = node_of(subject).stack[::-1]
    own = [frame.function for frame in frames if not frame.library]
    return " < ".join(own[:_FRAMES] or [frame.function for frame in frames[:1]]) or None


def holders(moment: Moment, subject: Subject) -> Value:
    return moment.labels([edge.dst for edge in moment.out(node_of(subject), EdgeKind.HELD_BY)]) or None


def held_since(moment: Moment, subject: Subject) -> Value:
    since = [edge.since_ns for edge in moment.out(node_of(subject), EdgeKind.HELD_BY) if edge.since_ns]
    return min(since, default=None)


def held_at(moment: Moment, subject: Subject) -> Value:
    return next((edge.source for edge in moment.out(node_of(subject), EdgeKind.HELD_BY) if edge.source), None)


def waiters(moment: Moment, subject: Subject) -> Value:
    return len(moment.waiters.get(node_of(subject).id, ()))


def waited_since(moment: Moment, subject: Subject) -> Value:
    """Since when the first of those has waited who wait for it now."""
    since = [one.wait.since_ns for one in moment.waiters.get(node_of(subject).id, ()) if one.wait is not None]
    return min(since, default=None)


def closed_by(moment: Moment, subject: Subject) -> Value:
    return moment.labels([edge.dst for edge in moment.out(node_of(subject), EdgeKind.CLOSED_BY)]) or None


def other_end(moment: Moment, subject: Subject) -> Value:
    return moment.labels([edge.dst for edge in moment.out(node_of(subject), EdgeKind.CHANNEL_LINK)]) or None


def tasks_of_thread(moment: Moment, subject: Subject) -> Value:
    """How many tasks its event loop has; None where it has none."""
    return moment.tasks_by_thread.get(node_of(subject).id)


def is_lock(node: Node) -> bool:
    kinds = (NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER)
    return node.kind in kinds and semconv.POOL_IN_USE not in node.attributes


def is_channel(node: Node) -> bool:
    return node.kind in (NodeKind.TX, NodeKind.RX)


def is_pool(node: Node) -> bool:
    return semconv.POOL_IN_USE in node.attributes


def is_thread(node: Node) -> bool:
    return node.kind is NodeKind.THREAD and not is_telemetry(node)


PROCESS = Column("process", "process", Type.TEXT, lambda m, s: m.process_name(s.process))
IDENTITY = (
    Column("id", "id", Type.TEXT, lambda _, s: s.id, Fold.FIRST, is_shown=False),
    Column("kind", "kind", Type.TEXT, lambda _, s: node_of(s).kind.value, is_shown=False),
    Column("age", "age", Type.SINCE, lambda _, s: node_of(s).created_at, is_shown=False),
)
"""What every table of nodes knows."""
NAME = Column("name", "name", Type.TEXT, name, Fold.FIRST)
MADE = Column("made", "made at", Type.PLACE, made)
WAITERS = Column("waiters", "waiters", Type.NUMBER, waiters)
WAITED = Column("waits", "longest wait", Type.SINCE, waited_since)
