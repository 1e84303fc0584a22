# SPDX-License-Identifier: Apache-2.0
"""A small language for graphs: tasks, what they wait for, and who has that."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Finding, Frame, Graph, Node, NodeKind, Providers, Wait

SECOND = 1_000_000_000
START = 1_000 * SECOND


class World:
    """Names are unique; `id` is `kind:name`. Waits begin at START unless told otherwise."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._lines = 0

    def task(
        self,
        name: str,
        *targets: str,
        needs: int | None = None,
        operation: str = "lock.acquire",
        since: int = START,
        deadline: int | None = None,
        cancels: bool = False,
        steps: int = 1,
        thread: str | None = None,
        **attributes: AttributeValue,
    ) -> str:
        """A task that waits for `needs` (all, where None) of `targets`; a running one where there are none."""
        node_id = f"task:{name}"
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        if thread is not None:
            named["peeps.task.thread"] = f"thread:{thread}"
        self._lines += 1
        wait = None
        if targets or deadline is not None:
            source = f"/srv/shop/app/work.py:{self._lines}"
            wait = Wait(operation, since, source, len(targets) if needs is None else needs, deadline)
            self.edges += [Edge(EdgeKind.NEEDS, node_id, target, since, source, cancels=cancels) for target in targets]
        state = "running" if wait is None else "waiting"
        self.nodes[node_id] = Node(
            node_id,
            NodeKind.TASK,
            name,
            START,
            "/srv/shop/app/main.py:1",
            state=state,
            wait=wait,
            steps=steps,
            attributes=named,
        )
        return node_id

    def thread(
        self,
        name: str,
        *targets: str,
        operation: str = "lock.acquire",
        since: int = START,
        deadline: int | None = None,
        state: str | None = None,
        stack: tuple[Frame, ...] = (),
        **attributes: AttributeValue,
    ) -> str:
        """A thread that waits for all of `targets`; one in `state`, or running, where there are none."""
        node_id = f"thread:{name}"
        self._lines += 1
        wait = None
        if targets or deadline is not None:
            source = f"/srv/shop/app/work.py:{self._lines}"
            wait = Wait(operation, since, source, len(targets), deadline)
            self.edges += [Edge(EdgeKind.NEEDS, node_id, target, since, source) for target in targets]
        self.nodes[node_id] = Node(
            node_id,
            NodeKind.THREAD,
            name,
            START,
            "/srv/shop/app/main.py:2",
            state=state or ("running" if wait is None else "waiting"),
            wait=wait,
            stack=stack,
            attributes={key.replace("__", "."): value for key, value in attributes.items()},
        )
        return node_id

    def resource(
        self,
        kind: NodeKind,
        name: str,
        *holders: str,
        providers: Providers = Providers.CLOSED,
        unnamed: bool = False,
        bare: bool = False,
        **attributes: AttributeValue,
    ) -> str:
        node_id = f"{kind}:{name}"
        self._lines += 1
        source = f"/srv/shop/app/things.py:{self._lines}"
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        self.nodes[node_id] = Node(
            node_id, kind, "" if unnamed else name, START, source, providers=providers, attributes=named
        )
        for holder in holders:
            self._lines += 1
            taken = f"/srv/shop/app/hold.py:{self._lines}"
            self.edges.append(Edge(EdgeKind.HELD_BY, node_id, holder, START - SECOND, taken, bare=bare))
        return node_id

    def lock(self, name: str, *holders: str, providers: Providers = Providers.CLOSED, bare: bool = False) -> str:
        """`bare`: taken by `acquire()` and by no block."""
        return self.resource(NodeKind.LOCK, name, *holders, providers=providers, bare=bare)

    def queue(self, name: str, length: int, capacity: int) -> str:
        return self.resource(
            NodeKind.TX,
            name,
            providers=Providers.OPEN,
            peeps__channel__length=length,
            peeps__channel__capacity=capacity,
        )

    def touches(self, task: str, resource: str) -> None:
        self.edges.append(Edge(EdgeKind.TOUCHES, task, resource))

    def graph(self) -> Graph:
        return Graph(dict(self.nodes), list(self.edges))

    def advanced(self, *tasks: str) -> Graph:
        """The graph after `tasks` have made a step, in waits that look the same."""
        nodes = dict(self.nodes)
        for task in tasks:
            nodes[task] = replace(nodes[task], steps=(nodes[task].steps or 0) + 1)
        return Graph(nodes, list(self.edges))


def diagnose(world: World, after: int = SECOND, diagnoser: Diagnoser | None = None) -> list[Finding]:
    """What two looks at the same world say, the second `after` nanoseconds after START."""
    one = Diagnoser() if diagnoser is None else diagnoser
    assert one.look(world.graph(), START + after // 2) == []
    return one.look(world.graph(), START + after)


def brief(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.kind.value, finding.level.value, finding.title) for finding in findings]
