# SPDX-License-Identifier: Apache-2.0
"""Nodes and who waits for whom: what every reader of a graph of waits asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind, Wait
from .closure import closure, no_pause

WAITERS = frozenset({NodeKind.TASK, NodeKind.THREAD})
BOUNDED = frozenset({NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.TX})
"""Resources that can run out: somebody who waits for one waits because others have it."""

ANSWERS = frozenset({EdgeKind.RPC_LINK, EdgeKind.HANDLED_BY})
_THREAD_PREFIX = f"{NodeKind.THREAD}:"
IDLE = "idle"


@dataclass(slots=True)
class Sorted:
    """The nodes of a graph by kind: `others` are all but tasks, `marked` the tasks that carry an attribute that some
    rule speaks of, `bearing` the others by each such attribute that they carry."""

    tasks: Collection[Node] = field(default_factory=list[Node])
    marked: Collection[Node] = field(default_factory=list[Node])
    others: Mapping[NodeKind, Collection[Node]] = field(default_factory=dict[NodeKind, Collection[Node]])
    bearing: Mapping[str, Collection[Node]] = field(default_factory=dict[str, Collection[Node]])


class WaitLinks:
    """What a diagnosis reads; with its conditions, a `WaitIndex`. `WaitGraph` makes the indexes anew from one graph,
    `IncrementalIndex` keeps them from look to look.

    By node id: `targets`, what a waiter waits for; `waiters`, who waits for a thing; `holders`, who has it; `users`,
    who has it in his hands; `answers`, what answers a request; where the heap was asked about a thing, `enders`, who
    may end a wait for it, and `reached`, who has it beside those; `bare`, which of its holders took it by a bare
    `acquire()`; `dead`, the edges from those who had it and that an exception has ended. An entry is never empty.
    `settled`: the waiters that have not advanced since the look before. `bounded`: those that a timer ends, directly or
    by cancelling a parent that takes its children with it.
    """

    nodes: Mapping[str, Node]
    settled: Set[str]
    bounded: Set[str]
    targets: Mapping[str, Sequence[str]]
    waiters: Mapping[str, Collection[str]]
    holders: Mapping[str, Sequence[str]]
    users: Mapping[str, Collection[str]]
    answers: Mapping[str, Sequence[str]]
    enders: Mapping[str, Sequence[str]]
    reached: Mapping[str, Sequence[str]]
    bare: Mapping[str, Sequence[str]]
    dead: Mapping[str, Collection[Edge]]

    def __init__(self) -> None:
        self.pause: Callable[[], None] = no_pause
        """Called while much is read, after each step that takes microseconds, so that other threads may run."""
        self._oldest: dict[str, str | None] = {}

    # --- what the two do in their own ways ----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Before a look: what depends on more than one change."""

    def is_due(self, now_ns: int) -> bool:
        """Whether a look may find something else than the one before although nothing has changed: something becomes
        old, or somebody is in a state that a rule speaks of."""
        return True

    def take_touched(self) -> Set[str] | None:
        """The nodes of which something is not as at the last call: themselves, who waits for them, and for how long, or
        has them in his hands. None where that may be any."""
        return None

    def sort(self, pause: Callable[[], None]) -> Sorted:
        """The nodes by kind: once a look."""
        raise NotImplementedError

    def cancelled_by(self, waiter: str) -> Collection[str]:
        """The children that end with it when it is cancelled."""
        raise NotImplementedError

    def tasks_of(self, thread: str) -> Collection[str]:
        """The tasks whose event loop runs in this thread."""
        raise NotImplementedError

    def has_tasks(self, thread: str) -> bool:
        """Whether there is one: asked of very many things of which nothing more is asked."""
        return bool(self.tasks_of(thread))

    def held_of(self, holder: str) -> Collection[str]:
        """What a node has."""
        raise NotImplementedError

    def may_end(self, node_id: str) -> Collection[str]:
        """The things for which it may end a wait, by the heap."""
        raise NotImplementedError

    def holds(self, resource: str) -> Mapping[str, Edge]:
        """By holder: the edge that says since when and where it has the thing."""
        raise NotImplementedError

    def edges_of(self, node_id: str) -> Sequence[Edge]:
        """The edges that go out from a node."""
        raise NotImplementedError

    # --- loops and their threads --------------------------------------------------------------------------------------

    def stuck_threads(self, deadlines: bool = True) -> Iterable[str]:
        """All threads of `is_stuck_thread` that wait for something known."""
        return [w for w in self.targets if w.startswith(_THREAD_PREFIX) and self.is_stuck_thread(w, deadlines)]

    def is_stuck_thread(self, node_id: str, deadlines: bool = True) -> bool:
        """A thread in a wait that has settled and that no timer ends: no loop of it makes a step meanwhile.
        `deadlines`: False takes timers for none."""
        node = self.nodes.get(node_id)
        return (
            node is not None
            and node.kind is NodeKind.THREAD
            and node.wait is not None
            and node.state != IDLE
            and node_id in self.settled
            and not (deadlines and node_id in self.bounded)
        )

    # --- single nodes -------------------------------------------------------------------------------------------------

    def wait_of(self, waiter: str) -> Wait:
        """The wait of a node known to wait."""
        wait = self.nodes[waiter].wait
        assert wait is not None
        return wait

    def since_of(self, node_id: str) -> int | None:
        """When the wait of a node began; None for one that does not wait."""
        node = self.nodes.get(node_id)
        return None if node is None or node.wait is None else node.wait.since_ns

    def thread_of(self, task: str) -> str | None:
        """The node id of the thread that runs the loop of a task."""
        node = self.nodes.get(task)
        home = None if node is None else node.attributes.get(semconv.TASK_THREAD)
        return home if isinstance(home, str) else None

    def held_by(self, resource: str, holder: str) -> Edge | None:
        """The edge that says since when and where the holder has it."""
        return self.holds(resource).get(holder)

    def ahead(self, members: Iterable[str]) -> set[str]:
        """The members and everything that their waits may lead to, whatever else could end them."""

        def leads_to(node: str) -> Iterable[str]:
            for one in (self.targets, self.holders, self.answers, self.users, self.enders, self.reached):
                yield from one.get(node, ())
            thread = self.thread_of(node)
            if thread is not None:
                yield thread

        return closure(members, leads_to)

    def waiting(self, members: Iterable[str]) -> list[str]:
        """The tasks and threads among them."""
        return [member for member in members if member in self.nodes and self.nodes[member].kind in WAITERS]

    def behind(self, members: Set[str], known: Set[str] = frozenset()) -> set[str]:
        """Everybody whose waits lead to one of `members`, whatever else could end them; without the members, and
        without those in `known` and who is reached through them alone."""
        reached, work = set(members), list(members)
        while work:
            node = work.pop()
            onward = list(self.waiters.get(node, ()))
            if node.partition(":")[0] in WAITERS:
                onward += self.held_of(node)
            for other in onward:
                if other not in reached and other not in known:
                    reached.add(other)
                    work.append(other)
        return {node for node in reached if node in self.nodes} - members

    def oldest_waiter(self, resource: str) -> str | None:
        """Who has waited longest for it among those in the graph. Each resource's waiters are read once."""
        if resource in self._oldest:
            return self._oldest[resource]
        known = [w for w in self.waiters.get(resource, ()) if w in self.nodes and self.nodes[w].wait is not None]
        oldest = min(known, key=lambda w: (self.wait_of(w).since_ns, w), default=None)
        if known:
            self._oldest[resource] = oldest
        return oldest

    def oldest_wait(self, resource: str) -> int:
        """When the oldest wait for it began; a time far ahead where nobody waits."""
        waiter = self.oldest_waiter(resource)
        return 1 << 63 if waiter is None else self.wait_of(waiter).since_ns
