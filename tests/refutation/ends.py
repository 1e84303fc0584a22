# SPDX-License-Identifier: Apache-2.0
"""Scenes about how waits come to an end at the wrong moment, or not at all: parties that do not fill, swallowed
cancellations, groups that fail, time limits that race with who gives, results that are lost. Most may go either way."""

from __future__ import annotations

from random import Random

from . import late, things
from .lines import Lines, block, seconds, step
from .program import THREAD, Scene


def _nap(rng: Random, host: int, most_ms: int = 30) -> Lines:
    delay = seconds(rng.randrange(1, most_ms))
    return step(f"time.sleep({delay})" if host == THREAD else f"await asyncio.sleep({delay})")


def meeting(rng: Random, scene: Scene) -> None:
    """A barrier with as many parties as come, or not, some of whom come with a lock in hand that another needs."""
    host = rng.choice([0, 0, 1, THREAD])
    family, wait = ("threading", "") if host == THREAD else ("asyncio", "await ")
    parties = rng.choice([2, 2, 3])
    barrier, lines = things.make(rng, family, "barrier", scene.name("barrier"), max(host, 0), parties)
    lock, more = things.make(rng, family, "lock", scene.name("lock"), max(host, 0))
    scene.setup += lines + more
    meet = step(f"{wait}{barrier.use}.wait()")
    if host == THREAD and rng.random() < 0.3:
        meet = step(f"{barrier.use}.wait({seconds(rng.choice((60, 150, 250)))})")
    rounds = rng.choice([1, 1, 2])
    for _ in range(parties + rng.choice([-1, 0, 0, 1])):
        ways = [meet * rounds, things.hold(rng, lock, meet), [*things.hold(rng, lock, []), *meet]]
        scene.actor("party", host, [*_nap(rng, host), *rng.choice(ways)])
    if rng.random() < 0.4:
        ends = "abort" if rng.random() < 0.5 else "reset"
        call = f"{barrier.use}.{ends}()"
        act = [call] if host == THREAD else [f"keep.append(asyncio.ensure_future({call}))"]
        late.act(rng, scene, act, None if host == THREAD else host)


def swallowed(rng: Random, scene: Scene) -> None:
    """Who is cancelled goes on all the same: he tries again, tidies up by something that waits, or keeps a lock."""
    host = rng.choice([0, 0, 1])
    gate, lines = things.make(rng, "asyncio", rng.choice(("event", "queue")), scene.name("gate"), host)
    lock, more = things.make(rng, "asyncio", "lock", scene.name("lock"), host)
    scene.setup += lines + more
    wait = things.wait(rng, gate)
    after = rng.choice([wait, things.hold(rng, lock, []), [*_nap(rng, host)], things.hold(rng, lock, wait)])
    stubborn = block("try:", wait) + block("except asyncio.CancelledError:", ["moved()", *after])
    victim = scene.actor("stubborn", host, rng.choice([stubborn, things.hold(rng, lock, stubborn)]))
    stop = [f"outside(tasks.get({victim!r}))"]
    if rng.random() < 0.5:
        scene.actor("stopper", host, [*_nap(rng, host, 60), *stop, *step(f"await asyncio.wait([tasks[{victim!r}]])")])
    else:
        late.act(rng, scene, stop, host)
    scene.actor("behind", host, [*_nap(rng, host, 40), *things.hold(rng, lock, rng.choice([[], wait]))])
    if rng.random() < 0.6:
        late.wake(rng, scene, gate)


