# SPDX-License-Identifier: Apache-2.0
"""The leak proof: tasks that wait for something which nothing that can still run is able to reach.

On a copy of the process, which stands still, so that the answer holds for one instant. Where no copy can be made, in
the process itself, in pieces and twice; the program goes on meanwhile, so that is no proof.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, cast

from ...model.change import Change
from ..asyncio.waits import Classifier
from ..internals import asyncio_core as internals
from ..library import CancelScopes
from ..library_registry import LibraryRegistry
from . import native_reader
from . import waits as heap_waits
from .leak_report import LeakReport, LostTask
from .native_reader import Make
from .picture import NativePicture, Picture
from .reach import CHECKED_VERSIONS, Reach, reach
from .suspensions import Suspensions

CHANGES = (
    Change(
        "`gc.disable`",
        "while the heap is walked in the process itself",
        "when a leak proof is asked for and no copy can be made",
        "as it was, at once",
        "`PEEPS_LEAKS_EVERY_S`, `peeps leaks`",
    ),
)

_PACKAGE = "peeps_otel"
_OBJECTS_MOST_IN_PROCESS = 200_000  # the longest single call holds the interpreter for about 20 ms then
_TIMEOUT_S = 300.0


class Known(NamedTuple):
    """What libraries tell."""

    classifier: Classifier
    scopes: list[CancelScopes]
    refused: str

    @classmethod
    def of_the_program(cls) -> Known:
        """As the program has them. `refused`: why nothing may be proven of its tasks; empty where it may."""
        libraries = LibraryRegistry()
        libraries.activate_imported()
        refused = f"what cancels tasks is not known: {libraries.refused[0]}" if libraries.refused else ""
        return cls(Classifier(libraries), libraries.cancel_scopes, refused)


def check(timeout_s: float = _TIMEOUT_S) -> LeakReport:
    """Blocks until it is done: several seconds for a million objects. On any thread. Never raises."""
    reason = unfit()
    if reason:
        return LeakReport([], not_run=reason)
    began = time.perf_counter_ns()
    known = Known.of_the_program()
    if known.refused:
        return LeakReport([], not_run=known.refused)
    ours = our_types()
    try:
        if sys.platform == "linux":
            from . import fork as heap_fork

            make = native_reader.reader()
            try:
                answer, pause_ns = heap_fork.on_a_copy(lambda _: _encoded(*_on_the_copy(known, ours, make)), timeout_s)
                report = _decoded(answer)._replace(pause_ns=pause_ns)
            except (heap_fork.CopyDied, TimeoutError) as error:
                if make is not None:
                    native_reader.give_up(str(error))
                raise
            except heap_fork.CannotFork as reason:
                report = _in_process(known, ours, timeout_s, str(reason))
        else:
            report = _in_process(known, ours, timeout_s, f"no copies are made on {sys.platform}")
    except Exception as error:
        report = LeakReport([], not_run=f"the check failed: {type(error).__name__}: {error}")
    return report._replace(duration_ns=time.perf_counter_ns() - began)


def unfit() -> str:
    """Why the heap of this interpreter cannot be judged; empty where it can."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in CHECKED_VERSIONS:
        version = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"
        return f"the leak proof was not shown to be right on {version}"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "the leak proof needs the global interpreter lock"
    return ""


def _never() -> None:
    """On a copy nobody has to be let run."""


def analyse(
    known: Known,
    ours: set[type[Any]],
    pause: Callable[[], None],
    picture: Picture | None = None,
    suspensions: Suspensions | None = None,
) -> LeakReport:
    """The proof itself, on a heap that stands still. `picture`, `suspensions`: of this heap, where they are there."""
    waits = heap_waits.blocked_tasks(known.classifier, known.scopes, pause, picture, suspensions or Suspensions())
    found: Reach = reach(picture or Picture(pause), waits.blocked, ours, pause)
    lost = [
        LostTask(task.task, task.future, task.task in found.lost and task.task not in waits.doubtful, dying)
        for task in waits.blocked
        if (dying := task.task in found.dying) or task.task in found.lost
    ]
    return LeakReport(lost, len(waits.blocked), found.objects)


def _on_the_copy(known: Known, ours: set[type[Any]], make: Make | None) -> tuple[LeakReport, str]:
    """And why the picture could not be made in C; empty where it could, or was not to."""
    failed = ""
    if make is not None:
        try:
            return analyse(known, ours, _never, NativePicture(make)), failed
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
    return analyse(known, ours, _never), failed


def _in_process(known: Known, ours: set[type[Any]], timeout_s: float, reason: str) -> LeakReport:
    """Twice, and only what is lost in the same wait both times, for the heap changes while it is walked."""
    size = len(gc.get_objects())
    if size > _OBJECTS_MOST_IN_PROCESS:
        return LeakReport([], objects=size, not_run=f"{reason}, and {size:,} objects are too many to walk in process")
    deadline = time.monotonic() + timeout_s

    def pause() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done within {timeout_s:g} s")
        time.sleep(0.0005)

    was_enabled = gc.isenabled()
    gc.disable()
    try:
        first = analyse(known, ours, pause)
        second = analyse(known, ours, pause) if first.lost else first
    finally:
        if was_enabled:
            gc.enable()
    before = {(one.task, one.future) for one in first.lost}
    lost = [one._replace(sure=False) for one in second.lost if (one.task, one.future) in before]
    return second._replace(lost=lost, in_process=reason)


def our_types() -> set[type[Any]]:
    """The types of this package: what watches is nobody who could wake a task."""
    found: set[type[Any]] = set()
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType and (name == _PACKAGE or name.startswith(f"{_PACKAGE}.")):
            found.update(thing for thing in list(vars(module).values()) if type(thing) is type)
    return {kind for kind in found if kind.__module__.partition(".")[0] == _PACKAGE}


def _encoded(report: LeakReport, failed: str) -> bytes:
    return json.dumps([report.lost, report.blocked, report.objects, failed]).encode()


def _decoded(answer: bytes) -> LeakReport:
    lost, blocked, objects, failed = cast("tuple[list[tuple[int, int, bool, bool]], int, int, str]", json.loads(answer))
    if failed:
        native_reader.give_up(failed)
    return LeakReport([LostTask(*one) for one in lost], blocked, objects)


def lost_tasks(report: LeakReport) -> list[tuple[asyncio.Task[Any], LostTask]]:
    """The tasks of a report that are still in the very same wait. By address: call it at once, and hold no task."""
    by_address = {one.task: one for one in report.lost}
    return [
        (task, one)
        for task in internals.live_tasks()
        if (one := by_address.get(id(task))) is not None and is_lost(task, one)
    ]


def is_lost(task: asyncio.Task[Any], one: LostTask) -> bool:
    """Whether a task has not gone on since a check found it."""
    return id(internals.awaited_future(task)) == one.future
