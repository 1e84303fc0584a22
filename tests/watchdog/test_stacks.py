# SPDX-License-Identifier: Apache-2.0
"""Reading what faulthandler writes, as this Python writes it."""

from __future__ import annotations

import faulthandler
import tempfile
import threading

from peeps_otel.probes.source.ownership import Ownership
from peeps_otel.watchdog import stacks
from peeps_otel.watchdog.stacks import Frame, Stack

OWNERSHIP = Ownership()


def _dump() -> tuple[str, str]:
    """All stacks of this process, and the table of its threads."""
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        text = file.read().decode()
    return text, "".join(f"{t.ident} {t.native_id} {t.name}\n" for t in threading.enumerate())


def test_all_threads_but_ours() -> None:
    ready, end = threading.Barrier(4), threading.Event()

    def waits() -> None:
        ready.wait()
        end.wait()

    names = ("a thread with blanks", "ünïcode", "peeps-link")
    threads = [threading.Thread(target=waits, name=name) for name in names]
    for thread in threads:
        thread.start()
    ready.wait()
    try:
        found = {stack.name: stack for stack in stacks.read(*_dump())}
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert {"MainThread", *names[:2]} <= found.keys()
    assert "peeps-link" not in found
    idle = found[names[0]]
    assert (idle.ident, idle.native) == (threads[0].ident, threads[0].native_id)
    inner, outer = idle.frames[0], idle.frames[-1]
    assert (inner.function, inner.file) == ("wait", threading.__file__)
    assert outer.function == "_bootstrap"
    own = stacks.own_frame(idle, OWNERSHIP)
    assert own is not None
    assert (own.file, own.function) == (__file__, "waits")
    assert stacks.place(idle, OWNERSHIP) == f"{names[0]} is in wait, called at {__file__}:{own.line} in waits"
    assert found["MainThread"].frames[0].function == "_dump"
    assert stacks.place(found["MainThread"], OWNERSHIP).startswith(f"MainThread is at {__file__}:")
    assert stacks.as_traceback(idle).splitlines()[0] == f'  File "{outer.file}", line {outer.line}, in _bootstrap'


def _stack(name: str | None, *frames: Frame, native: int = 1) -> Stack:
    return Stack(0x7F00, name, native, list(frames))


WAIT = Frame("/lib/threading.py", 3, "wait")
WORK = Frame("/app/work.py", 7, "crunch")


def test_which_to_look_at() -> None:
    main, idle, busy = _stack("MainThread", WAIT), _stack("pool", WAIT, native=2), _stack("b", WORK, native=3)
    assert stacks.to_look_at([main, idle, busy], None) is busy, "the only one that does not merely wait"
    assert stacks.to_look_at([main, idle, busy], 2) is idle, "the CPU knows better"
    assert stacks.to_look_at([idle, main], None) is main
    assert stacks.to_look_at([busy, _stack("MainThread", WORK)], None) == _stack("MainThread", WORK)
    assert stacks.to_look_at([idle], 99) is idle
    assert stacks.to_look_at([], 1) is None


def test_what_cannot_be_read_is_left_out() -> None:
    assert stacks.read("", "") == []
    text = "Timeout!\nThread 0x0000000000000010 (most recent call first):\n  <no Python frame>\n  ...\n"
    assert stacks.read(text, "16 1 x\n") == []
    cut = 'Thread 0x0000000000000010 (most recent call first):\n  File "/a b", line 3 in f\n  File "/a'
    assert stacks.read(cut, "") == [Stack(16, None, None, [Frame("/a b", 3, "f")])]
