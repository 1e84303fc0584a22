# SPDX-License-Identifier: Apache-2.0
"""Late wake-ups: who ends a wait after it looked hopeless, and by which way he comes."""

from __future__ import annotations

from random import Random

from . import detours
from .lines import Lines, block, seconds
from .program import THREAD, Scene
from .things import Thing, free

DELAYS_MS = (30, 60, 120, 180, 250)
_FREEING = ("release", "set", "set_result", "notify_all", "put_nowait", "abort")


def wake(rng: Random, scene: Scene, thing: Thing) -> str:
    """Adds somebody who frees a thing late, in the thread or loop where it may be used. Returns the way's name."""
    return act(rng, scene, _said(rng, thing, free(thing)), thing.loop if thing.is_async else None)


def act(rng: Random, scene: Scene, lines: Lines, loop: int | None) -> str:
    """Adds somebody who runs `lines` late. `loop`: on which loop they must run, None: anywhere."""
    function = scene.name("late")
    scene.setup += block(f"def {function}(*_):", [*block("try:", lines), *block("finally:", ["moved()"])])
    delay = seconds(rng.choice(DELAYS_MS))
    call = f"loops[{loop}].call_soon_threadsafe({function})" if loop is not None else f"{function}()"
    ways = ["thread", "timer", "signal", "guard", "finalize", "job", "later_thread"]
    if loop is not None:
        ways += ["task", "call_later", "done_callback", "to_thread", "task", "other_loop"]
    if rng.random() < 0.35:
        ways = [*detours.WAYS]
    way = rng.choice(ways)
    if way == "signal" and scene.main:
        way = "thread"
    if way in detours.WAYS:
        detours.add(scene, way, call, delay)
    else:
        _add(scene, way, function, call, delay, loop or 0)
    return way


def _said(rng: Random, thing: Thing, lines: Lines) -> Lines:
    """The same, sometimes by the name of the method only, as dispatchers do, or by a name that no code contains."""
    how = rng.random()
    if how > 0.2:
        return lines
    found: Lines = []
    for line in lines:
        for name in _FREEING:
            said = repr(name) if how > 0.05 else f"{name[::-1]!r}[::-1]"
            line = line.replace(f"{thing.use}.{name}(", f"told({thing.use}, {said}, ")
        found.append(line)
    return found


def _add(scene: Scene, way: str, function: str, call: str, delay: str, loop: int) -> None:
    match way:
        case "thread":
            scene.actor("waker", THREAD, [f"time.sleep({delay})", call])
        case "later_thread":
            begun = f"threading.Thread(target=lambda: (time.sleep({delay}), {call}), daemon=True).start()"
            scene.actor("starter", THREAD, ["time.sleep(0.03)", begun])
        case "timer":
            scene.actor("setter", THREAD, [f"threading.Timer({delay}, lambda: {call}).start()"])
        case "signal":
            scene.main += [
                f"signal.signal(signal.SIGALRM, lambda *_: interrupting(lambda: {call}))",
                f"signal.setitimer(signal.ITIMER_REAL, {delay})",
            ]
        case "guard":
            scene.setup.append(f"box['guard'] = Guard(lambda: {call})")
            scene.actor("dropper", THREAD, [f"time.sleep({delay})", "del box['guard']"])
        case "finalize":
            scene.setup += ["box['token'] = lambda: None", f"weakref.finalize(box['token'], lambda: {call})"]
            scene.actor("dropper", THREAD, [f"time.sleep({delay})", "del box['token']"])
        case "job":
            scene.setup.append("jobs = concurrent.futures.ThreadPoolExecutor(1)")
            scene.actor("asker", THREAD, [f"jobs.submit(lambda: (time.sleep({delay}), {call}))"])
        case "task":
            scene.actor("waker", loop, [f"await asyncio.sleep({delay})", f"{function}()"])
        case "call_later":
            scene.begins.setdefault(loop, []).append(f"asyncio.get_running_loop().call_later({delay}, {function})")
        case "done_callback":
            body = [
                f"sleeper = asyncio.ensure_future(asyncio.sleep({delay}))",
                f"sleeper.add_done_callback({function})",
            ]
            scene.actor("asker", loop, [*body, "await sleeper"])
        case "to_thread":
            scene.actor("asker", loop, [f"await asyncio.to_thread(time.sleep, {delay})", f"{function}()"])
        case _:
            scene.actor("waker", 1 - loop, [f"await asyncio.sleep({delay})", call])
