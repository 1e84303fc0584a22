# SPDX-License-Identifier: Apache-2.0
"""Asking for the frames of all threads keeps nothing of the program, also not until the next garbage collection."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from peeps_otel.probes.internals.asyncio_core import all_loops_on_stacks, loops_on_stacks
from peeps_otel.probes.internals.current_frames import can_be_read, current_frames
from peeps_otel.probes.internals.trio import trio_runs


class _Thing:
    """Takes a weak reference."""


@pytest.mark.parametrize("ask", [current_frames, can_be_read, loops_on_stacks, all_loops_on_stacks, trio_runs])
def test_who_asks_keeps_nothing(ask: Callable[[], object]) -> None:
    def program() -> weakref.ref[_Thing]:
        thing = _Thing()
        ask()
        return weakref.ref(thing)

    gc.disable()
    try:
        assert program()() is None
    finally:
        gc.enable()


def test_the_others_are_told_and_the_loop_of_the_own_thread_too() -> None:
    ready, done = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        frames = current_frames()
        assert thread.ident in frames
        assert threading.get_ident() not in frames
    finally:
        done.set()
        thread.join()

    async def main() -> bool:
        return (threading.get_ident(), asyncio.get_running_loop()) in loops_on_stacks()

    assert asyncio.run(main())
