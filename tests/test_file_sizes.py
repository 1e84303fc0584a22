# SPDX-License-Identifier: Apache-2.0
"""One idea per file. A file of more than about 400 lines hides two."""

from __future__ import annotations

from tests.source_facts import ROOT

_MOST = 440
_PROGRAMS = "many small programs, each read for itself"
LONG = {
    "tests/probes/heap_cases.py": _PROGRAMS,
    "tests/probes/thread_wait_cases.py": _PROGRAMS,
    "tests/probes/wait_cases.py": _PROGRAMS,
}
_FOLDERS = ("peeps_otel", "distro", "collector", "dashboard", "tests", "scripts", "bench", "examples")


def test_no_file_is_long() -> None:
    found: dict[str, int] = {}
    for folder in _FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" in path.parts or path.name.endswith("_pb2.py"):
                continue
            with path.open("rb") as file:
                lines = sum(1 for _ in file)
            if lines > _MOST:
                found[path.relative_to(ROOT).as_posix()] = lines
    assert found.keys() == LONG.keys(), found
