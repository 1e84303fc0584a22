# SPDX-License-Identifier: Apache-2.0
"""One idea per file: more than about 400 lines hide two. What ruff or pyright have against a line is
excepted with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.source_facts import ROOT

_MOST = 440
_PROGRAMS = "many small programs, each read for itself"
LONG = {
    "tests/probes/heap_cases.py": _PROGRAMS,
    "tests/probes/thread_wait_cases.py": _PROGRAMS,
    "tests/probes/wait_cases.py": _PROGRAMS,
}
_FOLDERS = ("peeps_otel", "distro", "collector", "dashboard", "native", "tests", "scripts", "bench", "examples")


_UNTYPED = re.compile(r"# pyright: ignore\[\w+(?:, \w+)*\](?P<reason>.*)")
_EXCEPTED = re.compile(r"# noqa\b(?P<rules>: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*)?(?P<reason>.*)")


def _files() -> Iterator[Path]:
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"node_modules", "build"}.intersection(path.parts) and not path.name.endswith("_pb2.py"):
                yield path


def test_no_file_is_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_bytes().splitlines()) for path in _files()}
    found = {name: lines for name, lines in lengths.items() if lines > _MOST}
    assert found.keys() == LONG.keys(), found


def test_no_file_of_c_is_long_or_without_its_license() -> None:
    for path in sorted((ROOT / "native").rglob("*.[ch]")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert (lines[0], len(lines) <= _MOST) == ("/* SPDX-License-Identifier: Apache-2.0 */", True), path
        assert max(map(len, lines)) <= 120, path


def test_every_exception_has_a_reason() -> None:
    without = [
        f"{path.relative_to(ROOT).as_posix()}:{number}"
        for path in _files()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        for found in _EXCEPTED.finditer(line)
        if not found["rules"] or not re.search(r"\w{2}", found["reason"])
    ]
    assert without == []


def test_every_line_that_pyright_is_not_to_judge_has_a_reason() -> None:
    without = [
        f"{path.relative_to(ROOT).as_posix()}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        for found in _UNTYPED.finditer(line)
        if not re.search(r"\w{2}", found["reason"])
    ]
    assert without == []
