# SPDX-License-Identifier: Apache-2.0
"""What programs wait for: how each kind is made, kept, taken, waited for, and freed by somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .lines import Lines, block, seconds, step

HELD_BY_TASKS = ("lock", "semaphore", "bounded")
HELD_BY_THREADS = ("lock", "rlock", "semaphore", "bounded")
MAKERS = {
    ("asyncio", "lock"): "asyncio.Lock()",
    ("asyncio", "semaphore"): "asyncio.Semaphore(1)",
    ("asyncio", "bounded"): "asyncio.BoundedSemaphore(1)",
    ("asyncio", "condition"): "asyncio.Condition()",
    ("asyncio", "event"): "asyncio.Event()",
    ("asyncio", "queue"): "asyncio.Queue({size})",
    ("asyncio", "lifo"): "asyncio.LifoQueue({size})",
    ("asyncio", "priority"): "asyncio.PriorityQueue({size})",
    ("asyncio", "barrier"): "asyncio.Barrier({size})",
    ("threading", "lock"): "threading.Lock()",
    ("threading", "rlock"): "threading.RLock()",
    ("threading", "semaphore"): "threading.Semaphore(1)",
    ("threading", "bounded"): "threading.BoundedSemaphore(1)",
    ("threading", "condition"): "threading.Condition()",
    ("threading", "event"): "threading.Event()",
    ("threading", "queue"): "queue.Queue({size})",
    ("threading", "lifo"): "queue.LifoQueue({size})",
    ("threading", "simple"): "queue.SimpleQueue()",
    ("threading", "barrier"): "threading.Barrier({size})",
    ("threading", "future"): "concurrent.futures.Future()",
}


@dataclass(frozen=True)
class Thing:
    """`family`: asyncio or threading. `use`: the expression by which the program reaches it. `loop`: whose it is."""

    family: str
    kind: str
    use: str
    loop: int = 0

    @property
    def is_async(self) -> bool:
        return self.family == "asyncio"


def make(rng: Random, family: str, kind: str, name: str, loop: int = 0, size: int = 0) -> tuple[Thing, Lines]:
    """A thing, kept in one of the ways in which programs keep things, and the lines that make it."""
    maker = MAKERS[family, kind].format(size=size)
    use, lines = rng.choice(
        [
            (name, [f"{name} = {maker}"]),
            (name, [f"{name} = {maker}"]),
            (f'box["{name}"]', [f'box["{name}"] = {maker}']),
            (f"shelf[{name}]", [f"{name} = len(shelf)", f"shelf.append({maker})"]),
            (f"desk.{name}", [f"desk.{name} = {maker}"]),
            (f"get_{name}()", [f"get_{name} = functools.partial(dict.__getitem__, {{0: {maker}}}, 0)"]),
            (f"var_{name}.get()[0]", [f"var_{name} = contextvars.ContextVar('{name}', default=[{maker}])"]),
        ]
    )
    return Thing(family, kind, use, loop), lines


def hold(rng: Random, thing: Thing, body: Lines, by_block: bool | None = None) -> Lines:
    """Takes something, does `body`, gives it back. `by_block`: True: by a `with`; False: by nothing but `acquire`."""
    wait, use = ("await " if thing.is_async else ""), thing.use
    enters = "async with" if thing.is_async else "with"
    inside = ["moved()", *body]
    blocks = [
        block(f"{enters} {use}:", inside),
        block(f"{enters} {use}:", inside),
        block(f"{enters} {'taking' if thing.is_async else 'taking_sync'}({use}):", inside),
        block(
            f"{enters} contextlib.{'AsyncExitStack' if thing.is_async else 'ExitStack'}() as stack:",
            [f"{wait}stack.{'enter_async_context' if thing.is_async else 'enter_context'}({use})", *inside],
        ),
    ]
    bare = [
        [*step(f"{wait}{use}.acquire()"), *block("try:", body), *block("finally:", [f"{use}.release()"])],
        [*step(f"{wait}{use}.acquire()"), *body, f"{use}.release()"],
    ]
    if thing.is_async:
        bare += [
            [
                *step(f"await asyncio.wait_for({use}.acquire(), {seconds(rng.choice([20, 80, 250]))})"),
                *body,
                f"{use}.release()",
            ]
        ]
    else:
        bare += [
            block(f"if {use}.acquire(False):", ["moved()", *body, f"{use}.release()"]),
            block(
                f"if {use}.acquire(timeout={seconds(rng.choice([20, 80, 250]))}):",
                ["moved()", *body, f"{use}.release()"],
            ),
            [
                *block(
                    "for _ in range(20):",
                    [*block(f"if {use}.acquire(False):", ["moved()", "break"]), "time.sleep(0.01)"],
                ),
                *block("else:", ["return"]),
                *body,
                f"{use}.release()",
            ],
        ]
    chosen = blocks + bare if by_block is None else blocks if by_block else bare
    return rng.choice(chosen)


def wait(rng: Random, thing: Thing) -> Lines:
    """One wait for a thing, without a deadline."""
    use, awaits = thing.use, "await " if thing.is_async else ""
    match thing.kind:
        case "condition":
            ends = rng.choice([f"{awaits}{use}.wait()", f"{awaits}{use}.wait_for(lambda: box.get('said'))"])
            return block(f"{'async with' if thing.is_async else 'with'} {use}:", ["moved()", *step(ends)])
        case "queue" | "lifo" | "priority" | "simple":
            return step(f"{awaits}{use}.get()")
        case "future":
            return step(f"await {use}" if thing.is_async else f"{use}.result()")
        case "event" | "barrier":
            return step(f"{awaits}{use}.wait()")
        case _:
            return step(f"{awaits}{use}.acquire()")


def free(thing: Thing) -> Lines:
    """What ends a wait for it, from any function that runs where the thing may be used; never blocks for long."""
    use = thing.use
    match thing.kind:
        case "lock" | "semaphore" | "bounded":
            return block("try:", [f"{use}.release()"]) + block("except (RuntimeError, ValueError):", ["pass"])
        case "condition" if thing.is_async:
            return block(f"if {use}.locked():", ["box['said'] = True", f"{use}.notify_all()"]) + block(
                "else:", [f"keep.append(asyncio.ensure_future(say({use}, box)))"]
            )
        case "condition":
            return block(
                f"if {use}.acquire(timeout=0.05):", ["box['said'] = True", f"{use}.notify_all()", f"{use}.release()"]
            )
        case "queue" | "lifo" | "priority" | "simple":
            return block("try:", [f"{use}.put_nowait(1)"]) + block(
                "except (asyncio.QueueFull, queue.Full):", [f"{use}.get_nowait()"]
            )
        case "future":
            return block(f"if not {use}.done():", [f"{use}.set_result(1)"])
        case "event":
            return [f"{use}.set()"]
        case "barrier" if thing.is_async:
            return [f"keep.append(asyncio.ensure_future({use}.abort()))"]
        case "barrier":
            return [f"{use}.abort()"]
        case _:
            return ["pass"]
