# SPDX-License-Identifier: Apache-2.0
"""The scenes of which programs are made: each a shape in which programs wait, in the ways in which they are written.

Most may go either way: rings that close or do not, waits that somebody ends late or nobody ever does.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from . import crossings, ends, late, libraries, other_loops, things
from .lines import Lines, block, seconds, step
from .program import LONGEST_MS, THREAD, Scene
from .things import Thing

_LIMITS_MS = (20, 60, 150, LONGEST_MS)


def nap(rng: Random, host: int, most_ms: int = 30) -> Lines:
    delay = seconds(rng.randrange(1, most_ms))
    return step(f"time.sleep({delay})" if host == THREAD else f"await asyncio.sleep({delay})")


def thing_for(rng: Random, scene: Scene, host: int, kinds: tuple[str, ...] = (), size: int = 0) -> Thing:
    """A thing that an actor of a host can wait for without a detour."""
    family = "threading" if host == THREAD else "asyncio"
    kind = rng.choice(kinds or (things.HELD_BY_THREADS if host == THREAD else things.HELD_BY_TASKS))
    name = scene.name(kind)
    if family == "asyncio" and kind == "future":
        scene.begins.setdefault(host, []).append(f"box['{name}'] = asyncio.get_running_loop().create_future()")
        return Thing(family, kind, f"box['{name}']", host)
    thing, lines = things.make(rng, family, kind, name, max(host, 0), size)
    scene.setup += lines
    return thing


def limited(rng: Random, host: int, lines: Lines) -> Lines:
    """The same with a time limit around it, where the language has one."""
    if host == THREAD:
        return lines
    limit = seconds(rng.choice(_LIMITS_MS))
    inner = block(f"async with asyncio.timeout({limit}):", lines)
    return block("try:", inner) + block("except TimeoutError:", ["moved()"])


def host_of(rng: Random) -> int:
    return rng.choice([0, 0, 0, THREAD, THREAD, 1])


def ring(rng: Random, scene: Scene) -> None:
    """Some take one thing each and then the next one's."""
    host, number = host_of(rng), rng.choice([1, 2, 2, 2, 3])
    by_block = rng.random() < 0.6
    mine = [thing_for(rng, scene, host) for _ in range(number)]
    straight = rng.random() < 0.35  # the last takes them in the order of the others: no ring
    for place in range(number):
        first, second = mine[place], mine[(place + 1) % number]
        if straight and place == number - 1:
            first, second = second, first
        inner = things.hold(rng, second, nap(rng, host, 10))
        if rng.random() < 0.2:
            inner = limited(rng, host, inner)
        body = things.hold(rng, first, [*nap(rng, host), *inner], by_block)
        scene.actor("taker", host, _dressed(rng, scene, host, body), rng.random() < 0.9)
    if not by_block and rng.random() < 0.4:
        late.wake(rng, scene, rng.choice(mine))
    elif rng.random() < 0.2:
        cancel(rng, scene, host)


def cancel(rng: Random, scene: Scene, host: int) -> None:
    """Somebody cancels one of the tasks from outside."""
    victims = [actor.name for actor in scene.actors if actor.host == host != THREAD and actor.kept]
    if victims:
        late.act(rng, scene, [f"outside(tasks.get({rng.choice(victims)!r}))"], host)


def _dressed(rng: Random, scene: Scene, host: int, body: Lines) -> Lines:
    """The same in an inner function, a child task, a group, a gather or another thread, or as it is."""
    name = scene.name("inner")
    if host == THREAD:
        inner = block(f"def {name}():", body)
        return rng.choice([body, body, [*inner, *step(f"{name}()")], [*inner, *step(f"functools.partial({name})()")]])
    inner = block(f"async def {name}():", body)
    ways = [
        body,
        body,
        [*inner, *step(f"await {name}()")],
        [*inner, *step(f"await asyncio.create_task({name}())")],
        [*inner, *step(f"await asyncio.shield(asyncio.ensure_future({name}()))")],
        [*inner, *step(f"await asyncio.gather({name}(), asyncio.sleep(0.05))")],
        [*inner, *block("async with asyncio.TaskGroup() as group:", [f"group.create_task({name}())"]), "moved()"],
        [
            *inner,
            *step(f"await asyncio.wait([asyncio.ensure_future({name}()), asyncio.ensure_future(asyncio.sleep(0.2))])"),
        ],
        [
            *inner,
            *block("try:", step(f"await asyncio.wait_for({name}(), {seconds(rng.choice(_LIMITS_MS))})")),
            *block("except TimeoutError:", ["moved()"]),
        ],
    ]
    return rng.choice(ways)


