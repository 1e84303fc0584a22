# SPDX-License-Identifier: Apache-2.0
"""`peeps-otel-native`: what it says of a heap is what is said without it, and its failures cost an answer at most."""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from peeps_otel.model import NodeKind
from peeps_otel.probes.heap import leaks, native_reader, question
from peeps_otel.probes.heap.answer import Answer
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.wakers import WAKERS

PROGRAM = Path(__file__).with_name("native_heap_program.py")
pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="the heap is not asked on this Python"),
    pytest.mark.skipif(sys.platform != "linux", reason="copies are only made on Linux"),
]
is_installed = pytest.mark.skipif(
    importlib.util.find_spec("peeps_otel_native") is None,
    reason="peeps-otel-native was not built: no C compiler, or no header files of this Python",
)


@is_installed
@pytest.mark.parametrize("options", [[], ["-X", "dev"]], ids=["", "dev"])
def test_both_ways_say_the_same_of_random_heaps(options: list[str]) -> None:
    """References, counts, roots, who leads to what, and who is lost."""
    command = [sys.executable, *options, str(PROGRAM), "0" if options else "50", "2" if options else "5"]
    environment = os.environ | {"PYTHONMALLOC": "debug"} if options else os.environ
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["differ"] == []
    assert min(said["sizes"][name] for name in ("counts", "onward", "unexplained", "lost", "into")) > 0


class _Told:
    """What is said of one event that a task waits for, and of the tasks that are lost."""

    def __init__(self, answer: Answer) -> None:
        self.enders = [[(one.key.kind, one.strength, one.name) for one in found] for found in answer.enders]
        self.rest = (len(answer.leaks.lost), answer.leaks.blocked, answer.acting, answer.nobodys)
        self.not_asked = answer.not_asked


async def _asked() -> _Told:
    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async def sets(event: asyncio.Event) -> None:
        await asyncio.sleep(100)
        event.set()

    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event), name="waits"), asyncio.create_task(sets(event), name="sets")]
    await asyncio.sleep(0)
    thing = Thing((id(event),), "Event", WAKERS[NodeKind.EVENT], name="")
    del event
    answer = await asyncio.to_thread(question.ask, [thing], [])
    for task in tasks:
        task.cancel()
    return _Told(answer)


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reasons: list[str] = []
    monkeypatch.setattr(native_reader, "_given_up", reasons)
    return reasons


@is_installed
def test_a_question_is_answered_alike(given_up: list[str]) -> None:
    with_it = asyncio.run(_asked())
    assert (given_up, with_it.not_asked) == ([], "")
    native_reader.switch_off()
    without = asyncio.run(_asked())
    assert (with_it.enders, with_it.rest) == (without.enders, without.rest)
    assert any(kind == "task" for kind, _, _ in without.enders[0])


def _raises(*_: object) -> NoReturn:
    raise MemoryError("no room")


def _crashes(*_: object) -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError


def test_where_it_fails_the_copy_answers_without_it(given_up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_reader, "reader", lambda: _raises)
    told = asyncio.run(_asked())
    assert (told.not_asked, len(told.enders)) == ("", 1)
    assert given_up == ["MemoryError: no room"]
    assert leaks.check().not_run == ""


def test_where_it_crashes_only_the_answer_is_lost(given_up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(native_reader, "reader", lambda: _crashes)
        told = asyncio.run(_asked())
    assert "the copy of the process died" in told.not_asked
    assert (len(given_up), native_reader.reader()) == (1, None)
    assert asyncio.run(_asked()).not_asked == ""


def test_one_that_was_made_for_another_version_is_not_used(
    given_up: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert given_up == []
    (tmp_path / "peeps_otel_native.py").write_text("INTERFACE = 0\nHeap = None\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "peeps_otel_native", raising=False)
    assert native_reader.reader() is None
    monkeypatch.delitem(sys.modules, "peeps_otel_native", raising=False)
