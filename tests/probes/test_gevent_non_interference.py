# SPDX-License-Identifier: Apache-2.0
"""That greenlets are as they were without us: nothing of theirs dies on a thread of ours, and nothing is kept."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator
from typing import Any

import pytest

from tests.probes.gevent_world import Spawn, Watched, gevent, hub
from tests.support.waiting import eventually

lock: Any = pytest.importorskip("gevent.lock")
queue: Any = pytest.importorskip("gevent.queue")


@pytest.fixture
def watched() -> Generator[Watched]:
    made = Watched()
    yield made
    made.spawned.uninstall()


class _Cell:
    """Notes on which thread it dies."""

    died_on: set[str]

    def __init__(self) -> None:
        self.content = object()

    def __del__(self) -> None:
        self.died_on.add(threading.current_thread().name)


def test_what_greenlets_have_dies_on_their_own_thread_while_they_are_looked_at(watched: Watched) -> None:
    """Thousands of greenlets come and go, each with something in its variables."""
    died_on: set[str] = set()
    ended = list[bool]()

    def main(spawn: Spawn) -> None:
        turn, items = lock.BoundedSemaphore(3), queue.Queue(2)

        def lives() -> None:
            cell = _Cell()
            cell.died_on = died_on
            with turn:
                gevent.sleep(0.0005)
                items.put(cell)
                del cell
                items.get()

        def parent() -> None:
            for _ in range(60):
                gevent.joinall([gevent.spawn(lives) for _ in range(30)])
            ended.append(True)

        spawn("parent", parent)

    with hub(main):

        def looked() -> bool:
            watched.look()
            return bool(ended)

        eventually(looked)
    assert died_on == {"runs-gevent"}


def test_no_greenlet_is_kept_alive(watched: Watched) -> None:
    references: list[weakref.ref[Any]] = []

    def main(spawn: Spawn) -> None:
        gate = lock.BoundedSemaphore(1)

        def passes() -> None:
            with gate:
                gevent.sleep(0.3)

        references.extend(map(weakref.ref, [gate, *(gevent.spawn(passes) for _ in range(3))]))
        del spawn

    with hub(main):

        def gone() -> bool:
            seen = watched.look()
            return len(seen.nodes) > 0 and [reference() for reference in references] == [None] * 4

        eventually(gone)
