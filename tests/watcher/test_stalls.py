# SPDX-License-Identifier: Apache-2.0
"""Loops that do not come round, and loops that are merely busy."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from peeps_otel.watcher.stalls import Stall
from tests.support.waiting import eventually
from tests.watcher.loops import PERIOD_S, Sampled, Step, block, compute, new_loop, sampled, spin

HOW = pytest.mark.parametrize("how", [block, compute], ids=["blocking", "computing"])
LOOPS = pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
MS = 1_000_000


def _own(stall: Stall) -> list[str]:
    return [frame.function for frame in stall.stack if frame.file == __file__]


@LOOPS
@HOW
def test_a_step_that_keeps_its_loop_is_a_stall_with_its_stack(
    kind: str, how: Callable[[threading.Event], None]
) -> None:
    step = Step(how)

    async def handler() -> None:
        await asyncio.sleep(0.05)
        work()
        await asyncio.sleep(0.05)

    def work() -> None:
        step.keep()

    with sampled(new_loop(kind)) as program:
        program.sample_step(step, handler(), "orders", 0.6)
        (stall,) = program.sampler.take_stalls()
    assert (stall.task_name, stall.thread_name) == ("orders", "loopy")
    assert 500 * MS < stall.duration_ns < 700 * MS
    assert _own(stall)[-1].endswith("work")
    assert stall.stack[-1].line is not None


@LOOPS
@HOW
def test_a_plain_callback_that_keeps_its_loop_is_a_stall(kind: str, how: Callable[[threading.Event], None]) -> None:
    step = Step(how)

    def callback() -> None:
        step.keep()

    with sampled(new_loop(kind)) as program:
        _show_thread(program)
        program.loop.call_soon_threadsafe(callback)
        step.sample(program, 0.5)
        program.sample_until(lambda: not program.watch.since_ns)
        stalls = program.sampler.take_stalls()
    assert [stall.task_name for stall in stalls] == [""]
    assert _own(stalls[0])[-1].endswith("callback")


def _show_thread(program: Sampled) -> None:
    """uvloop does not tell which thread it is in: a task that was sampled does."""

    step = Step()

    async def stay() -> None:
        step.keep()

    program.sample_step(step, stay(), "stay", 3 * PERIOD_S)
    assert program.watch.ident is not None
    program.sample_for(0.1)
    program.sampler.take_stalls()


@LOOPS
def test_while_it_lasts_the_stall_grows_and_names_its_task(kind: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    async def stuck() -> None:
        entered.set()
        leave.wait(30)

    with sampled(new_loop(kind)) as program:
        began_ns = program.clock.time_ns()
        done = asyncio.run_coroutine_threadsafe(stuck(), program.loop)
        assert entered.wait(30)
        program.sample_for(0.4)
        assert 300 * MS < program.watch.stalled_for(program.clock.monotonic_ns()) <= 400 * MS
        assert 300 * MS < program.watch.take_lag(program.clock.monotonic_ns()) <= 400 * MS
        since_ns, task = program.watch.since_ns, program.watch.task
        dominant = program.watch.dominant()
        program.sample_for(0.1)
        assert program.watch.since_ns == since_ns
        leave.set()
        program.sample_until(lambda: not program.watch.since_ns)
        done.result(30)
    assert began_ns <= since_ns <= began_ns + 100 * MS
    assert task is not None
    assert dominant is not None
    assert "stuck" in [frame.function.rpartition(".")[2] for frame in dominant.frames()]


@LOOPS
def test_a_busy_loop_that_comes_round_is_no_stall(kind: str) -> None:
    """One task in many short steps: the same task in every sample."""
    stop, rounds = threading.Event(), [0]

    async def busy() -> None:
        while not stop.is_set():
            spin(0.003)
            rounds[0] += 1
            await asyncio.sleep(0)

    with sampled(new_loop(kind)) as program:
        done = asyncio.run_coroutine_threadsafe(busy(), program.loop)
        for _ in range(50):
            program.sampler.sample()
            program.clock.step(PERIOD_S)
            enough = rounds[0] + 2
            eventually(lambda: rounds[0] >= enough, every=0.001)  # noqa: B023  used up before the next
        stop.set()
        done.result(30)
        assert program.sampler.take_stalls() == []
        assert program.watch.take_lag(program.clock.monotonic_ns()) <= 100 * MS


@LOOPS
def test_an_idle_loop_is_never_woken(kind: str) -> None:
    with sampled(new_loop(kind)) as program:
        _show_thread(program)
        before = _switches()
        program.sample_for(0.6)
        assert _switches() - before <= 1


def _switches() -> int:
    """How often the loop's thread has gone to sleep so far."""
    native_id = next(thread.native_id for thread in threading.enumerate() if thread.name == "loopy")
    with open(f"/proc/self/task/{native_id}/status") as status:
        line = next(line for line in status if line.startswith("voluntary_ctxt_switches"))
    return int(line.split()[1])


def test_a_loop_with_a_call_soon_threadsafe_of_its_own_gets_no_callback_of_ours() -> None:
    called: list[object] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, **kwargs: Any) -> asyncio.Handle:
            called.append(callback)
            return super().call_soon_threadsafe(callback, *args, **kwargs)

    step = Step()

    async def blocked() -> None:
        step.keep()

    with sampled(Loop()) as program:
        program.sample_step(step, blocked(), "blocked", 0.4)
        told = [stall.task_name for stall in program.sampler.take_stalls()]
    assert not [callback for callback in called if "peeps" in getattr(callback, "__module__", "")]
    assert told == ["blocked"]


def test_no_loop_and_no_task_is_kept() -> None:
    step = Step(compute)

    async def spinning() -> None:
        step.keep()

    loop = asyncio.new_event_loop()
    with sampled(loop) as program:
        program.sample_step(step, spinning(), "spinning", 0.15)
        sampler, watch = program.sampler, ref(program.watch)
    gone = ref(loop)
    del loop, program
    gc.collect()
    assert gone() is None
    sampler.sample()
    assert sampler.watches == {}
    gc.collect()
    assert watch() is None


def test_a_loop_that_sleeps_although_something_is_due_was_not_woken() -> None:
    """An asyncio.Event that another thread sets: its waiter is due, the loop goes on waiting for files."""
    event = asyncio.Event()
    with sampled(new_loop("asyncio")) as program:
        waiting = asyncio.run_coroutine_threadsafe(event.wait(), program.loop)
        program.sample_until(lambda: bool(getattr(event, "_waiters", ())))
        program.sample_for(0.1)
        assert program.watch.asleep_since_ns == 0
        event.set()
        program.sample_until(lambda: program.watch.asleep_since_ns > 0)
        program.loop.call_soon_threadsafe(lambda: None)
        program.sample_until(lambda: program.watch.asleep_since_ns == 0)
        assert waiting.result(10)


def test_a_loop_that_another_thread_has_told_to_stop_was_not_woken() -> None:
    with sampled(new_loop("asyncio")) as program:
        program.sample_for(0.1)
        assert program.watch.asleep_since_ns == 0
        program.loop.stop()
        program.sample_until(lambda: program.watch.asleep_since_ns > 0)
        program.loop.call_soon_threadsafe(lambda: None)
        eventually(lambda: not program.loop.is_running())
