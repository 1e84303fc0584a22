# SPDX-License-Identifier: Apache-2.0
"""Event loops in threads of their own, sampled from the test's thread, by a clock that it steps."""

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
from tests.support.waiting import PATIENCE_S, eventually
from tests.watcher.stepped_clock import SteppedClock

PERIOD_S = 0.02
_TURN_S = 0.001  # in which a thread that computes gets the interpreter


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


def block(over: threading.Event) -> None:
    over.wait(PATIENCE_S)


def compute(over: threading.Event) -> None:
    while not over.is_set():
        spin(0.005)


class Step:
    """What keeps a loop for as long as the test samples it. `how`: `block` or `compute`."""

    def __init__(self, how: Callable[[threading.Event], None] = block) -> None:
        self._how = how
        self._begun, self._over = threading.Event(), threading.Event()

    def keep(self) -> None:
        """On the loop."""
        self._begun.set()
        self._how(self._over)

    def sample(self, program: Sampled, seconds: float) -> None:
        """Lets it last as long, by the clock, then ends it."""
        assert self._begun.wait(PATIENCE_S)
        program.sample_for(seconds)
        self._over.set()


class Sampled:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        reference = ref(loop)
        self.clock = SteppedClock()
        self.sampler = Sampler(lambda: [] if (there := reference()) is None else [there], clock=self.clock)
        self.sampler.meet_loops()

    @property
    def watch(self) -> LoopWatch:
        return self.sampler.watches[id(self.loop)]

    def sample_for(self, seconds: float) -> None:
        """By the clock, which is far ahead of what the loop needs to come round: for loops that idle or do not."""
        for _ in range(round(seconds / PERIOD_S)):
            self.sampler.sample()
            time.sleep(_TURN_S)
            self.clock.step(PERIOD_S)

    def sample_until(self, condition: Callable[[], bool]) -> None:
        """For what the loop does by itself, which takes its time."""

        def sampled() -> bool:
            self.sampler.sample()
            self.clock.step(PERIOD_S)
            return condition()

        eventually(sampled, every=PERIOD_S)

    def sample_while(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        """Runs it on the loop as a task with this name, sampling until it has ended."""
        done = asyncio.run_coroutine_threadsafe(_named(coroutine, name), self.loop)
        self.sample_until(done.done)
        done.result()
        self.sample_for(3 * PERIOD_S)

    def sample_step(self, step: Step, coroutine: Coroutine[Any, Any, Any], name: str, seconds: float) -> None:
        """The same of one that calls `step.keep()`, which lasts as long, by the clock."""
        done = asyncio.run_coroutine_threadsafe(_named(coroutine, name), self.loop)
        step.sample(self, seconds)
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
