# SPDX-License-Identifier: Apache-2.0
"""What a question to the heap costs: `python -m bench.question TASKS [ROUNDS]`: with `peeps-otel-native` and without.

A program of so many tasks that wait for two hundred events and as many queues. Each question is asked of a copy of the
process, both ways in turns; told are the medians of the copies' processor time, in milliseconds, by phase.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from peeps_otel.model import NodeKind
from peeps_otel.probes.heap import enders, leaks, native_reader, picture, question
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.native_reader import Make
from peeps_otel.probes.heap.wakers import WAKERS
from peeps_otel.probes.internals.current_frames import current_frames

_SERVICES = 200
_ROUNDS = 5
_PHASES: tuple[tuple[Any, str, str], ...] = (
    (picture.Picture, "__init__", "picture"),
    (picture.NativePicture, "__init__", "picture"),
    (question, "Actors", "actors"),
    (enders, "leading_to", "who leads to what"),
    (enders.Enders, "of", "who could end it"),
    (enders.Enders, "is_nobodys_task", "whose task it is"),
    (leaks.heap_waits, "blocked_tasks", "blocked tasks"),
    (leaks, "reach", "roots and flood"),
)


class Service:
    def __init__(self) -> None:
        self.event, self.lock, self.queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue[int]()

    async def waits(self, number: int) -> None:
        if number % 3 == 0:
            await self.event.wait()
        elif number % 3 == 1:
            await self.queue.get()
        else:
            async with self.lock:
                await self.event.wait()


async def _request(service: Service, number: int) -> None:
    data = {"number": number, "parts": [number]}
    await service.waits(number)
    del data


def _measured(things: list[Thing], make: Make | None) -> dict[str, int]:
    """Nanoseconds by phase, and of all, in a copy."""
    asked = question._Asked(things, {}, leaks.Known.of_the_program(), leaks.our_types(), False, make)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it takes the phases apart
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        spent: dict[str, int] = defaultdict(int)
        for owner, name, label in _PHASES:
            _time(owner, name, label, spent)
        began = time.process_time_ns()
        question._answer(asked)(current_frames())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it takes the phases apart
        spent["all"] = time.process_time_ns() - began
        os.write(writing, json.dumps(spent).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        said = json.loads(file.read())
    os.waitpid(pid, 0)
    return said


def _time(owner: Any, name: str, label: str, spent: dict[str, int]) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time_ns()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[label] += time.process_time_ns() - began

    setattr(owner, name, outer)


async def main(tasks: int, rounds: int) -> None:
    services = [Service() for _ in range(_SERVICES)]
    waiting = [asyncio.create_task(_request(services[one % _SERVICES], one)) for one in range(tasks)]
    await asyncio.sleep(0.1)
    things = [Thing((id(one.event),), "Event", WAKERS[NodeKind.EVENT], name="event") for one in services]
    things += [Thing((id(one.queue),), "Queue", WAKERS[NodeKind.RX], name="queue") for one in services]
    make = native_reader.reader()
    gc.collect()
    gc.disable()
    print(f"{tasks:,} tasks, {len(gc.get_objects()):,} objects, {len(things)} things asked about, ms")
    ways = {"Python": None} | ({} if make is None else {"in C": make})
    found: dict[str, list[dict[str, int]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, one in ways.items():
            found[name].append(_measured(things, one))
    labels = dict.fromkeys([*(label for _, _, label in _PHASES), "all"])
    for label in labels:
        told = {name: median(one.get(label, 0) for one in runs) / 1e6 for name, runs in found.items()}
        print(f"{label:20}", *(f"{name} {ms:8.1f}" for name, ms in told.items()))
    for task in waiting:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else _ROUNDS))
