# SPDX-License-Identifier: Apache-2.0
"""Event loops that do not come round: which callback has been running for how long, and where it spends the time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import ref

from ..model import Frame
from ..model.change import Change
from ..probes import runtime
from .clock import Clock
from .for_a_processor import ForAProcessor
from .profile import Stack

CHANGES = (
    Change(
        "each running event loop of asyncio's or uvloop's own kind",
        "a callback of ours by `call_soon_threadsafe`, which notes the time",
        "at most one at a time, at each sample",
        "it runs once",
        "`PEEPS_SAMPLE_HZ`",
    ),
)

STALL_NS = 100_000_000
_ENDED_MOST = 200
_STACKS_MOST = 200


class Stall(NamedTuple):
    """A callback that kept its loop for at least `STALL_NS`, and gave it back. `since_ns`: when it was first seen
    (Unix time); it began earlier, by one sample at most. `stack`: the most frequent one, outermost first."""

    native_id: int | None
    thread_name: str
    task_name: str
    since_ns: int
    duration_ns: int
    stack: tuple[Frame, ...]


class Beat:
    """A callback of ours that shows that a loop has come round since it was sent. One at a time in each loop."""

    __slots__ = ("_now_ns", "answered_ns", "sent_ns")

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self.sent_ns = now_ns()
        self.answered_ns = 0

    def answer(self) -> None:
        """Runs on the loop's thread."""
        self.answered_ns = self._now_ns()


@dataclass(slots=True)
class Seen:
    """A loop's thread at one sample. `moved`: it has used its processor since the last; None: that is not known."""

    native_id: int | None
    thread_name: str
    stack: Stack
    moved: bool | None


