# SPDX-License-Identifier: Apache-2.0
"""One question to the heap: who could end these waits, and which tasks can nobody wake? Asked of a copy of the process.

The copy is one still picture, so both answers hold for the same instant. Where no copy can be made there is no answer:
what is read piece by piece from a program that goes on would name enders that have gone since.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from ..internals.current_frames import current_frames
from ..source.ownership import is_standard_library
from . import leaks, native_reader
from .actors import Actors, ThreadFrames
from .answer import Answer, BlockedThread
from .consumers import consumers_among
from .copy_allowance import CopyAllowance
from .descriptors import with_addresses
from .ender import Ender, Key, Strength, Thing
from .enders import Enders
from .leak_report import LeakReport
from .native_reader import Make
from .picture import NativePicture, Picture
from .suspensions import Suspensions

TIMEOUT_S = 120.0
_PROGRAM_ALL_THE_SAME = ("/concurrent/futures/thread.py", "/concurrent/futures/process.py")
"""Their workers answer those who wait for what they run."""
_GENERATED = "<"
_WATCHING = (f"{os.sep}peeps_otel{os.sep}", f"{os.sep}site-packages{os.sep}opentelemetry{os.sep}")


def ask(
    things: Sequence[Thing],
    threads: Sequence[BlockedThread],
    allowance: CopyAllowance | None = None,
    timeout_s: float = TIMEOUT_S,
    *,
    forked: bool = False,
) -> Answer:
    """Blocks until it is answered: about a second for 100,000 objects. On any thread but a program's. Never raises.
    `allowance`: what the copy may use; None: anything. `forked`: as of `Enders`."""
    reason = leaks.unfit() or ("" if sys.platform == "linux" else f"no copies are made on {sys.platform}")
    if reason:
        return _without(reason)
    from . import fork

    known, ours = leaks.Known.of_the_program(), leaks.our_types()
    if known.refused:
        return _without(known.refused)
    asked = _Asked(
        things, {one.ident: one.name for one in threads}, known, ours, forked, native_reader.reader(), allowance
    )
    began_ns = time.perf_counter_ns()
    try:
        copied = fork.on_a_copy(_answer(asked), timeout_s, current_frames, allowance)
    except Exception as error:
        if isinstance(error, (fork.CopyDied, TimeoutError)) and asked.make is not None:
            native_reader.give_up(str(error))
        text = str(error) if type(error) is fork.CannotFork else f"{type(error).__name__}: {error}"
        return _without(text)
    answer = _decoded(copied.answer)
    report = answer.leaks._replace(pause_ns=copied.pause_ns, duration_ns=time.perf_counter_ns() - began_ns)
    return answer._replace(leaks=report)


def ask_copy(
    things: Sequence[Thing],
    threads: Sequence[BlockedThread],
    allowance: CopyAllowance | None = None,
    *,
    forked: bool = False,
) -> Answer:
    """As `ask`, where we are a copy of the process already, and in Python alone. Blocks for as long as it takes. Never
    raises. `allowance`: not kept to, for somebody waits for this copy."""
    del allowance
    known, ours = leaks.Known.of_the_program(), leaks.our_types()
    if reason := known.refused or leaks.unfit():
        return _without(reason)
    asked = _Asked(things, {one.ident: one.name for one in threads}, known, ours, forked)
    try:
        return _decoded(_answer(asked)(current_frames()))
    except Exception as error:
        return _without(f"{type(error).__name__}: {error}")


def _without(reason: str) -> Answer:
    return Answer([], LeakReport([], not_run=reason), not_asked=reason)


class _Asked(NamedTuple):
    """`names`: of blocked threads, by ident. `make`: what makes a picture in C, where that is to be used."""

    things: Sequence[Thing]
    names: dict[int, str]
    known: leaks.Known
    ours: set[type[Any]]
    forked: bool
    make: Make | None = None
    allowance: CopyAllowance | None = None

    def pause(self) -> None:
        """On a copy nobody has to be let run; it may have to wait until it may go on."""
        if self.allowance is not None:
            self.allowance.pause()


def _answer(asked: _Asked) -> Callable[[Any], bytes]:
    def of(frames: Any) -> bytes:
        began_ns = time.process_time_ns()
        if gc.get_freeze_count():  # frozen objects would hide from the picture; this is a copy
            gc.unfreeze()
        failed = ""
        answer: list[Any] = []
        if asked.make is not None:
            try:
                answer = _answered(NativePicture(asked.make), asked, frames)
            except Exception as error:
                failed = f"{type(error).__name__}: {error}"
        if not answer:
            answer = _answered(Picture(asked.pause), asked, frames)
        return json.dumps([*answer, time.process_time_ns() - began_ns, failed]).encode()

    return of


def _answered(picture: Picture, asked: _Asked, frames: Any) -> list[Any]:
    names = asked.names
    threads = [
        ThreadFrames(ident, names.get(ident, ""), frame, ident in names)
        for ident, frame in frames.items()
        if ident not in _own_threads()
    ]
    suspensions, pause = Suspensions(), asked.pause
    actors = Actors(picture, threads, asked.ours, suspensions, pause)
    things = with_addresses(asked.things, picture.objects)
    enders = Enders(picture, actors, things, is_program, pause, asked.forked)
    began_ns = time.process_time_ns()
    enders_of: list[list[Ender]] = []
    nobodys: list[bool] = []
    for thing in things:
        pause()
        enders_of.append(enders.of(thing))
        nobodys.append(enders.is_nobodys_task(thing))
    things_ns = time.process_time_ns() - began_ns
    acting = sum(
        actor.key.kind in ("ready", "timer", "io") and not actor.own_wakeup for actor in actors.by_key.values()
    )
    consumers = consumers_among(actors, {one.key for found in enders_of for one in found})
    report = LeakReport([])
    if any(not any(one.is_from_outside for one in found) for found in enders_of):
        report = leaks.analyse(asked.known, asked.ours, pause, picture, suspensions)
    found = [[tuple(one) for one in of_thing] for of_thing in enders_of]
    return [found, report.lost, report.blocked, report.objects, acting, nobodys, [*consumers], things_ns]


def _own_threads() -> set[int]:
    """The idents of threads that only watch."""
    from ..internals.thread import facts, known_threads

    return {ident for ident, thread in known_threads().items() if facts(ident, thread).name.startswith("peeps-")}


def is_program(file: str) -> bool:
    """Whether code of this file is looked into for who may end a wait: the program's and its libraries', not that of
    the standard library, of OpenTelemetry or ours."""
    if file.endswith(_PROGRAM_ALL_THE_SAME):
        return True
    watches = any(part in file for part in _WATCHING)
    return not (watches or file.startswith(_GENERATED) or is_standard_library(file))


def _decoded(answer: bytes) -> Answer:
    found, lost, blocked, objects, acting, nobodys, consumers, things_ns, cpu_ns, failed = cast(
        "list[Any]", json.loads(answer)
    )
    if failed:
        native_reader.give_up(failed)
    enders = [
        [Ender(Key(*key), Strength(strength), name, via) for key, strength, name, via in of_thing] for of_thing in found
    ]
    report = LeakReport([leaks.LostTask(*one) for one in lost], blocked, objects)
    return Answer(
        enders,
        report,
        acting,
        cpu_ns,
        things_ns=things_ns,
        nobodys=tuple(nobodys),
        consumers=frozenset(Key(*key) for key in consumers),
    )
