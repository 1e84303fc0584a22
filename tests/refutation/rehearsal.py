# SPDX-License-Identifier: Apache-2.0
"""Before the programs: one in this very process that waits for things of each family while the engine looks, and ends.

What the engine finds out once per process (who owns which file, what the code of the standard library does) is known
in all forked programs then. Nothing of it is about a program of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from random import Random
from typing import Any

from . import things
from .lines import Lines, block
from .program import PRELUDE
from .stage import Player, module_name, stage
from .things import Thing

_NAME = "rehearsal.py"
_KINDS = ("lock", "semaphore", "condition", "event", "queue")
_BEGUN_S = 0.1
_LIBRARIES = (
    *("anyio._backends._asyncio", "multiprocessing.pool", "multiprocessing.queues", "trio", "janus", "filelock"),
    *("gevent", "gevent.event", "gevent.lock", "gevent.pool", "gevent.queue", "sqlite3", "sqlalchemy.pool"),
)
"""What programs import would keep their loops for longer than anything else they do."""
_PARTS = """\
async def tasks():
    loops[0] = asyncio.get_running_loop()
    await asyncio.gather(*(asyncio.create_task(wait()) for wait in waits["asyncio"]))


def start():
    threads.update({one.__name__: threading.Thread(target=one) for one in waits["threading"]})
    threads["loop"] = threading.Thread(target=lambda: asyncio.run(tasks()))
    for one in threads.values():
        one.start()


def end():
    for free in frees["threading"]:
        free()
    for free in frees["asyncio"]:
        loops[0].call_soon_threadsafe(free)
    for one in threads.values():
        one.join()
"""


def rehearse(look: Callable[[], object]) -> None:
    """Every thread that it starts has ended when it returns."""
    for library in _LIBRARIES:
        import_module(library)
    rng = Random(0)
    text: Lines = [*PRELUDE.splitlines(), "box = {}", "waits, frees = {}, {}"]
    for family in ("threading", "asyncio"):
        for kind in _KINDS:
            name = f"{family}_{kind}"
            thing = Thing(family, kind, name)
            size = 0 if kind in ("semaphore", "queue") else 1
            text.append(f"{name} = {things.MAKERS[family, kind].format(size=size)}")
            text += block(
                f"{'async ' if thing.is_async else ''}def wait_{name}():", _twice(kind, things.wait(rng, thing))
            )
            text += block(f"def free_{name}():", things.free(thing))
        for what in ("wait", "free"):
            text.append(f"{what}s[{family!r}] = [{', '.join(f'{what}_{family}_{kind}' for kind in _KINDS)}]")
    stage.begin([Player(0)])
    space: dict[str, Any] = {"__name__": module_name(0)}
    exec(compile("\n".join([*text, *_PARTS.splitlines()]) + "\n", _NAME, "exec"), space)
    space["start"]()
    time.sleep(_BEGUN_S)
    try:
        for _ in range(3):
            look()
    finally:
        space["end"]()


def _twice(kind: str, wait: Lines) -> Lines:
    """Locks and permits are free at first."""
    return [*wait, *wait] if kind in ("lock", "semaphore") else wait
