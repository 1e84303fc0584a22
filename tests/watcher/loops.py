# SPDX-License-Identifier: Apache-2.0
"""Event loops in threads of their own, sampled from the test's thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any
from weakref import ref

import pytest

from peeps_otel.watcher.sampler import Sampler
from peeps_otel.watcher.stalls import LoopWatch

PERIOD_S = 0.02


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        return pytest.importorskip("uvloop").new_event_loop()
    return asyncio.new_event_loop()


def spin(seconds: float) -> None:
    """Computes, and lets other threads have their turn."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


@contextmanager
def sleeping_thread() -> Generator[None, None, None]:
    """A thread beside, which uses no processor time."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="asleep")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Sampled:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        reference = ref(loop)
        self.sampler = Sampler(lambda: [] if (there := reference()) is None else [there])
        self.sampler.meet_loops()

    @property
    def watch(self) -> LoopWatch:
        return self.sampler.watches[id(self.loop)]

    def sample_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sampler.sample()
            time.sleep(PERIOD_S)

    def sample_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "never seen"
            self.sampler.sample()
            time.sleep(PERIOD_S)

    def sample_while(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        """Runs it on the loop as a task with this name, sampling until it has ended."""
        done = asyncio.run_coroutine_threadsafe(_named(coroutine, name), self.loop)
        self.sample_until(done.done)
        done.result()
        self.sample_for(3 * PERIOD_S)


async def _named(coroutine: Coroutine[Any, Any, Any], name: str) -> None:
    await asyncio.create_task(coroutine, name=name)


@contextmanager
def sampled(loop: asyncio.AbstractEventLoop, name: str = "loopy") -> Generator[Sampled, None, None]:
    """Runs `loop` in a thread until the block ends."""
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield Sampled(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
    assert not thread.is_alive()
