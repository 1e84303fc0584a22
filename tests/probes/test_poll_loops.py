# SPDX-License-Identifier: Apache-2.0
"""Which loops merely ask, by the bytecode of functions that are never called."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from types import CodeType
from typing import Any, Protocol

import pytest

from peeps_otel.probes.poll_loops import Asks, poll_loops
from peeps_otel.probes.threads.bytecode import analysis


class Thing(Protocol):
    """Whatever the functions below are written about."""

    ready: bool
    items: list[Any]
    beats: int

    def beat(self) -> None: ...

    def done(self) -> bool: ...

    def status(self) -> str: ...

    def connect(self) -> Thing: ...

    async def abeat(self) -> None: ...


def flag(thing: Thing) -> None:
    while not thing.ready:
        time.sleep(0.1)


def flag_and_log(thing: Thing) -> None:
    while not thing.ready:
        print("not yet")
        time.sleep(0.1)


def through_a_break(thing: Thing) -> Thing:
    while True:
        if thing.ready:
            return thing
        time.sleep(0.1)


def lock_tried(lock: threading.Lock) -> None:
    while not lock.acquire(blocking=False):
        time.sleep(0.1)


def one_after_the_other(things: list[Thing]) -> None:
    for thing in things:
        while not thing.done():
            time.sleep(0.1)
        thing.beat()


def event_again(gate: threading.Event) -> None:
    while not gate.wait(1):
        pass


async def flag_of_a_task(thing: Thing) -> None:
    while not thing.ready:
        await asyncio.sleep(0.1)


def status(thing: Thing) -> None:
    while thing.status() != "done":
        time.sleep(1)


def until_a_time(thing: Thing) -> None:
    ends = time.monotonic() + 60
    while not thing.ready:
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.1)


def connects(thing: Thing) -> Thing:
    while True:
        try:
            return thing.connect()
        except OSError:
            time.sleep(1)


def connects_for_ever(thing: Thing) -> None:
    while True:
        try:
            thing.connect()
        except OSError as error:
            print(error)
            time.sleep(1)


async def connects_as_a_task(thing: Thing) -> Thing:
    while True:
        try:
            await thing.abeat()
            return thing
        except OSError:
            await asyncio.sleep(1)


def heartbeat(thing: Thing) -> None:
    while not thing.ready:
        thing.beat()
        time.sleep(1)


def counts(thing: Thing) -> None:
    while not thing.ready:
        thing.beats += 1
        time.sleep(1)


def for_ever(_: Thing) -> None:
    while True:
        time.sleep(1)


def cron(things: list[Thing]) -> None:
    while True:
        for thing in things:
            thing.beat()
        time.sleep(1)


def consumer(jobs: queue.Queue[Thing]) -> None:
    while True:
        try:
            job = jobs.get_nowait()
        except queue.Empty:
            time.sleep(0.1)
            continue
        job.beat()


def one_each_time(thing: Thing) -> None:
    for item in thing.items:
        print(item)
        time.sleep(0.1)


def works_whatever_happens(thing: Thing) -> None:
    while True:
        try:
            thing.beat()
        except Exception as error:
            print(error)
        time.sleep(5)


async def heartbeat_of_a_task(thing: Thing) -> None:
    while not thing.ready:
        await thing.abeat()
        await asyncio.sleep(1)


async def until_cancelled(thing: Thing) -> None:
    while True:
        try:
            await asyncio.sleep(1)
            thing.beat()
        except asyncio.CancelledError:
            return


ASKING: list[tuple[Callable[..., object], Asks]] = [
    (flag, Asks.STATE),
    (flag_and_log, Asks.STATE),
    (through_a_break, Asks.STATE),
    (lock_tried, Asks.STATE),
    (one_after_the_other, Asks.STATE),
    (event_again, Asks.STATE),
    (flag_of_a_task, Asks.STATE),
    (status, Asks.CODE),
    (until_a_time, Asks.CODE),
    (connects, Asks.AGAIN),
    (connects_for_ever, Asks.AGAIN),
    (connects_as_a_task, Asks.AGAIN),
]
DOING: list[Callable[..., object] | Callable[..., Coroutine[Any, Any, None]]] = [
    heartbeat,
    counts,
    for_ever,
    cron,
    consumer,
    one_each_time,
    works_whatever_happens,
    heartbeat_of_a_task,
    until_cancelled,
]


def _asks(code: CodeType) -> Asks | None:
    """Of the loop around the last sleep or wait in a function, at the instruction that a look would find."""
    known = analysis(code)
    found: int | None = None
    for number, op in enumerate(known.ops):
        if op.name.startswith("CALL") and known.receiver(op.offset)[1] in ("sleep", "wait", ""):
            behind = known.ops[number + 1 : number + 5]
            asleep = next((one for one in behind if one.name == "YIELD_VALUE"), op)
            if "sleep" in _names_before(code, number) or "wait" in _names_before(code, number):
                found = asleep.offset
    assert found is not None
    at = poll_loops(code).at(found)
    assert at is not None
    return at[1]


def _names_before(code: CodeType, number: int) -> set[str]:
    known = analysis(code)
    return {known.name_of(op) for op in known.ops[max(0, number - 5) : number]}


@pytest.mark.parametrize(("function", "asks"), ASKING, ids=[one.__name__ for one, _ in ASKING])
def test_a_loop_that_only_asks(function: Callable[..., object], asks: Asks) -> None:
    assert _asks(function.__code__) is asks


@pytest.mark.parametrize("function", DOING, ids=[one.__name__ for one in DOING])
def test_a_loop_that_does_something(function: Callable[..., object]) -> None:
    assert _asks(function.__code__) is None


def test_outside_of_a_loop() -> None:
    def once() -> None:
        time.sleep(1)

    assert not poll_loops(once.__code__).has_any


def _tries(thing: Thing) -> Thing:
    while True:
        try:
            return thing.connect()
        except KeyError:
            raise
        except (OSError, asyncio.InvalidStateError):
            time.sleep(0.1)


def _tries_anything(thing: Thing) -> Thing:
    while True:
        try:
            return thing.connect()
        except:  # noqa: E722  # just that is asked
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("function", "names"), [(_tries, "OSError, InvalidStateError"), (_tries_anything, ""), (flag, "")]
)
def test_what_is_caught_each_time(function: Callable[..., object], names: str) -> None:
    code = function.__code__
    sleeps = [op.offset for op in analysis(code).ops if op.name.startswith("CALL") and op.name != "CALL_INTRINSIC_1"]
    assert poll_loops(code).catches(sleeps[-1]) == names
