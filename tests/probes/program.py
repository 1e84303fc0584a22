# SPDX-License-Identifier: Apache-2.0
"""A program with an event loop in a thread of its own, looked at from another thread as in production."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peeps_otel.model import Edge, EdgeKind, Node
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.probe import Observation

TRIES = 400
SECOND = 1_000_000_000
kept: list[Any] = []
"""What the running test keeps alive; let go of when it ends."""


class Seen:
    """An observation, by names instead of ids."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self.nodes = observation.nodes
        self.edges = [edge for edges in observation.edges.values() for edge in edges]

    def label(self, node_id: str) -> str:
        node = self.nodes.get(node_id)
        if node is None:  # another probe's
            return node_id.partition(":")[0]
        return str(node.kind) if node.kind == "io" else f"{node.kind} {node.name}"

    def node(self, label: str) -> Node:
        (found,) = (node for node in self.nodes.values() if self.label(node.id) == label)
        return found

    def task(self, name: str) -> Node:
        return self.node(f"task {name}")

    def edges_of(self, kind: EdgeKind, label: str) -> list[Edge]:
        return [edge for edge in self.edges if edge.kind is kind and self.label(edge.src) == label]

    def needs(self, name: str) -> list[str]:
        return sorted(self.label(edge.dst) for edge in self.edges_of(EdgeKind.NEEDS, f"task {name}"))

    def holders(self, label: str) -> list[str]:
        return [self.label(edge.dst) for edge in self.edges_of(EdgeKind.HELD_BY, label)]

    def operation(self, name: str) -> str | None:
        """What a task waits in; None where it is not there or does not wait."""
        found = [node for node in self.nodes.values() if node.name == name and node.kind == "task"]
        return found[0].wait.operation if len(found) == 1 and found[0].wait is not None else None


class Program:
    def __init__(self, probe: AsyncioProbe, loop: asyncio.AbstractEventLoop) -> None:
        self.probe = probe
        self.loop = loop

    def look(self, ahead_ns: int = 0) -> Seen:
        return Seen(self.probe.look(time.time_ns() + ahead_ns))

    def until(self, condition: Callable[[Seen], bool], ahead_ns: int = 0) -> Seen:
        seen = self.look(ahead_ns)
        for _ in range(TRIES):
            if condition(seen):
                return seen
            time.sleep(0.005)
            seen = self.look(ahead_ns)
        raise AssertionError(f"never seen; last: {[(n.name, n.state, n.wait) for n in seen.nodes.values()]}")

    def settled(self, *names: str) -> Seen:
        """The second look at which each of these tasks waits in the same wait: lines are known from then on."""
        self.until(lambda seen: all(seen.operation(name) is not None for name in names))
        return self.look()

    def call(self, function: Callable[[], object]) -> None:
        """Runs a function on the loop, and lets the loop settle."""
        done = threading.Event()

        def run() -> None:
            function()
            self.loop.call_soon(self.loop.call_soon, done.set)

        self.loop.call_soon_threadsafe(run)
        assert done.wait(30)


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


@contextmanager
def running(
    probe: AsyncioProbe, main: Callable[[], Awaitable[object]], loop_kind: str = "asyncio"
) -> Generator[Program, None, None]:
    """Runs `main` and leaves its tasks as they are until the block ends."""
    loop = new_loop(loop_kind)
    started = threading.Event()
    errors: list[BaseException] = []

    async def begin() -> None:
        stop.append(asyncio.Event())
        try:
            await main()
            started.set()
            await stop[0].wait()
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            started.set()

    stop: list[asyncio.Event] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        main_task = loop.create_task(begin(), name="harness")
        try:
            loop.run_until_complete(main_task)
        except BaseException as error:
            if not errors:
                errors.append(error)
        finally:
            rest = asyncio.all_tasks(loop)
            for task in rest:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            loop.close()

    thread = threading.Thread(target=run, name="program", daemon=True)
    thread.start()
    assert started.wait(30)
    if errors:
        thread.join(30)
        raise errors[0]
    try:
        yield Program(probe, loop)
    finally:
        loop.call_soon_threadsafe(stop[0].set)
        thread.join(30)
        assert not thread.is_alive()


def started(coroutine: Coroutine[Any, Any, Any], name: str | None = "waiter") -> asyncio.Task[Any]:
    """A task that is `kept`."""
    task = asyncio.create_task(coroutine, name=name)
    kept.append(task)
    return task


def here(marker: str, depth: int = 1) -> str:
    """`path:line` of the line of the calling test's file that ends with `# <marker>`."""
    frame = inspect.currentframe()
    for _ in range(depth):
        assert frame is not None
        frame = frame.f_back
    assert frame is not None
    file = frame.f_code.co_filename
    lines = Path(file).read_text().splitlines()
    (found,) = (number for number, line in enumerate(lines, 1) if line.endswith(f"# <{marker}>"))
    return f"{file}:{found}"
