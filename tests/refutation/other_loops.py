# SPDX-License-Identifier: Apache-2.0
"""Scenes on loops that are not asyncio's: a run of Trio, a hub of gevent, each on a thread of its own. Most may go
either way."""

from __future__ import annotations

from random import Random

from . import late
from .lines import Lines, block, seconds, step
from .program import THREAD, Scene


def _guarded(name: str, body: Lines, is_async: bool) -> Lines:
    inner = block("try:", ["moved()", *body]) + block("except Exception:", ["pass"]) + block("finally:", ["moved()"])
    return block(f"{'async ' if is_async else ''}def {name}():", inner)


def trio(rng: Random, scene: Scene) -> None:
    """Trio's locks, limiters, events, conditions and channels; nurseries, time limits and calls from threads."""
    scene.setup.append("import trio")
    size = rng.choice([0, 0, 1, 2])
    make = [
        "box['lock'], box['event'], box['few'] = trio.Lock(), trio.Event(), trio.CapacityLimiter(1)",
        f"box['condition'], box['permits'] = trio.Condition(), trio.Semaphore({rng.choice([0, 1])})",
        f"box['tx'], box['rx'] = trio.open_memory_channel({size})",
        "box['token'] = trio.lowlevel.current_trio_token()",
    ]
    sends = block(f"for one in range({rng.choice([1, 2, 3])}):", step("await box['tx'].send(one)"))
    receives = rng.choice([step("await box['rx'].receive()"), block("async for _ in box['rx']:", ["moved()"])])
    told = block("async with box['condition']:", ["moved()", *step("await box['condition'].wait()")])
    tells = block("async with box['condition']:", ["moved()", "box['condition'].notify_all()"])
    delay = seconds(rng.choice(late.DELAYS_MS))
    parts: list[Lines] = [
        sends,
        receives,
        step("await box['event'].wait()"),
        told,
        [f"await trio.sleep({delay})", *tells, "moved()"],
        [f"await trio.sleep({delay})", "box['event'].set()", "moved()"],
        [f"await trio.sleep({delay})", "box['tx'].close()", "moved()"],
        [f"await trio.to_thread.run_sync(time.sleep, {delay})", "box['event'].set()", "moved()"],
        step(f"await trio.to_thread.run_sync(time.sleep, {delay}, abandon_on_cancel=True)"),
        step("await box['permits'].acquire()"),
        [f"await trio.sleep({delay})", "box['permits'].release()", "moved()"],
        step("await trio.to_thread.run_sync(trio.from_thread.run, box['event'].wait)"),
    ]
    names: list[str] = []
    workers: Lines = []
    for _ in range(rng.choice([2, 3, 4])):
        inner = rng.choice(parts)
        few = block("async with box['few']:", ["moved()", *inner])
        lock = block("async with box['lock']:", ["moved()", *inner])
        nap = f"await trio.sleep({seconds(rng.randrange(5, 30))})"
        body = rng.choice(
            [
                inner,
                lock,
                few,
                [*block(f"with trio.move_on_after({seconds(rng.choice((60, 150)))}):", inner), "moved()"],
                block("async with box['lock']:", ["moved()", nap, *few]),
                block("async with box['few']:", ["moved()", nap, *lock]),
                ["await box['lock'].acquire()", "moved()", nap, *few, "box['lock'].release()"],
            ]
        )
        if rng.random() < 0.3:
            child, said = scene.name("child"), rng.choice([["task_status.started()"]] * 4 + [[]])
            body = [
                *block(
                    f"async def {child}(task_status=trio.TASK_STATUS_IGNORED):", ["moved()", *said, *body, "moved()"]
                )
            ]
            begun = rng.choice([f"nursery.start_soon({child})", f"await nursery.start({child})"])
            body += [*block("async with trio.open_nursery() as nursery:", [begun]), "moved()"]
        names.append(scene.name("worker"))
        workers += _guarded(names[-1], body, True)
    starts = [f"nursery.start_soon({name}, name={name!r})" for name in names]
    main = [*make, *workers, *block("async with trio.open_nursery() as nursery:", starts), "moved()"]
    scene.actor("trio", THREAD, [*block("async def main():", main), *step("trio.run(main)")])
    if rng.random() < 0.5:
        act = rng.choice(
            ["box['event'].set", "box['tx'].close", "box['rx'].close", "box['permits'].release", "lambda: None"]
        )
        late.act(rng, scene, [f"box['token'].run_sync_soon({act})"], None)


def gevent(rng: Random, scene: Scene) -> None:
    """Gevent's locks, events, queues, results and pools, without its patches; its hub may have nothing to wait for."""
    scene.setup.append("import gevent, gevent.event, gevent.exceptions, gevent.lock, gevent.pool, gevent.queue")
    make = [
        "lock, rlock = gevent.lock.BoundedSemaphore(1), gevent.lock.RLock()",
        "event, result = gevent.event.Event(), gevent.event.AsyncResult()",
        f"queue_, pool = gevent.queue.Queue({rng.choice(['', '1', '2'])}), gevent.pool.Pool({rng.choice([1, 2])})",
        "box.update(loop=gevent.get_hub().loop, event=event, result=result, queue=queue_)",
    ]
    delay = seconds(rng.choice(late.DELAYS_MS))
    naps = f"gevent.sleep({seconds(rng.randrange(5, 30))})"
    parts: list[Lines] = [
        step("event.wait()"),
        step("result.get()"),
        step("queue_.get()"),
        block("for one in range(3):", step("queue_.put(one)")),
        [f"gevent.sleep({delay})", "event.set()", "moved()"],
        [f"gevent.sleep({delay})", "result.set(1)", "moved()"],
        [f"gevent.sleep({delay})", "queue_.put(1)", "moved()"],
        step(f"event.wait({delay})"),
        step(f"pool.spawn(gevent.sleep, {delay}).join()"),
        step("greenlets[0].join()"),
        step(naps),
    ]
    names: list[str] = []
    workers: Lines = []
    for _ in range(rng.choice([2, 3, 4])):
        inner = rng.choice(parts)
        body = rng.choice(
            [
                inner,
                block("with lock:", ["moved()", *inner]),
                block("with rlock:", ["moved()", *inner]),
                block("with lock:", ["moved()", naps, *block("with rlock:", ["moved()", *inner])]),
                block("with rlock:", ["moved()", naps, *block("with lock:", ["moved()", *inner])]),
                ["lock.acquire()", "moved()", naps, *inner, "lock.release()"],
                [*block(f"with gevent.Timeout({seconds(rng.choice((60, 150)))}, False):", inner), "moved()"],
            ]
        )
        names.append(scene.name("worker"))
        workers += _guarded(names[-1], body, False)
    starts = [f"greenlets.append(gevent.spawn({name}))" for name in names]
    if rng.random() < 0.5:  # something else turns the hub, as in a server
        workers += block("def ticks():", block("while True:", ["gevent.sleep(0.02)"]))
        starts.append("keep.append(gevent.spawn(ticks))")
    ends = block("try:", step("gevent.joinall(greenlets)")) + block("except gevent.exceptions.LoopExit:", ["failure()"])
    scene.actor("hub", THREAD, [*make, "greenlets = []", *workers, *starts, *ends])
    if rng.random() < 0.5:
        call = rng.choice(["box['event'].set", "box['result'].set", "box['queue'].put, 1"])
        late.act(rng, scene, [f"box['loop'].run_callback_threadsafe({call})"], None)
