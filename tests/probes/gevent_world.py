# SPDX-License-Identifier: Apache-2.0
"""Hubs of gevent in threads of their own, looked at from another thread as in production."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Graph
from peeps_otel.probes.gevent.probe import GeventProbe
from peeps_otel.probes.patches.gevent_spawn import SpawnedGreenlets
from tests.probes.runtime_world import RuntimeWorld

gevent: Any = pytest.importorskip("gevent")
event: Any = pytest.importorskip("gevent.event")
Spawn = Callable[..., Any]


class Watched(RuntimeWorld):
    """What is seen of hubs in threads."""

    def __init__(self, listens: bool = True) -> None:
        self.spawned = SpawnedGreenlets()
        super().__init__(lambda context: GeventProbe(context, self.spawned))
        if listens:
            self.spawned.install()


@contextmanager
def hub(main: Callable[[Spawn], object], name: str = "runs-gevent") -> Generator[None]:
    """`main(spawn)` in a hub of a thread's own, and all that it spawns, until the block ends. `spawn(name, function,
    *arguments)`."""
    ready, stop = threading.Event(), list[Any]()

    def run() -> None:
        spawned: list[Any] = []

        def spawn(called: str, function: Callable[..., object], *arguments: Any) -> Any:
            def runs() -> None:
                function(*arguments)

            runs.__qualname__ = called
            runs.__code__ = runs.__code__.replace(co_qualname=called, co_name=called)
            spawned.append(gevent.spawn(runs))
            return spawned[-1]

        waker = gevent.get_hub().loop.async_()
        ended = event.Event()
        waker.start(ended.set)
        main(spawn)
        stop.append(waker.send)
        gevent.sleep(0.01)
        ready.set()
        ended.wait()
        gevent.killall(spawned)
        gevent.get_hub().destroy()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        stop[0]()
        thread.join(30)


def findings(watched: Watched) -> list[Finding]:
    """What is said after a while in which nothing moves."""
    diagnoser = Diagnoser()
    found: list[Finding] = []
    for _ in range(4):
        time.sleep(0.3)
        seen = watched.look()
        found = diagnoser.look(Graph(seen.nodes, seen.edges), time.time_ns())
    return [one for one in found if one.level != "SLOW"]
