# SPDX-License-Identifier: Apache-2.0
"""Nodes and edges: what a process looks like at one instant.

Plain data, no behaviour, no OpenTelemetry. All times are integers, Unix epoch nanoseconds (`_ns`). Instances are not
shared between threads while they are being built and are treated as immutable afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

AttributeValue: TypeAlias = str | int | bool


class NodeKind(StrEnum):
    """Order is part of the wire format: append, never reorder."""

    TASK = "task"
    THREAD = "thread"
    LOCK = "lock"
    SEMAPHORE = "semaphore"
    EVENT = "event"
    CONDITION = "condition"
    BARRIER = "barrier"
    TX = "tx"
    RX = "rx"
    FUTURE = "future"
    TIMER = "timer"
    IO = "io"
    EXECUTOR = "executor"
    COMMAND = "command"
    REQUEST = "request"
    RESPONSE = "response"
    CONNECTION = "connection"
    SHM = "shm"
    CUSTOM = "custom"


class EdgeKind(StrEnum):
    """Order is part of the wire format: append, never reorder."""

    NEEDS = "needs"  # waiter -> what it waits for
    HELD_BY = "held_by"  # resource -> holder
    SPAWNED = "spawned"  # parent -> child
    CHANNEL_LINK = "channel_link"  # tx -> rx
    RPC_LINK = "rpc_link"  # request -> response
    HANDLED_BY = "handled_by"  # response -> task or thread that runs the handler
    CLOSED_BY = "closed_by"  # closed thing -> who closed it
    TOUCHES = "touches"  # user -> resource it has in its hands
    COULD_END = "could_end"  # what is waited for -> who may still end the wait, by the heap and by its remaining code
    REACHED_BY = "reached_by"  # what is waited for -> who has it, though nothing in its code ends such a wait
    HAD = "had"  # a task or thread that an exception has ended -> what its functions could use; exact: did use


class Confidence(StrEnum):
    EXACT = "exact"
    INFERRED = "inferred"


class Providers(StrEnum):
    """Who could end a wait for this node: the basis of a proof level.

    CLOSED: exactly the known ones (the holder of a lock inside its `with` block, a task for its own end).
    ESTIMATED: the known ones, but the language lets others do it too (a lock taken by a bare `acquire()`).
    OPEN: anybody (an event, a queue, a socket).
    """

    CLOSED = "closed"
    ESTIMATED = "estimated"
    OPEN = "open"


class Frame(NamedTuple):
    """One frame of a stack. `line` is None where it was not resolved.

    `library`: the library whose code it is, empty for the program's own; None where that was not told. The process
    decides it, nobody else guesses.
    """

    function: str
    file: str
    line: int | None
    library: str | None = None

    @property
    def own(self) -> bool | None:
        """Whether it is the program's own code; None where that was not told."""
        return None if self.library is None else not self.library


@dataclass(slots=True)
class Wait:
    """Why a task or thread does not run.

    `needs`: how many of the node's `needs` edges must be satisfied (k of n). `deadline_ns`: when a timer ends the
    wait whatever happens. `exact`: `since_ns` was recorded, not bounded by two looks. `source`: `path:line` of the
    innermost own frame; where there is none, `in` and the library, and `, started at path:line` where that is known.
    """

    operation: str
    since_ns: int
    source: str
    needs: int = 1
    deadline_ns: int | None = None
    exact: bool = False


@dataclass(slots=True)
class Node:
    """A runtime thing that exists over time. `id` is `kind:ULID`, unique across processes.

    `confidence` speaks of `created_at` and `source`. `steps` counts the steps of a task that were noticed (a lower
    bound): it moves whenever the task has advanced between two looks. `stack` is the chain of awaits, outermost first.
    """

    id: str
    kind: NodeKind
    name: str
    created_at: int
    source: str
    confidence: Confidence = Confidence.EXACT
    state: str | None = None
    providers: Providers | None = None
    wait: Wait | None = None
    stack: tuple[Frame, ...] = ()
    steps: int | None = None
    attributes: dict[str, AttributeValue] = field(default_factory=dict[str, AttributeValue])


def with_attributes(node: Node, attributes: dict[str, AttributeValue]) -> Node:
    """The same but for these: `dataclasses.replace` takes several times as long, and there may be very many."""
    return Node(
        node.id,
        node.kind,
        node.name,
        node.created_at,
        node.source,
        node.confidence,
        node.state,
        node.providers,
        node.wait,
        node.stack,
        node.steps,
        attributes,
    )


@dataclass(slots=True, frozen=True)
class Edge:
    """A relation. `cancels`: cancelling `src` also cancels `dst` (a task and the children it awaits). `bare`: of
    HELD_BY, taken by an `acquire()` that no block gives back, so it may be a signal or be handed over."""

    kind: EdgeKind
    src: str
    dst: str
    since_ns: int | None = None
    source: str | None = None
    confidence: Confidence = Confidence.EXACT
    cancels: bool = False
    bare: bool = False


@dataclass(slots=True)
class Graph:
    """Nodes by id and edges, of one process or of many. `edges` may name nodes that are not present (ghosts)."""

    nodes: Mapping[str, Node]
    edges: list[Edge]
