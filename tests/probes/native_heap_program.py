# SPDX-License-Identifier: Apache-2.0
"""A program that asks about random heaps twice, by C and by Python, each in a copy of the same instant.

`python native_heap_program.py SEED NUMBER` prints as JSON what the two say differently of what was there before, and
how much there was to say.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import itertools
import json
import os
import random
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from peeps_otel.probes.heap import native_reader
from peeps_otel.probes.heap.closure import leading_to
from peeps_otel.probes.heap.native_reader import Make
from peeps_otel.probes.heap.picture import NativePicture, Picture
from peeps_otel.probes.heap.reach import Blocked, reach

_SIZE = 120
Said = dict[str, Any]


class Box:
    """Refers to anything, and can be referred to weakly."""

    one: Any
    two: Any
    later: Any


class Slots:
    __slots__ = ("one", "two")


class Collected(Box):
    def __del__(self) -> None:
        pass


class SubTask(asyncio.Task[Any]):
    hung_on: Any


class Ours:
    """Of a type that only watches."""

    def __init__(self, content: object) -> None:
        self.content = content


def generator(content: object) -> Any:
    kept = content
    yield kept


async def coroutine(content: object, future: Any) -> object:
    kept = content
    await future
    return kept


def never() -> None:
    pass


def _plain(chance: random.Random, some: list[Any]) -> Any:
    one, two = chance.choice(some), chance.choice(some)
    kind = chance.randrange(12)
    if kind == 0:
        return [one, two, one]
    if kind == 1:
        return {"one": one, "two": [two]}
    if kind == 2:
        return (one, two, [])
    if kind == 3:
        return deque([one, two])
    if kind == 4:
        box = chance.choice([Box, Collected])()
        box.one, box.two = one, two
        return box
    if kind == 5:
        slots = Slots()
        slots.one, slots.two = one, two
        return slots
    if kind == 6:
        return functools.partial(print, one, two)
    if kind == 7:
        return lambda: (one, two)
    if kind == 8:
        return types.MethodType(print, [one, two])
    if kind == 9:
        stands = generator([one, two])
        next(stands)
        return stands
    if kind == 10:
        return itertools.chain([one], [two])
    context = contextvars.copy_context()
    context.run(_VARIABLE.set, [one, two])
    return context


_VARIABLE: contextvars.ContextVar[Any] = contextvars.ContextVar("_VARIABLE")


def _one(chance: random.Random, some: list[Any]) -> Any:
    if chance.random() < 0.15:
        boxes = [one for one in some if type(one) in (Box, Collected)]
        if boxes:
            kind: Callable[[Any], Any] = chance.choice([weakref.ref, weakref.proxy, lambda one: [weakref.ref(one)]])
            return kind(chance.choice(boxes))
    if chance.random() < 0.05:
        return Ours(chance.choice(some))
    return _plain(chance, some)


def _task(chance: random.Random, some: list[Any], futures: list[Any]) -> Any:
    loop = asyncio.get_running_loop()
    future = chance.choice(futures)
    kind: Any = chance.choice([asyncio.Task, SubTask])
    task = kind(coroutine(chance.choice(some), future), loop=loop)
    if chance.random() < 0.5:
        task.hung_on = chance.choice(some)
    return task


class World:
    """A random heap. What is not kept by it is garbage, or kept by something of it."""

    def __init__(self, chance: random.Random) -> None:
        loop = asyncio.get_running_loop()
        futures: list[Any] = [loop.create_future() for _ in range(6)]
        some: list[Any] = [Box() for _ in range(5)]
        tasks: list[Any] = []
        for number in range(_SIZE):
            if number % 10 == 9:
                tasks.append(_task(chance, some, futures + tasks))
                some.append(tasks[-1])
            else:
                some.append(_one(chance, some))
            if chance.random() < 0.2:
                holders = [one for one in some if type(one) in (Box, Collected)]
                chance.choice(holders).later = chance.choice(some + futures)
        self.tasks = [id(task) for task in tasks]
        self.futures = {id(task): 0 for task in tasks}
        self.addresses = list(map(id, some))
        self.kept = [one for one in some if chance.random() < 0.1] + chance.sample(futures, 2)
        self.coroutines = {id(task): id(task.get_coro()) for task in tasks}
        self.bounded = {id(task) for task in tasks if chance.random() < 0.1}
        self.all_kept = weakref.WeakSet(tasks)
        self.made: set[int] = set()
        """What there was not before. The references to other things depend on which of our functions run."""

    async def settle(self) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in self.all_kept:
            waits_for = getattr(task, "_fut_waiter", None)
            self.futures[id(task)] = 0 if waits_for is None else id(waits_for)


def _said(picture: Picture, before: set[int], world: World, chance: random.Random) -> Said:
    """What a picture says of what there was `before`, by address."""

    def known(addresses: Any) -> list[int]:
        return sorted(one for one in addresses if one in before)

    place_of = {one: place for one in before if (place := picture.place(one)) is not None}
    onward = {
        one: known(picture.address(target) for target in picture.onward_from(place) if target >= 0)
        for one, place in place_of.items()
        if one in world.made
    }
    blocked = [
        Blocked(task, world.futures[task], (world.coroutines[task],), task in world.bounded)
        for task in world.tasks
        if task in place_of and world.futures[task]
    ]
    found = reach(picture, blocked, {Ours}, never)
    things = set(chance.sample(world.addresses, 6)) | {id(_NOT_TRACKED)}
    targets = before | things
    stops = [set(chance.sample(world.addresses, 10)), {id(_MODULE)}]
    closure = leading_to(picture, things, stops, never)
    return {
        "tracked": sorted(place_of),
        "counts": [picture.count(place_of[one]) for one in sorted(place_of) if one in world.made],
        "onward": [onward[one] for one in sorted(onward)],
        "boxes": known(id(one) for _, one in picture.of(lambda kind: issubclass(kind, Box))),
        "unexplained": sorted(world.made.intersection(map(picture.address, picture.unexplained()))),
        "lost": sorted(found.lost),
        "dying": sorted(found.dying),
        "into": {
            str(one): told
            for one, sources in closure.into.items()
            if one in targets and (told := _listed(sources, before))
        },
        "weakly_into": {str(one): known(found) for one, found in sorted(closure.weakly_into.items())},
        "position": known(closure.position),
        "cut": known(closure.cut),
    }


def _listed(sources: dict[int, int], before: set[int]) -> list[tuple[int, int]]:
    return [(source, number) for source, number in sources.items() if source in before]


_NOT_TRACKED = object()
_MODULE = vars()


def _on_a_copy(make: Make | None, before: set[int], world: World, seed: int) -> bytes:
    def work() -> bytes:
        picture = Picture(never) if make is None else NativePicture(make)
        return json.dumps(_said(picture, before, world, random.Random(seed))).encode()

    return _forked(work)


def _forked(work: Callable[[], bytes]) -> bytes:
    """As the product makes copies, but at no lower priority."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            with open(writing, "wb") as file:
                file.write(work())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    return answer


