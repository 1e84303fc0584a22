# SPDX-License-Identifier: Apache-2.0
"""Scenes in which programs wait across something: an executor's queue, a pipe, two loops, a file, another process, a
poll, or a library's streams. As in `scenes.py`, most may go either way."""

from __future__ import annotations

from random import Random

from . import late, things
from .lines import Lines, block, seconds, step
from .program import LONGEST_MS, THREAD, Scene
from .things import Thing

_LIMITS_MS = (20, 60, 150, LONGEST_MS)


def _nap(rng: Random, most_ms: int = 30) -> Lines:
    return step(f"time.sleep({seconds(rng.randrange(1, most_ms))})")


def _lock(rng: Random, scene: Scene) -> Thing:
    """Of threads."""
    kind = rng.choice(("lock", "rlock", "semaphore"))
    thing, lines = things.make(rng, "threading", kind, scene.name(kind))
    scene.setup += lines
    return thing


def _event(rng: Random, scene: Scene) -> Thing:
    kind = rng.choice(("event", "event", "queue", "condition", "future"))
    thing, lines = things.make(rng, "threading", kind, scene.name(kind))
    scene.setup += lines
    return thing


def executor(rng: Random, scene: Scene) -> None:
    """Jobs that wait for what a job behind them in the queue gives, for a lock, or for somebody who comes late."""
    workers = rng.choice([1, 2, 2])
    scene.setup.append(f"pool = concurrent.futures.ThreadPoolExecutor({workers})")
    gate, lock = _event(rng, scene), _lock(rng, scene)
    waits, gives, locks = scene.name("waits"), scene.name("gives"), scene.name("locks")
    wait = things.wait(rng, gate)
    scene.setup += block(f"def {waits}():", ["moved()", *wait])
    scene.setup += block(f"def {gives}():", ["moved()", *_nap(rng), *things.free(gate), "moved()"])
    scene.setup += block(f"def {locks}():", ["moved()", *things.hold(rng, lock, rng.choice([_nap(rng), wait]))])
    jobs = rng.choices([waits, gives, locks], [3, 2, 2], k=rng.choice([2, 3, 4]))
    host = rng.choice([0, THREAD])
    if host == THREAD:
        ends = rng.choice(
            [[], step("concurrent.futures.wait(futures)"), step("futures[0].result()"), ["pool.shutdown()"]]
        )
        sent = [f"futures.append(pool.submit({job}))" for job in jobs]
        scene.actor("client", host, ["futures = []", *sent, *ends])
    else:
        sent = [f"asyncio.get_running_loop().run_in_executor(pool, {job})" for job in jobs]
        scene.actor("client", host, step(f"await asyncio.gather({', '.join(sent)})"))
    if rng.random() < 0.4:
        scene.actor("holder", THREAD, things.hold(rng, lock, rng.choice([_nap(rng, LONGEST_MS), wait])))
    if rng.random() < 0.4:
        late.wake(rng, scene, gate)


def piped(rng: Random, scene: Scene) -> None:
    """Two ends of one pipe or socket pair, both in this process; who reads or writes also needs a lock."""
    is_socket = rng.random() < 0.5
    scene.setup += (
        ["here, there = socket.socketpair()", "wide = b'x' * 2_000_000"]
        if is_socket
        else ["here, there = os.pipe()", "wide = b'x' * 200_000"]
    )
    read = "here.recv(10)" if is_socket else "os.read(here, 10)"
    one, much = (
        ("there.send(b'x')", "there.sendall(wide)") if is_socket else ("os.write(there, b'x')", "os.write(there, wide)")
    )
    lock = _lock(rng, scene)
    way = rng.choice(["reader", "writer", "loop", "select"])
    drains = block("while True:", [read.replace("10", "100_000"), "time.sleep(0.001)"])
    if way == "writer":
        waiter, ender = step(much), drains
    elif way == "loop":
        waiter, ender = step(read), step(one)
        body = step(
            "await asyncio.get_running_loop().sock_recv(here, 10)"
            if is_socket
            else "await asyncio.to_thread(os.read, here, 10)"
        )
        if is_socket:
            body = ["here.setblocking(False)", *body]
        scene.actor("async_reader", 0, body)
        if rng.random() < 0.7:
            waiter = _nap(rng)
    elif way == "select":
        waiter, ender = step("select.select([here], [], [])"), step(one)
    else:
        waiter, ender = step(read), step(one)
    scene.actor("waiter", THREAD, rng.choice([waiter, things.hold(rng, lock, waiter)]))
    if rng.random() < 0.75:
        pause = [f"time.sleep({seconds(rng.choice(late.DELAYS_MS))})"]
        scene.actor("ender", THREAD, rng.choice([[*pause, *ender], [*pause, *things.hold(rng, lock, ender)]]))
    if rng.random() < 0.3:
        late.act(rng, scene, [one], None)
    scene.setup.append("keep.extend([here, there])")


