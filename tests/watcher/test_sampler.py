# SPDX-License-Identifier: Apache-2.0
"""Threads as samples show them: profile, steps, spinning tasks."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import ref

from peeps_otel.probes.internals import asyncio_core as asyncio_internals
from peeps_otel.watcher.profile import Profile, Row
from peeps_otel.watcher.sampler import Sampler
from peeps_otel.watcher.steps import StepHistory
from tests.support.waiting import eventually
from tests.watcher.loops import PERIOD_S, Sampled, Step, sampled, sleeping_thread, spin


def _sample_for(sampler: Sampler, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sampler.sample()
        time.sleep(PERIOD_S)


def _sample_until(sampler: Sampler, check: Callable[[], bool]) -> None:
    def sampled() -> bool:
        sampler.sample()
        return check()

    eventually(sampled, every=PERIOD_S)


def test_a_waiting_thread_and_a_computing_one_are_told_apart() -> None:
    leave = threading.Event()

    def computes() -> None:
        while not leave.is_set():
            spin(0.01)

    threads = [
        threading.Thread(target=leave.wait, name="waits", args=(60,)),
        threading.Thread(target=computes, name="computes"),
        threading.Thread(target=leave.wait, name="peeps-own", args=(60,)),
    ]
    sampler = Sampler(list)

    def rows(owner: str) -> list[Row]:
        return [row for row in sampler.profile.rows() if row.owner == owner]

    for thread in threads:
        thread.start()
    try:
        _sample_until(sampler, lambda: sum(row.samples for row in rows("waits")) > 10)
        _sample_until(sampler, lambda: sum(row.cpu_ns for row in rows("computes")) > 200_000_000)
        _sample_until(sampler, lambda: sum(row.on_cpu for row in rows("computes")) > 0)
    finally:
        leave.set()
        for thread in threads:
            thread.join(30)
    assert sum(row.on_cpu for row in rows("waits")) == 0
    waits = sampler.profile.dominant("waits")
    assert waits is not None
    assert [frame.function for frame in waits.stack.frames()][-2:] == ["Event.wait", "Condition.wait"]
    assert not [row for row in sampler.profile.rows() if row.owner == "peeps-own"]


def test_a_thread_that_has_ended_is_forgotten_and_its_frames_let_go() -> None:
    class Thing:
        pass

    leave = threading.Event()
    things: list[ref[Thing]] = []

    def hold() -> None:
        thing = Thing()
        things.append(ref(thing))
        leave.wait(30)

    sampler = Sampler(list)
    known = sampler._threads  # pyright: ignore[reportPrivateUsage]  what could keep it
    thread = threading.Thread(target=hold)
    thread.start()
    _sample_for(sampler, 0.1)
    ident = thread.ident
    assert ident in known
    leave.set()
    thread.join(30)
    gc.collect()
    assert things[0]() is None
    ended = ref(thread)
    del thread
    gc.collect()
    assert ended() is None
    sampler.sample()
    assert threading.get_ident() in known
    assert ident not in known


def test_the_same_stack_is_one_object() -> None:
    sampler, leave = Sampler(list), threading.Event()
    thread = threading.Thread(target=leave.wait, name="same")
    thread.start()
    stacks: set[int] = set()
    for _ in range(30):
        sampler.sample()
        stacks |= {id(row.stack.frames()) for row in sampler.profile.rows() if row.owner == "same"}
    leave.set()
    thread.join(30)
    assert len(stacks) == 1


def test_folded_and_speedscope() -> None:
    async def handler() -> None:
        spin(0.4)

    with sampled(asyncio.new_event_loop(), "web;1") as program, sleeping_thread():
        program.sample_while(handler(), "orders")
        profile = program.sampler.profile
    lines = [line.rpartition(" ") for line in profile.folded().splitlines()]
    computing = [path for path, _, count in lines if "spin" in path and int(count) > 0]
    label = "task test_folded_and_speedscope.<locals>.handler"
    assert computing
    assert all(path.split(";")[:2] == ["web:1", label] for path in computing)
    assert all("spin" in path.rpartition(";")[2] for path in computing)
    assert len(profile.folded(on_cpu_only=True).splitlines()) < len(lines)
    document = json.loads(profile.speedscope("test", PERIOD_S))
    web = next(part for part in document["profiles"] if part["name"] == "web;1")
    frames = document["shared"]["frames"]
    assert len(web["samples"]) == len(web["weights"])
    assert web["endValue"] == sum(web["weights"])
    names = {frames[index]["name"] for sample in web["samples"] for index in sample}
    assert {label, "spin"} <= names
    assert all(set(frame) <= {"name", "file", "line"} for frame in frames)


def test_a_profile_forgets_the_rare_and_counts_it() -> None:
    profile = Profile(most=10)
    code = test_a_profile_forgets_the_rare_and_counts_it.__code__
    for number in range(100):
        often = profile.stack((id(code), 2), [code])
        profile.add("a", "", often, True, 1)
        profile.add("a", "", profile.stack((id(code), 4 + 2 * number), [code]), False, 0)
    rows = profile.rows()
    assert len(rows) <= 10
    assert max(row.samples for row in rows) == 100
    assert profile.overflow + sum(row.samples for row in rows) == 200
    assert "(other stacks)" in profile.folded()


def _history(program: Sampled, name: str) -> StepHistory | None:
    found = [history for task, history in program.sampler.steps.all() if task.get_name() == name]
    return found[0] if found else None


def test_steps_are_lower_bounds() -> None:
    steps, end = [Step(), Step()], asyncio.Event()

    async def handler() -> None:
        for step in steps:
            step.keep()
            await asyncio.sleep(0.05)
        await end.wait()

    async def quick() -> None:
        await asyncio.sleep(0.01)

    with sampled(asyncio.new_event_loop()) as program:
        done = asyncio.run_coroutine_threadsafe(_two(handler(), quick()), program.loop)
        for step in steps:
            step.sample(program, 0.3)
            program.sample_until(lambda: not program.watch.since_ns)
        history = _history(program, "handler")
        assert _history(program, "quick") is None
        program.loop.call_soon_threadsafe(end.set)
        program.sample_until(done.done)
    assert history is not None
    longest, total = history.longest_ns, history.total_ns
    assert 200_000_000 < longest <= 320_000_000
    assert longest < total <= 640_000_000


async def _two(handler: Coroutine[Any, Any, None], quick: Coroutine[Any, Any, None]) -> None:
    await asyncio.wait([asyncio.create_task(handler, name="handler"), asyncio.create_task(quick, name="quick")])


def test_a_task_that_wakes_itself_is_told_from_one_that_waits() -> None:
    stop = threading.Event()

    async def spinning() -> None:
        while not stop.is_set():
            await asyncio.sleep(0)

    async def working() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.0001)

    def due(program: Sampled) -> list[object]:
        return [task for task in asyncio.all_tasks(program.loop) if asyncio_internals.awaited_future(task) is None]

    with sampled(asyncio.new_event_loop()) as program:
        done = asyncio.run_coroutine_threadsafe(_two(spinning(), working()), program.loop)
        for _ in range(6):
            program.sample_for(0.2)
            program.sampler.steps.looked(due(program))
        program.sample_for(0.7)
        spinner, worker = _history(program, "handler"), _history(program, "quick")
        stop.set()
        program.sample_until(done.done)
    assert spinner is not None
    assert spinner.self_wakes_percent == 100
    assert worker is None or (worker.self_wakes_percent or 0) < 90
