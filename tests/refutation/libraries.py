# SPDX-License-Identifier: Apache-2.0
"""Scenes with the queues, locks and pools of libraries on asyncio and threads. Most may go either way."""

from __future__ import annotations

from random import Random

from . import late, things
from .lines import Lines, block, seconds, step
from .program import LONGEST_MS, THREAD, Scene


def _nap(rng: Random, most_ms: int = 30) -> Lines:
    return step(f"time.sleep({seconds(rng.randrange(1, most_ms))})")


def two_sided(rng: Random, scene: Scene) -> None:
    """A queue of janus between a loop and threads, and locks in hand on either side."""
    scene.setup.append("import janus")
    scene.begins.setdefault(0, []).append(f"box['queue'] = janus.Queue({rng.choice([0, 1, 1])})")
    queue = "box['queue']"
    own, lines = things.make(rng, "asyncio", "lock", scene.name("lock"))
    lock, more = things.make(rng, "threading", "lock", scene.name("lock"))
    scene.setup += lines + more
    puts, gets = rng.choice([1, 2, 3]), rng.choice([1, 2, 3])
    put = block(f"for one in range({puts}):", step(f"await {queue}.async_q.put(one)"))
    get = block(f"for one in range({gets}):", step(f"await {queue}.async_q.get()"))
    sync_put = block(f"for one in range({puts}):", step(f"{queue}.sync_q.put(one)"))
    sync_get = block(f"for one in range({gets}):", [*step(f"{queue}.sync_q.get()"), f"{queue}.sync_q.task_done()"])
    begun = block("while 'queue' not in box:", ["time.sleep(0.001)"])
    for _ in range(rng.choice([1, 2])):
        body = rng.choice([put, get, [*put, *step(f"await {queue}.async_q.join()")]])
        scene.actor("inside", 0, rng.choice([body, things.hold(rng, own, body)]))
    for _ in range(rng.choice([1, 2])):
        body = rng.choice([sync_put, sync_get, [*_nap(rng, LONGEST_MS), *sync_get]])
        scene.actor("beside", THREAD, [*begun, *rng.choice([body, things.hold(rng, lock, body)])])
    if rng.random() < 0.4:
        end = rng.choice(["sync_q.put_nowait(1)", "sync_q.get_nowait()"])
        late.act(rng, scene, [*block("with contextlib.suppress(Exception):", [f"{queue}.{end}"])], None)


def file_polled(rng: Random, scene: Scene) -> None:
    """Locks of filelock, which are polled, and a lock of threads beside them."""
    scene.setup += ["import filelock", f"path = f'{{stage.folder}}/{{__name__}}.{scene.number}'"]
    lock, lines = things.make(rng, "threading", rng.choice(("lock", "rlock")), scene.name("lock"))
    scene.setup += lines
    limit = rng.choice(["", "", f", timeout={seconds(rng.choice((60, 150)))}"])
    opened = f"with filelock.FileLock(path, thread_local=False{limit}).acquire(poll_interval=0.01):"

    def under(body: Lines) -> Lines:
        return block("try:", block(opened, ["moved()", *body])) + block("except filelock.Timeout:", ["moved()"])

    first = under([*_nap(rng), *things.hold(rng, lock, _nap(rng, 10))])
    second = things.hold(rng, lock, [*_nap(rng), *under([])])
    for _ in range(rng.choice([2, 2, 3])):
        scene.actor("filer", THREAD, rng.choice([first, second, under(_nap(rng, LONGEST_MS))]))


def checked_out(rng: Random, scene: Scene) -> None:
    """Connections of SQLAlchemy's pool, of which there is one: who has it needs a lock, another one, or comes late."""
    scene.setup.append("import sqlite3, sqlalchemy.pool")
    scene.setup.append("connect = functools.partial(sqlite3.connect, ':memory:', check_same_thread=False)")
    patience, size = rng.choice(["30", "30", seconds(rng.choice((60, 150)))]), rng.choice([1, 1, 2])
    scene.setup.append(f"made = dict(pool_size={size}, max_overflow=0, timeout={patience})")
    scene.setup.append("pool = sqlalchemy.pool.QueuePool(connect, **made)")
    lock, lines = things.make(rng, "threading", rng.choice(("lock", "rlock")), scene.name("lock"))
    gate, more = things.make(rng, "threading", "event", scene.name("gate"))
    scene.setup += lines + more

    def out(body: Lines) -> Lines:
        ends = rng.choice([["one.close()"], ["one.close()"], []])
        return ["one = pool.connect()", "moved()", *block("try:", body), *block("finally:", ends)]

    bodies = [
        out(_nap(rng, LONGEST_MS)),
        out([*_nap(rng), *things.hold(rng, lock, [])]),
        things.hold(rng, lock, [*_nap(rng), *out([])]),
        out(things.wait(rng, gate)),
        out([*_nap(rng), "two = pool.connect()", "moved()", "two.close()"]),
    ]
    for body in rng.choices(bodies, k=rng.choice([2, 3])):
        scene.actor("client", THREAD, [*_nap(rng), *body])
    if rng.random() < 0.5:
        late.wake(rng, scene, gate)


def handed_over(rng: Random, scene: Scene) -> None:
    """AnyIO's primitives, taken by one task and given back by another, late, or by nobody."""
    scene.setup.append("import anyio")
    kind = rng.choice(["semaphore", "limiter", "condition", "stream"])
    begins = scene.begins.setdefault(0, [])
    begins += ["box['lock'], box['event'] = anyio.Lock(), anyio.Event()"]
    late_act, waits = "box['event'].set()", step("await box['event'].wait()")
    if kind == "semaphore":
        begins.append("box['thing'] = anyio.Semaphore(0)")
        wait, give = step("await box['thing'].acquire()"), "box['thing'].release()"
    elif kind == "limiter":
        begins.append("box['thing'], box['whose'] = anyio.CapacityLimiter(1), object()")
        wait = step("await box['thing'].acquire_on_behalf_of(object())")
        give = "box['thing'].release_on_behalf_of(box['whose'])"
        begins.append("box['thing'].acquire_on_behalf_of_nowait(box['whose'])")
    elif kind == "condition":
        begins.append("box['thing'] = anyio.Condition()")
        wait = block("async with box['thing']:", step("await box['thing'].wait()"))
        give = "keep.append(asyncio.ensure_future(say(box['thing'], box)))"
    else:
        begins.append(f"box['tx'], box['rx'] = anyio.create_memory_object_stream({rng.choice([0, 1])})")
        wait, give = step("await box['rx'].receive()"), "box['tx'].send_nowait(1)"
    for _ in range(rng.choice([1, 2])):
        body = rng.choice([wait, block("async with box['lock']:", ["moved()", *wait])])
        if rng.random() < 0.3:
            body = [*block("with anyio.move_on_after(0.15):", body), "moved()"]
        scene.actor("waiter", 0, body)
    if rng.random() < 0.5:
        gives = [f"await asyncio.sleep({seconds(rng.choice(late.DELAYS_MS))})", give]
        scene.actor(
            "giver", 0, rng.choice([gives, [*waits, give], block("async with box['lock']:", ["moved()", *gives])])
        )
    if rng.random() < 0.5:
        late.act(rng, scene, [rng.choice([give, late_act])], 0)
