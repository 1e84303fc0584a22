# SPDX-License-Identifier: Apache-2.0
"""A program of the catalogue and what must be said of it.

Beside `name.py` lies `name.expected.toml`:

    within_s = 5              # from the last wait of the core to the verdict; this is the default
    loops = ["asyncio"]       # for a program that can only run there; default: asyncio and uvloop
    requires = ["anyio"]      # modules that must be there, or the program is skipped
    watch_s = 4               # a live program: how long it is watched
    heap = true               # the heap is asked who could end a wait; without this the rules alone must tell it

    [[finding]]               # exactly these at the end; beside them only others of level SLOW; a live program has none
    kind = "deadlock"
    level = "PROVEN"
    members = ["worker-a", "worker-b", "cache", "db"]
    blocked = ["request-1"]   # optional: at least these wait behind it
    ring = "any"              # of several equally short rings any may be shown: some of the waits and holds below
    [finding.waits]           # every wait of the evidence: who, for what, on which line
    worker-a = ["cache", "a waits"]
    [finding.holds]           # every hold of the evidence: what, by whom, taken on which line
    cache = ["worker-b", "b takes cache"]

    [[known_miss]]            # the verdict is missing or wrong for now, and why
    on = "uvloop"             # "asyncio", "uvloop" or "3.12"; left out: everywhere
    reason = "…"

A line is named by a mark in the program: a comment `# <- a waits`, several with commas between them. Where only a
library's code waits, its name stands in place of a line: `in anyio`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHELVES = ("stuck", "reported", "live")
_IN_LIBRARY = "in "
_MARK = re.compile(r"#\s*<-\s*(.+?)\s*$")
_KEYS = {"within_s", "loops", "requires", "watch_s", "heap", "finding", "known_miss", "services"}
_FINDING_KEYS = {"kind", "level", "members", "blocked", "waits", "holds", "ring"}


@dataclass(frozen=True)
class Expected:
    """One finding. `waits`: by waiter, what it waits for and `path:line`. `holds`: by resource, who and `path:line`.

    `any_ring`: the evidence need not have all of these. Where it may name one of several, they stand side by side.
    """

    kind: str
    level: str
    members: frozenset[str]
    blocked: frozenset[str]
    waits: dict[str, tuple[str, str]]
    holds: dict[str, tuple[str, str]]
    any_ring: bool


@dataclass(frozen=True, eq=False)
class Entry:
    """A program: `shelf` is the folder it lies in."""

    shelf: str
    name: str
    path: Path
    within_s: float
    watch_s: float
    loops: tuple[str, ...]
    requires: tuple[str, ...]
    findings: tuple[Expected, ...]
    heap: bool = False
    known_misses: tuple[dict[str, str], ...] = field(default=())

    @property
    def live(self) -> bool:
        return self.shelf == "live"

    @property
    def summary(self) -> str:
        """The program's docstring."""
        return ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""

    def known_miss(self, loop: str, version: str) -> str:
        """Why the verdict is known to be missing there; empty where it must be right."""
        return next((miss["reason"] for miss in self.known_misses if miss.get("on", loop) in (loop, version)), "")


def entries() -> list[Entry]:
    """All programs, by shelf and name. Raises ValueError where an expectation is badly written."""
    return [_entry(shelf, path) for shelf in SHELVES for path in sorted((HERE / shelf).glob("*.py"))]


def marks(path: Path) -> dict[str, int]:
    """Line numbers by mark. Raises ValueError where a mark stands on two lines."""
    found: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _MARK.search(line)
        for mark in match[1].split(", ") if match else ():
            if mark in found:
                raise ValueError(f"{path.name}: the mark {mark!r} is on lines {found[mark]} and {number}")
            found[mark] = number
    return found


def _entry(shelf: str, path: Path) -> Entry:
    with path.with_suffix(".expected.toml").open("rb") as file:
        said = tomllib.load(file)
    if unknown := said.keys() - _KEYS:
        raise ValueError(f"{path.stem}.expected.toml: unknown {sorted(unknown)}")
    found = marks(path)
    findings = tuple(_expected(path, finding, found) for finding in said.get("finding", ()))
    used = {mark for finding in said.get("finding", ()) for mark in _used_marks(finding)}
    if unused := found.keys() - used:
        raise ValueError(f"{path.name}: the marks {sorted(unused)} are in no expectation")
    if (shelf == "live") == bool(findings):
        raise ValueError(f"{path.stem}.expected.toml: a live program has no [[finding]], a stuck one at least one")
    return Entry(
        shelf=shelf,
        name=path.stem,
        path=path,
        within_s=said.get("within_s", 5.0),
        watch_s=said.get("watch_s", 4.0),
        loops=tuple(said.get("loops", ("asyncio", "uvloop"))),
        requires=tuple(said.get("requires", ())),
        findings=findings,
        heap=said.get("heap", False),
        known_misses=tuple(said.get("known_miss", ())),
    )


def _expected(path: Path, said: dict[str, Any], found: dict[str, int]) -> Expected:
    if unknown := said.keys() - _FINDING_KEYS:
        raise ValueError(f"{path.stem}.expected.toml: unknown {sorted(unknown)}")

    def places(table: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
        missing = {mark for _, mark in table.values() if not mark.startswith(_IN_LIBRARY)} - found.keys()
        if missing:
            raise ValueError(f"{path.name} has no mark {sorted(missing)}")
        return {
            name: (other, mark if mark.startswith(_IN_LIBRARY) else f"{path}:{found[mark]}")
            for name, (other, mark) in table.items()
        }

    return Expected(
        kind=said["kind"],
        level=said["level"],
        members=frozenset(said["members"]),
        blocked=frozenset(said.get("blocked", ())),
        waits=places(said.get("waits", {})),
        holds=places(said.get("holds", {})),
        any_ring=said.get("ring") == "any",
    )


def _used_marks(finding: dict[str, Any]) -> set[str]:
    return {mark for table in ("waits", "holds") for _, mark in finding.get(table, {}).values()}