def hand_over(rng: Random, scene: Scene) -> None:
    """A lock or permit taken twice by the same one: handed over or used as a signal, or just wrong."""
    host = host_of(rng)
    thing = thing_for(rng, scene, host, ("lock", "semaphore", "bounded"))
    wait = "await " if thing.is_async else ""
    first = [f"{wait}{thing.use}.acquire()"]
    if not thing.is_async:
        first = rng.choice([first, [f"{thing.use}.acquire(False)"], [f"{thing.use}.acquire(timeout=0.1)"]])
    second = rng.choice(
        [
            step(f"{wait}{thing.use}.acquire()"),
            block(f"{'async with' if thing.is_async else 'with'} {thing.use}:", ["moved()"]),
        ]
    )
    body = [*first, "moved()", *nap(rng, host, 10), *second]
    if rng.random() < 0.3:  # one takes it in another's place
        scene.actor("opener", host, [*first, "moved()"])
        body = [*nap(rng, host), *second]
    scene.actor("taker", host, _dressed(rng, scene, host, body), rng.random() < 0.8)
    if rng.random() < 0.7:
        late.wake(rng, scene, thing)


def signalled(rng: Random, scene: Scene) -> None:
    """Some wait for an event, a condition, an item, a party or a result, that comes late or never."""
    host = host_of(rng)
    kinds = ("event", "condition", "queue", "lifo", "barrier", "future")
    thing = thing_for(rng, scene, host, kinds + (("simple",) if host == THREAD else ("priority",)), size=0)
    if thing.kind == "barrier":
        scene.setup[-1] = scene.setup[-1].replace("Barrier(0)", "Barrier(4)")
    for _ in range(rng.choice([1, 1, 2, 3])):
        body = things.wait(rng, thing)
        if rng.random() < 0.3:
            body = limited(rng, host, body)
        if rng.random() < 0.3:  # with something in hand that another wants
            held = thing_for(rng, scene, host)
            scene.actor("behind", host, [*nap(rng, host, 40), *things.hold(rng, held, [])])
            body = things.hold(rng, held, body)
        scene.actor("waiter", host, _dressed(rng, scene, host, body), rng.random() < 0.7)
    if rng.random() < 0.65:
        late.wake(rng, scene, thing)


def channel(rng: Random, scene: Scene) -> None:
    """A bounded queue whose producer and consumer do not always agree on the number of items."""
    host = host_of(rng)
    queue = thing_for(rng, scene, host, ("queue", "lifo"), size=rng.choice([1, 2]))
    wait = "await " if queue.is_async else ""
    puts, gets = rng.choice([2, 3, 5]), rng.choice([1, 2, 3, 5])
    done = rng.random() < 0.6
    put = block(f"for number in range({puts}):", step(f"{wait}{queue.use}.put(number)"))
    if rng.random() < 0.5:
        put += step(f"{wait}{queue.use}.join()")
    get = block(
        f"for _ in range({gets}):", [*step(f"{wait}{queue.use}.get()"), *([f"{queue.use}.task_done()"] if done else [])]
    )
    producer = scene.actor("producer", host, _dressed(rng, scene, host, put))
    if host != THREAD and rng.random() < 0.3:
        get += [*nap(rng, host), *step(f"await tasks[{producer!r}]")]
    elif rng.random() < 0.4:
        get = [*get, *nap(rng, host, LONGEST_MS), *step(f"{wait}{queue.use}.get()")]
    scene.actor("consumer", host, _dressed(rng, scene, host, get))
    if rng.random() < 0.3:
        late.act(
            rng,
            scene,
            block("while not QUEUE.empty():".replace("QUEUE", queue.use), [f"{queue.use}.get_nowait()"]),
            host if queue.is_async else None,
        )