async def main(seed: int, number: int) -> None:
    make = native_reader.reader()
    assert make is not None
    differ: list[Any] = []
    sizes: dict[str, int] = {}
    for one in range(seed, seed + number):
        chance = random.Random(one)
        gc.collect()
        gc.disable()
        earlier = _there()
        world = World(chance)
        await world.settle()
        there = _there()
        _on_a_copy(make, set(), world, one)
        now = _there()  # what comes and goes with our own functions may be something else at the same address
        before = {address for address, kind in there.items() if now.get(address) == kind}
        world.made = before - earlier.keys()
        answers = [_on_a_copy(way, before, world, one) for way in (make, None)]
        native, pure = map(json.loads, answers)
        del answers, before, earlier, there, now
        for name, said in pure.items():
            sizes[name] = sizes.get(name, 0) + len(said)
            if native[name] != said:
                differ.append([one, name, _difference(native[name], said)])
        gc.enable()
        for task in list(world.all_kept):
            task.cancel()
        del world
        await asyncio.sleep(0)
    print(json.dumps({"differ": differ, "sizes": sizes}))


def _there() -> dict[int, int]:
    """The addresses of all tracked objects, and of their types. It makes no tracked object for each."""
    objects: list[object] = gc.get_objects()
    return {id(one): id(cast("object", type(one))) for one in objects}


def _difference(native: Any, pure: Any) -> Any:
    if type(pure) is dict:
        return _difference(list(native.items()), list(cast("dict[str, Any]", pure).items()))
    return [[a, b] for a, b in zip(native, pure, strict=False) if a != b][:3] or [len(native), len(pure)]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
