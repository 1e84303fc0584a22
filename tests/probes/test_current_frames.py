# SPDX-License-Identifier: Apache-2.0
"""Asking for the frames of all threads keeps nothing of the program, also not until the next garbage collection."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
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


_COLLECTING = """
import gc, threading, time
from peeps_otel.probes.internals.current_frames import current_frames

def turn():  # threads begin and end all the time, for which each needs the lock of the list of threads
    while not done:
        threading.Thread(target=int).start()

done = []
turner = threading.Thread(target=turn)
turner.start()
gc.callbacks.append(lambda *_: time.sleep(0.0005))  # hands the interpreter on, as a finalizer of the program may
gc.set_threshold(1)
found = [len(current_frames()) for _ in range(300)]
done.append(1)
gc.set_threshold(700)
turner.join()
print(gc.isenabled(), min(found) >= 1)
gc.disable()
current_frames()
print(gc.isenabled())
"""


def test_no_garbage_is_collected_while_the_list_of_threads_is_locked() -> None:
    """Or nobody in the process would ever run again."""
    command = [sys.executable, "-c", _COLLECTING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\nFalse\n", "")


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
