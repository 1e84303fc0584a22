# SPDX-License-Identifier: Apache-2.0
"""Late wake-ups by detours: whoever comes in the end has the thing in no variable of his, but in what he will call."""

from __future__ import annotations

from typing import NamedTuple

from .lines import Lines, block
from .program import THREAD, Scene


class _Detour(NamedTuple):
    """`ACT`: the function that is called in the end; `KEPT`: a name of its own; `DELAY`: seconds. `SLEEP` waits so
    long. `actors`: threads, by stem."""

    setup: Lines
    actors: dict[str, Lines]


_IN_A_GENERATOR = [
    *block("def KEPT():", [*block("try:", ["yield"]), *block("finally:", ["ACT()"])]),
    "box['KEPT'] = KEPT()",
    "next(box['KEPT'])",
]
_DETOURS = {
    "queue_worker": _Detour(
        ["KEPT = queue.Queue()"], {"worker": ["KEPT.get()()"], "client": ["SLEEP", "KEPT.put(ACT)"]}
    ),
    "selector": _Detour(
        ["KEPT, far = os.pipe()", "box['handlers'] = {KEPT: ACT}"],
        {
            "worker": ["ready, _, _ = select.select([KEPT], [], [])", "box['handlers'][ready[0]]()"],
            "client": ["SLEEP", "os.write(far, b'x')"],
        },
    ),
    "scheduler": _Detour(
        ["KEPT = sched.scheduler()", "KEPT.enter(DELAY, 1, ACT)"],
        {"clock": ["KEPT.run()"]},
    ),
    "gc_callback": _Detour(
        block("def KEPT(phase, _):", ["gc.callbacks.remove(KEPT)", "ACT()"]),
        {"collector": ["SLEEP", "gc.callbacks.append(KEPT)", "gc.collect()"]},
    ),
    "generator": _Detour(_IN_A_GENERATOR, {"closer": ["SLEEP", "box['KEPT'].close()"]}),
    "dropped_generator": _Detour(_IN_A_GENERATOR, {"dropper": ["SLEEP", "del box['KEPT']"]}),
    "weak_method": _Detour(
        [
            *block("class KEPT:", block("def go(self):", ["ACT()"])),
            "box['KEPT'] = KEPT()",
            "weak = weakref.WeakMethod(box['KEPT'].go)",
        ],
        {"caller": ["SLEEP", "weak()()"]},
    ),
    "subclass": _Detour(
        [
            *block("class KEPT(threading.Thread):", block("def run(self):", ["SLEEP", "ACT()"])),
            "KEPT(daemon=True).start()",
        ],
        {},
    ),
    "text": _Detour([], {"reader": ["SLEEP", "exec('act()', {'act': ACT})"]}),
    "coroutine": _Detour(
        [*block("async def KEPT():", ["ACT()"]), "box['KEPT'] = KEPT()"],
        {"driver": ["SLEEP", "with contextlib.suppress(StopIteration): box['KEPT'].send(None)"]},
    ),
    "registry": _Detour(
        ["sys.modules['KEPT'] = types.SimpleNamespace(hook=ACT)"],
        {"importer": ["SLEEP", "import KEPT as found", "found.hook()"]},
    ),
    "context": _Detour(
        ["KEPT = contextvars.ContextVar('KEPT')", "context = contextvars.Context()", "context.run(KEPT.set, ACT)"],
        {"caller": ["SLEEP", "context.run(lambda: KEPT.get()())"]},
    ),
    "argument": _Detour(
        [
            *block("def KEPT(act):", ["SLEEP", "act()"]),
            "threading.Thread(target=KEPT, args=(ACT,), daemon=True).start()",
        ],
        {},
    ),
    "future_callback": _Detour(
        ["KEPT = concurrent.futures.Future()", "KEPT.add_done_callback(ACT)"],
        {"giver": ["SLEEP", "KEPT.set_result(1)"]},
    ),
    "slot": _Detour(
        [*block("class KEPT:", ["__slots__ = ('act',)"]), "box['slot'] = KEPT()", "box['slot'].act = ACT"],
        {"caller": ["SLEEP", "box['slot'].act()"]},
    ),
    "pipe_reader": _Detour(
        [
            "KEPT, far = socket.socketpair()",
            *block("def follow(end):", ["end.recv(1)", "ACT()"]),
            "threading.Thread(target=follow, args=(KEPT,), daemon=True).start()",
        ],
        {"client": ["SLEEP", "far.send(b'x')"]},
    ),
}
WAYS = tuple(_DETOURS)


def add(scene: Scene, way: str, call: str, delay: str) -> None:
    """`call`: what is done in the end, on any thread."""
    detour, act, kept = _DETOURS[way], scene.name("act"), scene.name("kept")

    def named(lines: Lines) -> Lines:
        known = {"SLEEP": f"time.sleep({delay})", "DELAY": delay, "ACT": act, "KEPT": kept}
        for token, meant in known.items():
            lines = [line.replace(token, meant) for line in lines]
        return lines

    scene.setup += [*block(f"def {act}(*_):", [call]), *named(detour.setup)]
    for stem, body in detour.actors.items():
        scene.actor(stem, THREAD, named(body))