def grouped(rng: Random, scene: Scene) -> None:
    """Children of a group that need each other; one may fail, which ends the others, but not what is shielded."""
    host = rng.choice([0, 0, 1])
    first, second = (
        things.make(rng, "asyncio", rng.choice(("lock", "semaphore")), scene.name("lock"), host) for _ in range(2)
    )
    gate, lines = things.make(rng, "asyncio", "event", scene.name("gate"), host)
    scene.setup += [*first[1], *second[1], *lines]
    bodies = [
        things.hold(rng, first[0], [*_nap(rng, host), *things.hold(rng, second[0], [])]),
        things.hold(rng, second[0], [*_nap(rng, host), *things.hold(rng, first[0], [])]),
        things.wait(rng, gate),
        things.hold(rng, first[0], things.wait(rng, gate)),
        [*_nap(rng, host, 60), f"{gate.use}.set()"],
        [*_nap(rng, host, 60), "raise failure()"],
        step(f"await asyncio.shield(asyncio.ensure_future({gate.use}.wait()))"),
    ]
    names: list[str] = []
    children: Lines = []
    for body in rng.choices(bodies, k=rng.choice([2, 3, 4])):
        names.append(scene.name("child"))
        children += block(f"async def {names[-1]}():", ["moved()", *body, "moved()"])
    group = block("async with asyncio.TaskGroup() as group:", [f"group.create_task({name}())" for name in names])
    if rng.random() < 0.3:
        limit = seconds(rng.choice((60, 150, 250)))
        group = block("try:", block(f"async with asyncio.timeout({limit}):", group))
        group += block("except TimeoutError:", ["moved()"])
    scene.actor("parent", host, [*children, *group, "moved()"])
    if rng.random() < 0.4:
        late.wake(rng, scene, gate)


def raced(rng: Random, scene: Scene) -> None:
    """Time limits that end at the moment at which what is waited for is given; who gets it may be the one who left."""
    host, moment = rng.choice([0, 0, 1]), rng.choice((20, 60, 120))
    kind = rng.choice(("lock", "semaphore", "queue", "condition", "event"))
    thing, lines = things.make(rng, "asyncio", kind, scene.name(kind), host)
    scene.setup += lines
    held = kind in ("lock", "semaphore")
    wait = [f"await {thing.use}.acquire()", "moved()"] if held else things.wait(rng, thing)
    limit = f"await asyncio.wait_for({thing.use}.acquire(), {seconds(moment)})"
    limited = block("try:", block(f"async with asyncio.timeout({seconds(moment)}):", wait))
    limited += block("except TimeoutError:", ["moved()", *rng.choice([[], ["return"]])])
    if held and rng.random() < 0.5:
        limited = block("try:", step(limit)) + block("except TimeoutError:", ["moved()", "return"])
    gives = [f"{thing.use}.release()"] if held else things.free(thing)
    begin = [f"await {thing.use}.acquire()", "moved()"] if held else []
    scene.actor("giver", host, [*begin, f"await asyncio.sleep({seconds(moment)})", *gives, "moved()"])
    for _ in range(rng.choice([1, 2])):
        back = rng.choice([[], gives, [*_nap(rng, host), *gives]]) if held else []
        scene.actor("limited", host, [*limited, *back])
    if rng.random() < 0.7:
        scene.actor("patient", host, [*_nap(rng, host, 10), *wait, *(gives if held and rng.random() < 0.7 else [])])
    if rng.random() < 0.3:
        late.wake(rng, scene, thing)


def lost_results(rng: Random, scene: Scene) -> None:
    """A pool of processes in which a result cannot be read, so that nobody hands on the results any more."""
    scene.setup.append("fork = multiprocessing.get_context('fork')")
    scene.setup += block("class Bad(Exception):", block("def __init__(self, one, two):", ["super().__init__(one)"]))
    scene.setup += block("def fails(number):", [f"time.sleep({seconds(rng.choice((5, 30)))})", "raise Bad(1, 2)"])
    scene.setup += block("def works(number):", [f"time.sleep({seconds(rng.choice((5, 30, 60)))})", "return number"])
    scene.setup += block(
        "for one in (Bad, fails, works):",
        [f"one.__qualname__ = f'{{one.__name__}}{scene.number}'", "globals()[one.__qualname__] = one"],
    )
    lock, lines = things.make(rng, "threading", "lock", scene.name("lock"))
    scene.setup += [*lines, "pool = fork.Pool(1)", "keep.append(pool)"]
    limit = rng.choice(["", "", seconds(250)])
    for _ in range(rng.choice([1, 2, 3])):
        job = rng.choice(["fails", "works", "works"])
        got = block("try:", step(f"pool.apply_async({job}, (1,)).get({limit})"))
        got += block("except multiprocessing.TimeoutError:", ["moved()"])
        scene.actor("client", THREAD, [*_nap(rng, THREAD), *rng.choice([got, things.hold(rng, lock, got)])])
    if rng.random() < 0.3:
        late.act(rng, scene, ["stopping()", "pool.terminate()"], None)