def awaited(rng: Random, scene: Scene) -> None:
    """Tasks that wait for each other's ends, all or some or the first."""
    host = rng.choice([0, 0, 1])
    number = rng.choice([1, 2, 2, 3])
    names = [scene.actor("mate", host, [f"MATE{place}"]) for place in range(number)]
    for place, actor in enumerate(scene.actors[-number:]):
        other = f"tasks[{names[(place + 1) % number]!r}]"
        sleeper = f"asyncio.ensure_future(asyncio.sleep({seconds(rng.choice(_LIMITS_MS))}))"
        ways: list[Lines] = [
            step(f"await {other}"),
            step(f"await asyncio.shield({other})"),
            step(f"await asyncio.gather({other}, {sleeper})"),
            step(f"await asyncio.wait([{other}, {sleeper}], return_when=asyncio.FIRST_COMPLETED)"),
            step(f"await asyncio.wait([{other}, {sleeper}])"),
            step(f"await asyncio.wait([{other}], timeout={seconds(rng.choice(_LIMITS_MS))})"),
            block(f"for one in asyncio.as_completed([{other}, {sleeper}]):", step("await one")),
            limited(rng, host, step(f"await asyncio.shield({other})")),
        ]
        actor.body = [*nap(rng, host), *(rng.choice(ways[:2]) if rng.random() < 0.5 else rng.choice(ways))]
    if rng.random() < 0.25:
        cancel(rng, scene, host)
    if rng.random() < 0.2:  # one ends by an error that takes a group with it
        child = scene.name("child")
        lines = block(f"async def {child}():", [*nap(rng, host), "raise failure()"])
        other = f"tasks[{rng.choice(names)!r}]"
        group = ["group.create_task(CHILD())".replace("CHILD", child), *step(f"await {other}")]
        scene.actor("grouper", host, [*lines, *block("async with asyncio.TaskGroup() as group:", group)])


def pool(rng: Random, scene: Scene) -> None:
    """Work that waits for work of its own pool."""
    workers, host = rng.choice([1, 1, 2]), rng.choice([0, THREAD])
    scene.setup.append(f"pool = concurrent.futures.ThreadPoolExecutor({workers})")
    inner, outer = scene.name("inner"), scene.name("outer")
    limit = rng.choice(["", "", f"timeout={seconds(rng.choice(_LIMITS_MS))}"])
    scene.setup += block(f"def {inner}():", ["moved()", f"time.sleep({seconds(rng.randrange(1, 30))})", "moved()"])
    wait = block("try:", step(f"pool.submit({inner}).result({limit})")) + block("except TimeoutError:", ["moved()"])
    scene.setup += block(f"def {outer}():", ["moved()", "time.sleep(0.02)", *wait])
    for _ in range(rng.choice([1, 2, 3])):
        if host == THREAD:
            body = rng.choice(
                [step(f"pool.submit({outer}).result()"), step(f"list(pool.map(lambda _: {outer}(), range(2)))")]
            )
        else:
            body = step(f"await asyncio.get_running_loop().run_in_executor(pool, {outer})")
            body = rng.choice([body, limited(rng, host, body)])
        scene.actor("client", host, body)
    if rng.random() < 0.3:  # one of the queued is called off
        scene.setup.append("futures = []")
        scene.setup += block(f"def {inner}_later():", [f"futures.append(pool.submit({inner}))"])
        late.act(rng, scene, [f"{inner}_later()", "futures[-1].cancel()"], None)


def loop_and_thread(rng: Random, scene: Scene) -> None:
    """A lock that a loop's thread and another thread take, while the other needs the loop."""
    loop = rng.choice([0, 1])
    lock = thing_for(rng, scene, THREAD, ("lock", "rlock", "bounded"))
    called = scene.name("called")
    scene.setup += block(f"async def {called}():", ["moved()", "await asyncio.sleep(0.005)", "moved()"])
    limit = rng.choice(["", "", f"timeout={seconds(rng.choice(_LIMITS_MS))}"])
    ask = block("try:", step(f"asyncio.run_coroutine_threadsafe({called}(), loops[{loop}]).result({limit})"))
    ask += block("except TimeoutError:", ["moved()"])
    scene.actor("caller", THREAD, things.hold(rng, lock, [*nap(rng, THREAD), *ask], rng.random() < 0.8))
    inside = rng.choice([[], nap(rng, loop)])
    scene.actor("blocker", loop, [*nap(rng, loop, 15), *things.hold(rng, lock, inside, rng.random() < 0.8)])
    if rng.random() < 0.3:
        signalled(rng, scene)


def joined(rng: Random, scene: Scene) -> None:
    """Threads that wait for each other's ends."""
    number = rng.choice([1, 2, 2, 3])
    first = scene.names
    names = [f"mate{scene.number}_{first + place + 1}" for place in range(number)]
    for place in range(number):
        other = f"threads[{names[(place + 1) % number]!r}]"
        limit = rng.choice(["", "", seconds(rng.choice(_LIMITS_MS))])
        end = block(f"if {other} is not threading.current_thread():", step(f"{other}.join({limit})"))
        scene.actor("mate", THREAD, [*nap(rng, THREAD), *rng.choice([end, end, nap(rng, THREAD)])])
    if rng.random() < 0.5:
        scene.actor("outer", 0, [*nap(rng, 0), *step(f"await asyncio.to_thread(threads[{names[0]!r}].join)")])