def crossed(rng: Random, scene: Scene) -> None:
    """Two loops that ask each other, or a loop and a thread with queues between them."""
    way = rng.choice(["ask", "ask", "hand_over", "blocking"])
    if way == "hand_over":
        scene.setup += ["inbox = queue.Queue(1)", "replies = {}"]
        put = block("def reply(number):", [*block("if not replies[number].done():", ["replies[number].set_result(1)"])])
        scene.setup += put
        asks = [
            "replies[1] = asyncio.get_running_loop().create_future()",
            "inbox.put_nowait((asyncio.get_running_loop(), 1))",
        ]
        scene.actor("asker", 0, [*asks, *step("await replies[1]")])
        answer = [f"time.sleep({seconds(rng.choice(late.DELAYS_MS))})", "loop.call_soon_threadsafe(reply, number)"]
        gets = ["loop, number = inbox.get()", "moved()"]
        body = rng.choice([[*gets, *answer], gets, [*gets, *step("inbox.get()"), *answer], [*gets, *gets, *answer]])
        scene.actor("answerer", THREAD, body)
        if rng.random() < 0.3:
            late.act(rng, scene, ["inbox.put_nowait((loops[0], 1))"], None)
        return
    names = [scene.name("called"), scene.name("called")]
    own, lines = things.make(rng, "asyncio", rng.choice(("lock", "event")), scene.name("own"))
    scene.setup += lines
    inner = things.hold(rng, own, ["await asyncio.sleep(0.01)"]) if own.kind == "lock" else things.wait(rng, own)
    scene.setup += block(
        f"async def {names[0]}():", ["moved()", *rng.choice([inner, ["await asyncio.sleep(0.005)"]]), "moved()"]
    )
    ask = f"asyncio.run_coroutine_threadsafe({names[0]}(), loops[0])"
    if way == "blocking":
        limit = rng.choice(["", "", f"timeout={seconds(rng.choice(_LIMITS_MS))}"])
        ends = block("try:", step(f"{ask}.result({limit})")) + block("except TimeoutError:", ["moved()"])
        scene.setup += block(f"def {names[1]}():", ["moved()", *ends])
        scene.actor(
            "asker",
            0,
            [*step(rng.choice(["await asyncio.sleep(0.02)", f"await asyncio.to_thread({names[1]})", f"{names[1]}()"]))],
        )
        scene.actor("other", THREAD, ["time.sleep(0.02)", *step(f"{names[1]}()")])
    else:
        back = f"asyncio.wrap_future(asyncio.run_coroutine_threadsafe({names[1]}(), loops[1]))"
        more = rng.choice([[f"await asyncio.wrap_future({ask})"], ["await asyncio.sleep(0.05)"], [f"{ask}.result()"]])
        scene.setup += block(f"async def {names[1]}():", ["moved()", *more, "moved()"])
        holds = things.hold(rng, own, step(f"await {back}")) if own.kind == "lock" else step(f"await {back}")
        scene.actor("asker", 0, ["await asyncio.sleep(0.02)", *holds])
        scene.actor("other", 1, step("await asyncio.sleep(0.1)"))
    if own.kind == "event" and rng.random() < 0.7:
        late.wake(rng, scene, own)


