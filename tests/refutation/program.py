# SPDX-License-Identifier: Apache-2.0
"""One random program: its scenes put together as the text of a module."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from .lines import Lines, block, seconds

THREAD = -1
"""The host of an actor that is a thread; otherwise the number of the loop that its task runs on."""

PRELUDE = """\
import asyncio, concurrent.futures, contextlib, contextvars, fcntl, functools, gc, multiprocessing, os, queue, sched
import select, signal, socket, sys, threading, time, types, weakref
from tests.refutation.stage import Guard, interrupting, stage

player = stage.player(__name__)
moved, outside, failure, stopping, forked = player.moved, player.outside, player.failure, player.stopping, player.forked
loops, tasks, threads, keep = {}, {}, {}, []


@contextlib.asynccontextmanager
async def taking(lock):
    async with lock:
        yield


@contextlib.contextmanager
def taking_sync(lock):
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def told(thing, name, *arguments):
    return getattr(thing, name)(*arguments)


async def say(condition, box):
    async with condition:
        box["said"] = True
        condition.notify_all()
"""


@dataclass
class Actor:
    """A task of a loop, or a thread. `kept`: somebody has a reference to the task."""

    name: str
    host: int
    body: Lines
    kept: bool = True


@dataclass
class Scene:
    """Things and those who use them. `begins`: lines run on a loop before its tasks, by loop; `main`: by the main
    thread, first of all. `is_global`: what it makes is kept by the module, else by those who use it."""

    number: int
    is_global: bool = True
    setup: Lines = field(default_factory=list[str])
    actors: list[Actor] = field(default_factory=list[Actor])
    begins: dict[int, Lines] = field(default_factory=dict[int, Lines])
    main: Lines = field(default_factory=list[str])
    kinds: list[str] = field(default_factory=list[str])

    names: int = 0

    def name(self, stem: str) -> str:
        """A name that no other scene has."""
        self.names += 1
        return f"{stem}{self.number}_{self.names}"

    def actor(self, stem: str, host: int, body: Lines, kept: bool = True) -> str:
        name = self.name(stem)
        self.actors.append(Actor(name, host, body, kept))
        return name


@dataclass(frozen=True)
class Program:
    """`longest_ms`: no single sleep, timer or time limit in it is longer. `kinds`: the scenes in it. `leads`: it has to
    run on the main thread, as who handles a signal does."""

    seed: int
    text: str
    longest_ms: int
    kinds: tuple[str, ...]
    leads: bool


LONGEST_MS = 250
SLOWNESS = 3
"""By how much all times are longer than the scenes say: so many more looks are taken in a program's life, which costs
the looks alone."""
_TIME = re.compile(r"(?<![\w.])0\.\d+")


def assemble(rng: Random, seed: int, scenes: list[Scene]) -> Program:
    """The text of a module that runs all scenes at once."""
    lines = PRELUDE.splitlines()
    for scene in scenes:
        lines += ["", "", *_scene(scene)]
    hosts = sorted(
        {a.host for s in scenes for a in s.actors if a.host != THREAD} | {n for s in scenes for n in s.begins}
    )
    for host in hosts:
        lines += ["", "", *_loop(rng, host, scenes)]
    lines += ["", "", *_start(scenes, hosts)]
    text = _TIME.sub(lambda found: f"{float(found[0]) * SLOWNESS:g}", "\n".join(lines) + "\n")
    kinds = tuple(kind for scene in scenes for kind in scene.kinds)
    return Program(seed, text, LONGEST_MS * SLOWNESS, kinds, any(scene.main for scene in scenes))


def _scene(scene: Scene) -> Lines:
    body = [
        "box, shelf, desk = {}, [], types.SimpleNamespace()",
        *scene.setup,
    ]
    for actor in scene.actors:
        body += ["", *_function(actor)]
    names = [actor.name for actor in scene.actors]
    for host, begins in scene.begins.items():
        names.append(f"begin_{host}")
        body += ["", *block(f"def begin_{host}():", begins)]
    if scene.main:
        names.append("at_start")
        body += ["", *block("def at_start():", scene.main)]
    scope = "locals()" if scene.is_global else "None"
    body += ["", f"return {{{', '.join(f'{name!r}: {name}' for name in names)}}}, {scope}"]
    number = scene.number
    return [*block(f"def scene{number}():", body), "", "", f"do{number}, scope{number} = scene{number}()"]


def _function(actor: Actor) -> Lines:
    body = (
        block("try:", ["moved()", *actor.body]) + block("except Exception:", ["pass"]) + block("finally:", ["moved()"])
    )
    return block(f"{'' if actor.host == THREAD else 'async '}def {actor.name}():", body)


def _loop(rng: Random, host: int, scenes: list[Scene]) -> Lines:
    body: Lines = [f"loops[{host}] = asyncio.get_running_loop()"]
    kept: list[str] = []
    for scene in scenes:
        if host in scene.begins:
            body.append(f"do{scene.number}.pop('begin_{host}')()")
        for actor in scene.actors:
            if actor.host != host:
                continue
            made = f"asyncio.create_task(do{scene.number}.pop({actor.name!r})(), name={actor.name!r})"
            if actor.kept:
                kept.append(actor.name)
                body.append(f"tasks[{actor.name!r}] = {made}")
            else:
                body.append(made)
    names = [f"tasks[{name!r}]" for name in kept]
    waits: list[Lines] = [[f"await asyncio.gather({', '.join(names)}, return_exceptions=True)"]] if names else []
    if names:
        waits += [
            block(
                "for task in list(tasks.values()):",
                block(f"if task.get_loop() is loops[{host}]:", ["await asyncio.wait([task])"]),
            ),
            [f"await asyncio.wait([{', '.join(names)}])"],
        ]
    waits.append([f"await asyncio.sleep({seconds(LONGEST_MS)})", *([f"await {names[0]}"] if names else [])])
    body += [*block("try:", rng.choice(waits)), *block("finally:", ["moved()", "stopping()"])]
    return block(f"async def main{host}():", body)


def _start(scenes: list[Scene], hosts: list[int]) -> Lines:
    lines: Lines = [f"do{scene.number}.pop('at_start')()" for scene in scenes if scene.main]
    for scene in scenes:
        for actor in scene.actors:
            if actor.host == THREAD:
                made = (
                    f"threading.Thread(target=do{scene.number}.pop({actor.name!r}), name={actor.name!r}, daemon=True)"
                )
                lines.append(f"threads[{actor.name!r}] = {made}")
    for host in hosts:
        if host:
            run = f"lambda: asyncio.run(main{host}())"
            lines.append(f"threads['loop{host}'] = threading.Thread(target={run}, name='loop{host}', daemon=True)")
    lines += block("for one in list(threads.values()):", ["one.start()"])
    if 0 in hosts:
        lines.append("asyncio.run(main0())")
    lines += block("for one in list(threads.values()):", ["one.join()"])
    lines.append("moved()")
    return lines