def bridged(rng: Random, scene: Scene) -> None:
    """What one loop or thread waits for, another gives."""
    host, other = 0, rng.choice([1, THREAD])
    scene.setup.append("result = concurrent.futures.Future()")
    waits = [
        step("await asyncio.wrap_future(result)"),
        step("await asyncio.to_thread(result.result)"),
        step("await asyncio.to_thread(result.result, 0.15)"),
        limited(rng, host, step("await asyncio.wrap_future(result)")),
        step("result.result()"),  # blocks the loop
    ]
    held = thing_for(rng, scene, host)
    body = rng.choice(waits)
    scene.actor("waiter", host, _dressed(rng, scene, host, rng.choice([body, things.hold(rng, held, body)])))
    scene.actor("behind", host, [*nap(rng, host, 40), *things.hold(rng, held, [])])
    delay = rng.choice(late.DELAYS_MS)
    if rng.random() < 0.6:
        give = rng.choice(["result.set_result(1)", "result.cancel()", "result.set_exception(failure())"])
        sleeps = f"time.sleep({seconds(delay)})" if other == THREAD else f"await asyncio.sleep({seconds(delay)})"
        scene.actor("giver", other, [sleeps, *block("if not result.done():", [give])])
    elif other != THREAD and rng.random() < 0.6:
        call = "asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), loops[0]))"
        scene.actor("giver", other, [*nap(rng, other), *step(f"await {call}"), "result.set_result(1)"])


def forked(rng: Random, scene: Scene) -> None:
    """A child of this process inherits locks, of which some are in the hands of threads that it does not have."""
    lock = thing_for(rng, scene, THREAD, ("lock", "rlock"))
    scene.actor("owner", THREAD, things.hold(rng, lock, nap(rng, THREAD, 150), True))
    child = [*nap(rng, THREAD, 10), *things.hold(rng, lock, nap(rng, THREAD, 5))]
    if rng.random() < 0.4:
        run = scene.name("run")
        child = [*block(f"async def {run}():", step("await asyncio.sleep(0.05)")), f"asyncio.run({run}())"]
    host = rng.choice([0, THREAD])
    fork = ["pid = forked()", *block("if pid == 0:", [*block("try:", child), *block("finally:", ["os._exit(0)"])])]
    end = "os.waitpid(pid, 0)" if host == THREAD else "await asyncio.to_thread(os.waitpid, pid, 0)"
    scene.actor("parent", host, [*nap(rng, host), *fork, *step(end)])


def soup(rng: Random, scene: Scene) -> None:
    """Anything, in any order."""
    host = host_of(rng)
    mine = [thing_for(rng, scene, host, size=1) for _ in range(rng.choice([1, 2]))]
    others = ("event", "condition", "queue", "future")
    mine += [thing_for(rng, scene, host, others, size=1) for _ in range(rng.choice([1, 2]))]
    for _ in range(rng.choice([2, 3, 4])):
        body: Lines = []
        for _ in range(rng.choice([1, 2, 3])):
            thing = rng.choice(mine)
            if thing.kind in things.HELD_BY_THREADS:
                inner = nap(rng, host) if rng.random() < 0.5 else things.wait(rng, rng.choice(mine))
                line = things.hold(rng, thing, inner)
            else:
                line = things.wait(rng, thing)
            line = limited(rng, host, line) if rng.random() < 0.25 else line
            line = things.free(thing) if rng.random() < 0.25 and thing.kind in others else line
            body += [*nap(rng, host), *line]
        scene.actor("cook", host, _dressed(rng, scene, host, body), rng.random() < 0.7)
    for thing in mine:
        if thing.kind in others and rng.random() < 0.4:
            late.wake(rng, scene, thing)


SCENES: tuple[tuple[Callable[[Random, Scene], None], float], ...] = (
    (ring, 4),
    (hand_over, 3),
    (signalled, 4),
    (channel, 2),
    (awaited, 3),
    (pool, 2),
    (loop_and_thread, 2),
    (joined, 1),
    (bridged, 2),
    (forked, 1),
    (soup, 4),
    (crossings.executor, 3),
    (crossings.piped, 2),
    (crossings.crossed, 3),
    (crossings.polled, 2),
    (crossings.file_locked, 1),
    (crossings.shared, 2),
    (crossings.streamed, 2),
    (crossings.asleep, 2),
    (crossings.processes, 1),
    (ends.meeting, 2),
    (ends.swallowed, 2),
    (ends.grouped, 2),
    (ends.raced, 2),
    (ends.lost_results, 0.3),
    (libraries.two_sided, 2),
    (libraries.file_polled, 1),
    (libraries.checked_out, 2),
    (libraries.handed_over, 2),
    (other_loops.trio, 3),
    (other_loops.gevent, 2),
)
"""Each with its weight."""
