# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry for stuck and slow Python services: who waits for whom, and what is proven stuck."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from .version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Finding
    from .providers import ProviderHandle, RpcReport, ShmReport

__all__ = ["__version__", "attention", "init", "leaks", "pause", "profile", "register_provider", "resume", "verdict"]


def init(service_name: str | None = None) -> None:
    """Watches this process, in code instead of `opentelemetry-instrument`. Call it before the event loop starts.

    Where no OpenTelemetry SDK is set up yet, sets up one with `service_name` and without exporters; with
    `PEEPS_COLLECTOR_ENDPOINT` set, ours are added. An SDK that is there is used as it is. Does nothing with
    `OTEL_SDK_DISABLED=true` or `PEEPS_ENABLED=false`, and in a subinterpreter. May be called more than once.
    """
    from .config import is_enabled
    from .interpreter_internals import is_main

    if not is_main() or not is_enabled(os.environ):
        return
    from . import agent
    from .sdk_setup import set_up_missing

    set_up_missing(service_name)
    agent.start()


def verdict(wait_s: float = 5.0) -> str:
    """What is stuck in this process, and who waits for whom, as text; where nothing is stuck, who waits for what.

    Looks until something is found, for `wait_s` seconds at most. Blocks the caller: from a coroutine by
    `asyncio.to_thread`. Works with and without `init()`; without, nothing of the process is changed. Any thread.
    Raises RuntimeError where no look could be taken.
    """
    from .local.asking import picture

    return picture(wait_s).account()


def leaks() -> list[Finding]:
    """The tasks of this process that nothing which can still run is able to wake, as findings, worst first.

    Looks through the whole heap on a copy of the process: the program pauses for milliseconds, the caller waits for
    several seconds per million objects. From a coroutine: `await asyncio.to_thread(peeps_otel.leaks)`. Works with
    and without `init()`. Raises RuntimeError where the check cannot be made, and says why.
    """
    from . import agent
    from .watcher.leak_check import check_now

    running = agent.running()
    return check_now(None if running is None else running.leaks)


def profile(form: Literal["folded", "speedscope"] = "folded", *, on_cpu: bool = False) -> str:
    """Where the threads and tasks of this process have spent their time since it is watched, as sampled stacks.

    `folded`: a line per stack for `flamegraph.pl` and the like, `on_cpu` only what was found using a processor;
    `speedscope`: a file for https://www.speedscope.app. Samples show what takes long; functions of a few milliseconds
    are seen far too seldom. Any thread. Raises RuntimeError where nothing is sampled.
    """
    from . import agent

    running = agent.running()
    sampled = None if running is None else running.watcher.profile
    if running is None or sampled is None:
        raise RuntimeError("no thread samples are taken: peeps is not running in this process, or PEEPS_SAMPLE_HZ is 0")
    if form == "speedscope":
        return sampled.speedscope(f"process {os.getpid()}", 1 / running.config.sample_hz)
    return sampled.folded(on_cpu)


def register_provider(name: str, kind: str, function: Callable[[], RpcReport | ShmReport]) -> ProviderHandle:
    """Has `function` asked at each look for what a transport of yours has in flight. Returns a handle that ends it.

    `kind`: `rpc` (it returns a `peeps_otel.providers.RpcReport`), `shm` (a `ShmReport`), or a word of yours (either).
    `function` is called on a thread of ours, whether or not a loop runs, and must not block: one that raises, takes
    longer than 250 ms or returns something else is named in the coverage and in an event. A method is held weakly; a
    function that refers to things around it lives as long as the handle. Any thread, before or after `init()`.
    Raises ValueError for an empty name or kind, TypeError for what cannot be called.
    """
    from .providers.registered import register

    return register(name, kind, function, depth=2)


def pause() -> None:
    """Stops looking and sampling in this process until `resume()`; to a collector it has ended. Does nothing where
    nothing is watched."""
    from . import agent

    if (running := agent.running()) is not None:
        running.pause()


def resume() -> None:
    """Goes on after `pause()`, with a new stream of snapshots."""
    from . import agent

    if (running := agent.running()) is not None:
        running.resume()


def attention() -> None:
    """Somebody is looking at this process: for a quarter of a minute, looks come often, the first at once."""
    from . import agent

    if (running := agent.running()) is not None:
        running.attention()