def polled(rng: Random, scene: Scene) -> None:
    """Somebody asks again and again, with a lock in hand that the other needs, or not."""
    host = rng.choice([0, THREAD])
    family = "asyncio" if host == 0 else "threading"
    wait = "await " if host == 0 else ""
    lock, made = things.make(rng, family, rng.choice(("lock", "semaphore")), scene.name("lock"))
    flag, more = things.make(rng, family, "event", scene.name("flag"))
    scene.setup += made + more
    sleep = f"{wait}{'asyncio' if host == 0 else 'time'}.sleep(0.01)"
    polls = [
        block(f"while not {flag.use}.is_set():", [sleep]),
        block("while not box.get('done'):", [sleep]),
        block("for _ in range(30):", [*block(f"if {flag.use}.is_set():", ["break"]), sleep]),
    ]
    if host == THREAD:
        polls += [block(f"while not {flag.use}.wait(0.02):", ["pass"])]
        polls += [[*block(f"while not {lock.use}.acquire(timeout=0.02):", ["pass"]), "moved()"]]
    else:
        limited = [f"await asyncio.wait_for({flag.use}.wait(), 0.02)", "break"]
        polls += [block("while True:", block("try:", limited) + block("except TimeoutError:", ["pass"]))]
    poll = [*rng.choice(polls), "moved()"]
    gives = [f"{flag.use}.set()", "box['done'] = 1", "moved()"]
    scene.actor("poller", host, rng.choice([things.hold(rng, lock, poll, True), things.hold(rng, lock, poll), poll]))
    pause = [f"{wait}{'asyncio' if host == 0 else 'time'}.sleep({seconds(rng.choice(late.DELAYS_MS))})"]
    scene.actor(
        "giver",
        host,
        [*pause, *rng.choice([gives, things.hold(rng, lock, gives), things.hold(rng, lock, gives, True)])],
    )
    for _ in range(rng.choice([0, 1, 2])):
        scene.actor(
            "behind", host, [f"{wait}{'asyncio' if host == 0 else 'time'}.sleep(0.02)", *things.hold(rng, lock, [])]
        )


def file_locked(rng: Random, scene: Scene) -> None:
    """A lock of a file, by two descriptors of this process or across a fork, and a lock of memory beside it."""
    scene.setup += ["file = os.memfd_create('lock')", "path = f'/proc/self/fd/{file}'", "keep.append(file)"]
    lock, forks = _lock(rng, scene), rng.random() < 0.4
    opened = "with open(path, 'r+b', buffering=0) as own:"
    taken, freed = "fcntl.flock(own, fcntl.LOCK_EX)", "fcntl.flock(own, fcntl.LOCK_UN)"

    def under_file(body: Lines) -> Lines:
        return block(opened, ["moved()", taken, "moved()", *body, *rng.choice([[freed, "moved()"], []])])

    first = under_file([*_nap(rng), *things.hold(rng, lock, _nap(rng, 10))])
    second = rng.choice(
        [things.hold(rng, lock, [*_nap(rng), *under_file([])]), first, under_file(_nap(rng, LONGEST_MS))]
    )
    scene.actor("filer", THREAD, first)
    if forks:
        child = under_file(_nap(rng, LONGEST_MS))
        body = ["pid = forked()", *block("if pid == 0:", [*block("try:", child), *block("finally:", ["os._exit(0)"])])]
        scene.actor("parent", THREAD, [*_nap(rng, 10), *body, *step("os.waitpid(pid, 0)")])
    else:
        scene.actor("locker", THREAD, second)


