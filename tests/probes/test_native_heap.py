# SPDX-License-Identifier: Apache-2.0
"""`peeps-otel-native`: what it says of a heap is what is said without it, and its failures cost an answer at most."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from peeps_otel.probes.heap import native_reader
from tests.probes import native_heap_stories
from tests.support.examples import examples
from tests.support.processes import alone

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
    number = max(1, examples(2)) if options else max(2, examples(5))
    command = [sys.executable, *options, str(PROGRAM), "0" if options else "50", str(number)]
    environment = os.environ | {"PYTHONMALLOC": "debug"} if options else os.environ
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["differ"] == []
    assert min(said["sizes"][name] for name in ("counts", "onward", "unexplained", "lost", "into")) > 0


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reasons: list[str] = []
    monkeypatch.setattr(native_reader, "_given_up", reasons)
    return reasons


@is_installed
def test_a_question_is_answered_alike() -> None:
    alone(native_heap_stories.answered_alike)


def test_where_it_fails_the_copy_answers_without_it() -> None:
    alone(native_heap_stories.fails)


def test_where_it_crashes_only_the_answer_is_lost() -> None:
    alone(native_heap_stories.crashes)


def test_one_that_was_made_for_another_version_is_not_used(
    given_up: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert given_up == []
    (tmp_path / "peeps_otel_native.py").write_text("INTERFACE = 0\nHeap = None\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "peeps_otel_native", raising=False)
    assert native_reader.reader() is None
    monkeypatch.delitem(sys.modules, "peeps_otel_native", raising=False)