class LoopWatch:
    """One loop. For the sampling thread only; keeps weak references."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: list[Stall], clock: Clock) -> None:
        """`ended`: where the stalls that are over go."""
        self._clock = clock
        self.loop = ref(loop)
        self.foreign = runtime.is_foreign(loop)
        self.ident: int | None = None
        self.thread_name = ""
        self._native_id: int | None = None
        self.moves: bool | None = None
        """Whether its thread has used a processor between the last two samples; None: not known."""
        self.lag_ns = 0
        """The longest that a beat took to be answered, since it was last read."""
        self.asleep_since_ns = 0
        """When it was first seen asleep although callbacks are due or it is to stop, Unix time; 0: it is not."""
        self._ended = ended
        self._takes_beats = runtime.takes_beats(loop)
        self._beat: Beat | None = None
        self._beat_stack: Stack | None = None  # where a loop without frames was when the beat was sent, and no task ran
        self._idle_stack: Stack | None = None
        self._idle()

    def _idle(self) -> None:
        self._root: int = 0
        self.counted_ns = 0
        """Up to where `Steps` has added this callback up."""
        self.task: ref[Any] | None = None
        self.since_ns = 0
        """When the callback that runs now was first seen, Unix time; 0: none does."""
        self._began_ns = 0  # the same by the monotonic clock
        self._processor: ForAProcessor | None = None  # from when it was a stall
        self._stacks: Counter[Stack] = Counter()
        self._shown: Stack | None = None
        self._task_name = ""

    def observe(self, loop: asyncio.AbstractEventLoop, seen: Seen | None, task: Any, now_ns: int) -> None:
        """Takes in one sample. `task`: what the loop executes, None for a plain callback or nothing. `now_ns`, here and
        below: monotonic."""
        stack = None if seen is None else seen.stack
        self._look_whether_asleep(loop, seen, task)
        if self._take_beat() and task is None and stack is not None and stack is self._beat_stack:
            self._idle_stack = stack  # it has come round and is where it was: this is how it looks when it idles
        if seen is None or stack is None or not stack.codes or not self._is_busy(stack, task):
            self.end(now_ns)
            return
        self.moves = seen.moved
        self.thread_name, self._native_id = seen.thread_name, seen.native_id
        root = id(task) if task is not None else runtime.callback_root(stack.codes, self.foreign)
        same_task = task is None if self.task is None else self.task() is task
        # A thread that has used no processor since is where it was. Else only a beat that is still on its way shows
        # that the loop has not come round in between.
        stands = seen.moved is False and (task is not None or not self.foreign)
        goes_on = root == self._root and same_task and (stands or self._beat is not None)
        if not goes_on:
            self.end(now_ns)
            self._root, self._began_ns = root, now_ns
            self.since_ns = self._clock.time_ns() - (self._clock.monotonic_ns() - now_ns)
            self.task = None if task is None else ref(task)
            name = "" if task is None else task.get_name()
            self._task_name = name if type(name) is str else ""
            if self._beat is None:
                self._beat_stack = stack if task is None and self.foreign else None
                self._send_beat(loop)
        if self._processor is None and self.stalled_for(now_ns):
            self._processor = ForAProcessor(seen.native_id)
        if len(self._stacks) < _STACKS_MOST or stack in self._stacks:
            self._stacks[stack] += 1

    def _look_whether_asleep(self, loop: asyncio.AbstractEventLoop, seen: Seen | None, task: Any) -> None:
        """A loop never waits for events while it has something due or is to stop: that came from another thread, which
        did not wake it. One sample alone may be of the moment between the two."""
        asleep = task is None and not self.foreign and seen is not None and seen.moved is False
        if asleep and seen is not None and seen.stack.codes:
            asleep = not runtime.is_in_callback(seen.stack.codes[-1], self.foreign)
            asleep = asleep and (runtime.has_due(loop) or runtime.is_told_to_stop(loop))
        if not asleep:
            self.asleep_since_ns = 0
        elif not self.asleep_since_ns:
            self.asleep_since_ns = self._clock.time_ns()

    def _is_busy(self, stack: Stack, task: Any) -> bool:
        if task is not None:
            return True
        if self._idle_stack is not None and stack.key == self._idle_stack.key:
            return False
        return runtime.is_in_callback(stack.codes[-1], self.foreign)

    def stalled_for(self, now_ns: int) -> int:
        """For how long one callback has kept the loop; 0: less than a stall."""
        lasted = self.lasted_ns(now_ns)
        return lasted if lasted >= STALL_NS else 0

    def lasted_ns(self, now_ns: int) -> int:
        """For how long the callback that runs now is known to run; 0 where none does."""
        return now_ns - self._began_ns if self.since_ns else 0

    def lacks_processor(self) -> bool:
        """Whether the callback that runs now lasts since the machine has no processor for it."""
        return self._processor is not None and self._processor.lacks_it()

    def dominant(self) -> Stack | None:
        """Where the callback that runs now has been seen most. Another one takes over only where it is clearly ahead,
        so that the answer does not change with each sample."""
        if not self._stacks:
            return None
        stack, count = self._stacks.most_common(1)[0]
        if self._shown is None or count > 1.5 * self._stacks[self._shown]:
            self._shown = stack
        return self._shown

    def own_stack(self, stack: Stack) -> tuple[Frame, ...]:
        """The part of a stack that belongs to the task that runs: from its coroutine on."""
        task = None if self.task is None else self.task()
        return stack.frames()[runtime.step_begins_at(stack.codes, task) if task is not None else 0 :]

    def end(self, now_ns: int) -> None:
        """The callback that ran is over; also when the loop itself is gone."""
        if self.stalled_for(now_ns) and len(self._ended) < _ENDED_MOST:
            stack = self.dominant()
            frames = () if stack is None else stack.frames()
            lasted = self.lasted_ns(now_ns)
            self._ended.append(Stall(self._native_id, self.thread_name, self._task_name, self.since_ns, lasted, frames))
        if self.since_ns:
            self._idle()

    def take_lag(self, now_ns: int) -> int:
        """The longest lag since the last call, of a beat that is still on its way included."""
        lag_ns, self.lag_ns = self.lag_ns, 0
        if self._beat is not None and not self._beat.answered_ns:
            lag_ns = max(lag_ns, now_ns - self._beat.sent_ns)
        return lag_ns

    def _send_beat(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._takes_beats:
            beat = Beat(self._clock.monotonic_ns)
            if runtime.send(loop, beat.answer):
                self._beat = beat

    def _take_beat(self) -> bool:
        """Whether the beat has come back since the sample before."""
        beat = self._beat
        if beat is None or not beat.answered_ns:
            return False
        self.lag_ns = max(self.lag_ns, beat.answered_ns - beat.sent_ns)
        self._beat = None
        return True