def shared(rng: Random, scene: Scene) -> None:
    """Primitives of multiprocessing, made before a fork; a child that gives, keeps, dies or waits for its parent."""
    scene.setup.append("fork = multiprocessing.get_context('fork')")
    kind = rng.choice(["lock", "event", "queue", "pipe", "semaphore", "condition", "simple"])
    ways: dict[str, tuple[str, str, str]] = {
        "lock": ("fork.Lock()", "thing.acquire()", "thing.release()"),
        "semaphore": ("fork.Semaphore(1)", "thing.acquire()", "thing.release()"),
        "event": ("fork.Event()", "thing.wait()", "thing.set()"),
        "queue": ("fork.Queue()", "thing.get()", "thing.put(1)"),
        "simple": ("fork.SimpleQueue()", "thing.get()", "thing.put(1)"),
        "pipe": ("fork.Pipe()", "thing[0].recv()", "thing[1].send(1)"),
        "condition": ("fork.Condition()", "with thing: thing.wait()", "with thing: thing.notify_all()"),
    }
    made, wait, free = ways[kind]
    scene.setup += [f"thing = {made}", "keep.append(thing)"]
    lock = _lock(rng, scene)
    pause = [f"time.sleep({seconds(rng.choice(late.DELAYS_MS))})"]
    gives = [*pause, free, "moved()"]
    if kind in ("lock", "semaphore"):
        gives = rng.choice([["thing.acquire()", *gives], ["thing.acquire()", *pause]])
    child = rng.choice([gives, gives, pause, step(wait), [*gives, *step(wait)]])
    body = [
        "pid = forked()",
        *block("if pid == 0:", [*block("try:", ["moved()", *child]), *block("finally:", ["os._exit(0)"])]),
    ]
    waits = step(wait)
    ends = rng.choice([waits, waits, step("os.waitpid(pid, 0)"), [*step("os.waitpid(pid, 0)"), *waits]])
    scene.actor(
        "parent", THREAD, [*_nap(rng, 10), *body, *_nap(rng), *rng.choice([ends, things.hold(rng, lock, ends)])]
    )
    if rng.random() < 0.4:
        scene.actor("beside", THREAD, [*_nap(rng), *rng.choice([waits, gives, things.hold(rng, lock, gives)])])


def streamed(rng: Random, scene: Scene) -> None:
    """Locks, events and memory streams of AnyIO."""
    scene.setup.append("import anyio")
    begins = scene.begins.setdefault(0, [])
    size = rng.choice([0, 0, 1, 2])
    begins += ["box['lock'], box['event'] = anyio.Lock(), anyio.Event()", "box['few'] = anyio.CapacityLimiter(1)"]
    begins += [f"box['tx'], box['rx'] = anyio.create_memory_object_stream({size})"]
    sends = block(f"for one in range({rng.choice([1, 2, 3])}):", step("await box['tx'].send(one)"))
    receives = rng.choice([step("await box['rx'].receive()"), block("async for _ in box['rx']:", ["moved()"])])
    parts: list[Lines] = [
        sends,
        receives,
        step("await box['event'].wait()"),
        ["await asyncio.sleep(0.1)", "box['event'].set()", "moved()"],
        ["await asyncio.sleep(0.15)", "box['tx'].close()", "moved()"],
        step("await anyio.to_thread.run_sync(time.sleep, 0.05)"),
    ]
    for _ in range(rng.choice([2, 3, 4])):
        inner = rng.choice(parts)
        body = rng.choice(
            [
                inner,
                block("async with box['lock']:", ["moved()", *inner]),
                block("async with box['few']:", ["moved()", *inner]),
                [*block("with anyio.move_on_after(0.1):", inner), "moved()"],
                block(
                    "async with box['lock']:",
                    ["moved()", "await asyncio.sleep(0.02)", *block("async with box['few']:", ["moved()", *inner])],
                ),
                block(
                    "async with box['few']:",
                    ["moved()", "await asyncio.sleep(0.02)", *block("async with box['lock']:", ["moved()", *inner])],
                ),
            ]
        )
        if rng.random() < 0.3:
            child = scene.name("child")
            body = [
                *block(f"async def {child}():", body),
                *block("async with anyio.create_task_group() as group:", [f"group.start_soon({child})"]),
                "moved()",
            ]
        scene.actor("flow", 0, body)
    if rng.random() < 0.5:
        end = rng.choice(
            [
                "box['event'].set()",
                "box['tx'].close()",
                "box['rx'].close()",
                "box['tx'].send_nowait(9)",
                "box['rx'].receive_nowait()",
            ]
        )
        late.act(rng, scene, [end], 0)


