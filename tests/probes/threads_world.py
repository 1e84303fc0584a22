# SPDX-License-Identifier: Apache-2.0
"""Real threads, left in what they do until the test ends, and the probes looking at them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from peeps_otel.model import Edge, EdgeKind, Node
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.probe import Observation
from peeps_otel.probes.threads.probe import ThreadProbe


class Seen:
    """One look, by names."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self.nodes = observation.nodes

    def thread(self, name: str) -> Node:
        (found,) = [node for node in self.nodes.values() if node.kind == "thread" and node.name == name]
        return found

    def label(self, node_id: str) -> str:
        node = self.nodes.get(node_id)
        return f"gone {node_id}" if node is None else f"{node.kind} {node.name}"

    def edges(self, node: Node, kind: EdgeKind) -> list[Edge]:
        return [edge for edge in self.observation.edges.get(node.id, ()) if edge.kind is kind]

    def needed(self, name: str) -> list[Node]:
        """What a thread waits for."""
        return [self.nodes[edge.dst] for edge in self.edges(self.thread(name), EdgeKind.NEEDS)]

    def holders(self, node: Node) -> list[str]:
        return [self.label(edge.dst) for edge in self.edges(node, EdgeKind.HELD_BY)]


class World:
    """Threads and the probes. `cleaning`: what lets the threads end."""

    def __init__(self) -> None:
        recorder = Recorder(10_000_000)
        context = ProbeContext()
        self.threads_probe = ThreadProbe(context)
        self.probes = CompositeProbe([AsyncioProbe(recorder, context=context), self.threads_probe], context)
        self.cleaning: list[Callable[[], object]] = []
        self.threads: dict[str, threading.Thread] = {}

    def start(self, name: str, function: Callable[[], object]) -> threading.Thread:
        thread = self.threads[name] = threading.Thread(target=_without_noise(function), name=name, daemon=True)
        thread.start()
        return thread

    def look(self) -> Seen:
        return Seen(self.probes.look(time.time_ns(), lambda: None))

    def settled(self, *names: str, state: str = "waiting") -> Seen:
        """The second look at which each of these threads is in the same wait."""
        self.until(lambda seen: all(self._is(seen, name, state) for name in names))
        return self.until(lambda seen: all(self._is(seen, name, state) for name in names))

    def until(self, condition: Callable[[Seen], bool]) -> Seen:
        for _ in range(1000):
            seen = self.look()
            if condition(seen):
                return seen
            time.sleep(0.01)
        states = [(node.name, node.state, node.wait) for node in self.look().nodes.values() if node.kind == "thread"]
        raise AssertionError(f"never seen; last: {states}")

    def _is(self, seen: Seen, name: str, state: str) -> bool:
        found = [node for node in seen.nodes.values() if node.kind == "thread" and node.name == name]
        return len(found) == 1 and found[0].state == state

    def end(self) -> None:
        for clean in reversed(self.cleaning):
            clean()
        for thread in self.threads.values():
            thread.join(20)
            assert not thread.is_alive(), thread.name


def _without_noise(function: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with suppress(Exception, asyncio.CancelledError):  # how a test ends a thread is no concern of the console
            function()

    return run


@contextmanager
def world() -> Generator[World]:
    made = World()
    try:
        yield made
    finally:
        made.end()


def release(lock: Any) -> Callable[[], None]:
    """Lets go of a lock that another thread took, if it is taken."""

    def run() -> None:
        if lock.locked():
            lock.release()

    return run


def cpu_ns(thread: threading.Thread) -> int:
    """How much processor time a thread has used."""
    assert thread.ident is not None
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
