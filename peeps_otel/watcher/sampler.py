# SPDX-License-Identifier: Apache-2.0
"""Samples of all threads and loops, some twenty times a second.

A thread that has used no processor since the sample before is where it was: its stack is not read again. So a process
that idles costs one clock per thread and sample.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, CoroutineType, FrameType
from typing import Any

from .. import native
from ..probes import runtime
from .clock import SYSTEM_CLOCK, Clock
from .profile import Profile, Row, Stack
from .stalls import LoopWatch, Seen, Stall
from .steps import Steps

_DEPTH = 150
_OWN = "peeps-"
_BUSY_SHARE = 0.2  # of the time between two samples on a processor: running, not just woken now and then
_ALL_EVERY = 20  # samples between two looks at what is taken to be unchanged: names, threads of C


class _Thread:
    """What is known of a thread between samples: no frame, no object of the program."""

    __slots__ = ("cpu_ns", "name", "native_id", "own", "row", "seen")

    def __init__(self, facts: runtime.ThreadFacts) -> None:
        self.native_id = facts.native_id
        self.name = facts.name
        self.own = facts.name.startswith(_OWN) or facts.ident in native.own_idents
        self.cpu_ns: int | None = None
        self.row: Row | None = None
        self.seen: Seen | None = None


class Sampler:
    """For the watcher's thread only, but for `profile`. `loops`: the event loops that the probes have met; `is_alive`:
    whether a loop is one of this process and not of the one it was forked from."""

    def __init__(
        self,
        loops: Callable[[], Iterable[asyncio.AbstractEventLoop]],
        is_alive: Callable[[asyncio.AbstractEventLoop], bool] = lambda _loop: True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self._loops = loops
        self._is_alive = is_alive
        self.profile = Profile()
        self.steps = Steps()
        self.watches: dict[int, LoopWatch] = {}
        self.samples = 0
        self._ended: list[Stall] = []
        self._threads: dict[int, _Thread] = {}
        self._last_ns = 0
        self._clock_is_fine = runtime.cpu_clock_is_fine()

    def sample(self) -> None:
        """Takes one."""
        now_ns = self.clock.monotonic_ns()
        elapsed_ns = now_ns - self._last_ns if self._last_ns else 0
        self._last_ns = now_ns
        self.samples += 1
        running = [one for one in runtime.running_tasks(self._living_loops()) if self._is_alive(one[0])]
        if running:
            self._discover_tasks([loop for loop, _ in running])
        moved = self._clocks()
        if moved:
            self._read(moved, running, elapsed_ns)
        tasks = {id(loop): task for loop, task in running}
        for key, watch in list(self.watches.items()):
            loop = watch.loop()
            if loop is None:
                watch.end(now_ns)
                del self.watches[key]
                continue
            if not watch.foreign:
                watch.ident = runtime.thread_of(loop)
            thread = None if watch.ident is None else self._threads.get(watch.ident)
            watch.observe(loop, None if thread is None else thread.seen, tasks.get(key), now_ns)
        self.steps.sampled(self.watches.values(), now_ns)

    def take_stalls(self) -> list[Stall]:
        """The stalls that are over, since the last call."""
        stalls = self._ended[:]
        self._ended.clear()
        return stalls

    def meet_loops(self) -> None:
        """Takes in the loops that the probes have met; once per look is enough."""
        self._discover_tasks(self._loops())

    def _living_loops(self) -> list[asyncio.AbstractEventLoop]:
        return [loop for watch in self.watches.values() if (loop := watch.loop()) is not None]

    def _discover_tasks(self, loops: Iterable[asyncio.AbstractEventLoop]) -> None:
        for loop in loops:
            watch = self.watches.get(id(loop))
            if watch is None or watch.loop() is not loop:
                try:
                    self.watches[id(loop)] = LoopWatch(loop, self._ended, self.clock)
                except TypeError:  # takes no weak reference
                    continue

    def _clocks(self) -> dict[int, int | None]:
        """Reads the clock of each thread. Returns by ident those that may have run since, with the time they used:
        None where that is not known."""
        known = runtime.known_threads()
        threads = self._threads
        refresh = self.samples % _ALL_EVERY == 1
        for ident in threads.keys() - known.keys():
            if threads[ident].native_id is not None or refresh:
                del threads[ident]
        moved: dict[int, int | None] = {}
        for ident, handle in known.items():
            thread = threads.get(ident)
            if thread is None or refresh:
                facts = runtime.facts(ident, handle)
                if thread is None or thread.native_id != facts.native_id:
                    thread = threads[ident] = _Thread(facts)
            if thread.own:
                continue
            before, thread.cpu_ns = thread.cpu_ns, runtime.cpu_ns(thread.native_id)
            if thread.cpu_ns is None or before is None:
                moved[ident] = None
                if thread.cpu_ns is None:
                    del threads[ident]  # it has ended and its ident is another's, or this system does not tell
            elif thread.cpu_ns != before or not self._clock_is_fine:
                moved[ident] = thread.cpu_ns - before
            elif thread.seen is not None and thread.row is not None:
                thread.row.samples += 1
                thread.seen.moved = False
        if refresh:
            moved[0] = None  # no thread has this ident, and those that `threading` does not know are in the frames only
        moved.update((ident, None) for ident, thread in threads.items() if thread.native_id is None)
        return moved

    def _read(
        self,
        moved: Mapping[int, int | None],
        running: list[tuple[asyncio.AbstractEventLoop, Any]],
        elapsed_ns: int,
    ) -> None:
        """Reads the stacks of the threads in `moved`, and of those that were never seen."""
        frames = runtime.current_frames()
        if not frames:
            self._read_nothing(moved)
            return
        labels: dict[int, str] = {}
        for loop, task in running:
            watch = self.watches.get(id(loop))
            if watch is not None and watch.foreign:
                _find_thread(watch, task, frames)
            ident = watch.ident if watch is not None and watch.foreign else runtime.thread_of(loop)
            if ident is not None:
                labels[ident] = _label(task)
        for ident, frame in frames.items():
            thread = self._threads.get(ident)
            if thread is None:
                handle = runtime.known_threads().get(ident)
                thread = self._threads[ident] = _Thread(runtime.facts(ident, handle))
            elif ident not in moved and thread.seen is not None:
                continue
            if thread.own:
                continue
            used_ns = moved.get(ident)
            stack = self._stack(frame)
            on_cpu = used_ns is not None and used_ns >= _BUSY_SHARE * elapsed_ns > 0
            thread.row = self.profile.add(thread.name, labels.get(ident, ""), stack, on_cpu, used_ns or 0)
            thread.seen = Seen(thread.native_id, thread.name, stack, True if used_ns else None)
        frames.clear()  # no frame outlives the sample

    def _read_nothing(self, moved: Iterable[int]) -> None:
        """The stacks cannot be read now, so nobody knows where the threads are that have run."""
        for ident in moved:
            thread = self._threads.get(ident)
            if thread is not None:
                thread.row = thread.seen = None

    def _stack(self, innermost: FrameType) -> Stack:
        numbers: list[int] = []
        codes: list[CodeType] = []
        frame: FrameType | None = innermost
        while frame is not None and len(codes) < _DEPTH:
            code = frame.f_code
            codes.append(code)
            numbers.append(id(code))
            numbers.append(frame.f_lasti)
            frame = frame.f_back
        return self.profile.stack(tuple(numbers), codes)


def _find_thread(watch: LoopWatch, task: Any, frames: dict[int, FrameType]) -> None:
    """Which thread runs a loop that does not tell: the one in whose stack its running task is."""
    known = frames.get(watch.ident) if watch.ident is not None else None
    if known is not None and runtime.runs_in(task, known):
        return
    watch.ident = next((ident for ident, frame in frames.items() if runtime.runs_in(task, frame)), watch.ident)


def _label(task: Any) -> str:
    """What tasks of one kind have in common: the function they run."""
    coroutine: object = task.get_coro()
    return coroutine.cr_code.co_qualname if type(coroutine) is CoroutineType else ""
