# SPDX-License-Identifier: Apache-2.0
"""What a person would ask of a collector about a program, with names in the place of ids."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb

from tests.support import collector
from tests.support.program import Program
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ARTIFACTS = ROOT / "artifacts"
VERDICT_S = 5.0
"""For a verdict, from the moment the program says that it is at work."""


class Collector(collector.Collector):
    """A running `peeps collector`. Those that start as a user starts them are in the catalogue, in test_scripts and in
    tests/lake."""

    forked = True

    def verdict_on(self, program: Program, seconds: float = VERDICT_S) -> Finding:
        """The one finding, within `seconds` of the moment the program was at work."""
        left = seconds - (time.monotonic() - program.started)

        def found() -> Any:
            assert program.process.poll() is None, program.output()
            answer = self.get("/api/findings")
            # The word of a process may come before the snapshot that has its nodes.
            known = all(node in one["nodes"] for one in answer["findings"] for node in one["core"])
            return answer if answer["verdict"]["stuck"] and known else None

        answer = eventually(found, f"a verdict on {program.name}", left)
        assert len(answer["findings"]) == 1, [finding["title"] for finding in answer["findings"]]
        return Finding(answer["findings"][0], answer["verdict"]["sentence"])

    def stored(self, statement: str) -> list[tuple[Any, ...]]:
        """Asks the file that it has left behind."""
        assert self.process.poll() is not None
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(statement).fetchall()


class Finding:
    """An answer of the API, with names in the place of ids."""

    def __init__(self, answer: dict[str, Any], sentence: str) -> None:
        self.answer = answer
        self.sentence = sentence
        self.kind: str = answer["kind"]
        self.level: str = answer["level"]
        self.title: str = answer["title"]
        self.core = self._names(answer["core"])
        self.blocked = self._names(answer["blocked"])
        self.kinds = {self._name(node): answer["nodes"][node]["kind"] for node in answer["core"]}

    def _name(self, node: str) -> str:
        return self.answer["nodes"][node]["name"]

    def _names(self, nodes: list[str]) -> set[str]:
        return {self._name(node) for node in nodes}

    def waits(self) -> dict[str, tuple[str, str]]:
        """By name of the waiter: what it waits for, and on which line."""
        return {
            self._name(link["waiter"]): (self._name(link["resource"]), link["wait_source"])
            for link in self.answer["evidence"]
        }

    def holds(self) -> dict[str, tuple[str, str]]:
        """By name of what is waited for: who holds it, and on which line it was taken."""
        return {
            self._name(link["resource"]): (self._name(link["holder"]), link["hold_source"])
            for link in self.answer["evidence"]
            if link["hold_source"]
        }

    def source_of(self, name: str) -> str:
        return next(node["source"] for node in self.answer["nodes"].values() if node["name"] == name)