def asleep(rng: Random, scene: Scene) -> None:
    """A thread ends a task's wait without waking the task's loop, which something else may wake, late or never."""
    loop = rng.choice([0, 0, 1])
    kind = rng.choice(("event", "queue", "lock", "semaphore", "future", "condition"))
    if kind == "future":
        scene.begins.setdefault(loop, []).append("box['due'] = asyncio.get_running_loop().create_future()")
        thing = Thing("asyncio", kind, "box['due']", loop)
    else:
        thing, lines = things.make(rng, "asyncio", kind, scene.name(kind), loop, 1 if kind == "condition" else 0)
        scene.setup += lines
    wait = things.wait(rng, thing)
    if kind in ("lock", "semaphore"):
        wait = [f"await {thing.use}.acquire()", "moved()", *wait]
    lock, made = things.make(rng, "asyncio", "lock", scene.name("held"), loop)
    scene.setup += made
    for _ in range(rng.choice([1, 1, 2])):
        scene.actor("waiter", loop, rng.choice([wait, things.hold(rng, lock, wait)]))
    pause = [f"time.sleep({seconds(rng.choice(late.DELAYS_MS[:3]))})"]
    unsafe = [*pause, *things.free(thing), "moved()"]
    if kind == "condition" or rng.random() < 0.2:
        unsafe = [*pause, f"loops[{loop}].call_soon(lambda: None)", "moved()"]
    scene.actor("giver", THREAD, unsafe)
    if rng.random() < 0.6:
        way = rng.choice(["timer", "threadsafe", "job", "io", "way"])
        delay = seconds(rng.choice(late.DELAYS_MS))
        if way == "timer":
            scene.actor("sleeper", loop, step(f"await asyncio.sleep({delay})"))
        elif way == "threadsafe":
            scene.actor("waker", THREAD, [f"time.sleep({delay})", f"loops[{loop}].call_soon_threadsafe(int)"])
        elif way == "job":
            scene.actor("asker", loop, step(f"await asyncio.to_thread(time.sleep, {delay})"))
        elif way == "io":
            scene.setup += ["here, there = socket.socketpair()", "here.setblocking(False)"]
            scene.actor("reader", loop, step("await asyncio.get_running_loop().sock_recv(here, 1)"))
            scene.actor("sender", THREAD, [f"time.sleep({delay})", "there.send(b'x')"])
        else:
            late.act(rng, scene, ["pass"], loop)


def processes(rng: Random, scene: Scene) -> None:
    """A pool of processes, a process pool executor, or children that are joined; jobs that wait, die or end late."""
    scene.setup.append("fork = multiprocessing.get_context('fork')")
    scene.setup += block("def job(number):", [f"time.sleep({seconds(rng.choice((5, 30, 120)))})", "return number"])
    scene.setup += block("def dies(number):", ["time.sleep(0.05)", "os._exit(3)"])
    scene.setup += ["inner = fork.Event()"]
    scene.setup += block("def waits(number):", ["return inner.wait(0.4)"])
    scene.setup += block(  # other processes find them by these names
        "for one in (job, dies, waits):",
        [f"one.__qualname__ = f'{{one.__name__}}{scene.number}'", "globals()[one.__qualname__] = one"],
    )
    what = rng.choice(["job", "job", "dies", "waits"])
    lock = _lock(rng, scene)
    way = rng.choice(["pool", "executor", "process"])
    if way == "pool":
        body = ["pool = fork.Pool(1)", "keep.append(pool)", *step(f"pool.apply_async({what}, (1,)).get()")]
        body += rng.choice([[], step("pool.map(job, range(3))"), ["pool.close()", *step("pool.join()")]])
    elif way == "executor":
        body = ["pool = concurrent.futures.ProcessPoolExecutor(1, fork)", "keep.append(pool)"]
        body += step(f"pool.submit({what}, 1).result()")
    else:
        body = [f"child = fork.Process(target={what}, args=(1,), daemon=True)", "keep.append(child)", "child.start()"]
        body += step("child.join()")
    scene.actor("parent", THREAD, rng.choice([body, things.hold(rng, lock, body)]))
    scene.actor("beside", THREAD, [*_nap(rng), *things.hold(rng, lock, rng.choice([[], ["inner.set()", "moved()"]]))])
    if rng.random() < 0.4:
        late.act(rng, scene, ["inner.set()"], None)
